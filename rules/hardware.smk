# What only a GPU can show:  snakemake check_gpu --cores all --profile slurm
# in:  nothing; random weights of true shapes
# out: results/hardware/{gpu}.json, by a name that only the job knows; the table is in the log
rule check_gpu:
    log:
        f"{results}/logs/check_gpu.log",
    benchmark:
        f"{results}/benchmarks/check_gpu.tsv"
    conda:
        "../envs/xstilts.yaml"
    threads: 1
    resources:
        gpu=1,
        nodes=1,
        cpus_per_task=4,
        mem_mb=32000,
        runtime=30,
    shell:
        "python -m xstilts check-gpu > {log:q} 2>&1"
