"""A warm process: a local run's jobs are forked from one Python whose imports are done."""
