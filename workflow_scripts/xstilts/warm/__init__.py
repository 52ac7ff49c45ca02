"""A warm process: the jobs of a local run, or the rules of a job of Slurm's, are forked from one Python whose imports are done."""
