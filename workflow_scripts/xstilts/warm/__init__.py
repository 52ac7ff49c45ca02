"""A warm process: jobs of a local run, or of one job of Slurm's, are forked from one Python whose imports are done."""
