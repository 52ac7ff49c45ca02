# Intermediate-task training and zero-shot cross-lingual transfer, from raw data to figures.
#   make study                                install, run the configured study, print table and first paragraph
#   snakemake --cores all                     run the study that config.yaml names; with --profile slurm on a cluster
#   snakemake figures --cores 1               make one product: data tokens models scores estimates analyses tables figures report paper
#   snakemake --dag | dot -Tsvg > dag.svg     look at the jobs
from snakemake.utils import min_version

min_version("9.27")


configfile: "config.yaml"


include: "rules/common.smk"
include: "rules/slurm.smk"
include: "rules/data.smk"
include: "rules/train.smk"
include: "rules/evaluate.smk"
include: "rules/report.smk"
include: "rules/hardware.smk"


localrules:
    all,
    data,
    tokens,
    models,
    figures,


rule all:
    default_target: True
    input:
        rules.scores.output,
        rules.estimates.output,
        rules.tables.output,
        rules.analyses.output,
        figure_files(),
        rules.report.output,
        unlabelled(),


rule data:
    input:
        manifests("prepared"),


rule tokens:
    input:
        manifests("tokens"),


rule models:
    input:
        manifests("intermediate", "merged", "targets"),


rule figures:
    input:
        figure_files(),
