#!/bin/bash
# The shell of the rules within a job of Slurm's: runs a command line as a step that has all the job has, so that what
# Slurm signals to the steps of a job reaches it. Slurm's variables say what the job asked for as options, which srun would
# take for those of the step. Of the job's cores the step may use all: without an option srun may bind one task to one core.
for name in "${!SLURM_@}" "${!SRUN_@}" "${!SBATCH_@}"; do
    case $name in
        SLURM_CONF | SLURM_JOB_ID | SLURM_JOBID | SLURM_CLUSTER_NAME | SLURM_SUBMIT_*) ;;
        *) unset "$name" ;;
    esac
done
exec srun --nodes=1 --ntasks=1 --overlap --cpu-bind=none /bin/bash "$@"
