# The training phases, and the search for their learning rates: one command line, a rule a phase.
# in:  manifests of a model (or a tokenizer), of tokens and, with a grid of learning rates, of its search
# out: results/{pretrained,learning_rates,intermediate,targets}/{node}/manifest.json
# With a gpu_type in config.yaml, memory, time and GPUs are those of `xstilts estimate`; without, a day at most. What most
# other jobs wait for goes first.
for phase, stage, longest, urgency in [
    ("pretrain", "pretrained", 1440, 2),
    ("learning_rates", "learning_rates", 1440, 1),
    ("intermediate", "intermediate", 1440, 1),
    ("target", "targets", 720, 0),
]:

    rule:
        name:
            phase
        input:
            parents(stage),
        output:
            f"{results}/{stage}/{{node}}/manifest.json",
        log:
            f"{results}/logs/{stage}/{{node}}.log",
        benchmark:
            f"{results}/benchmarks/{stage}/{{node}}.tsv"
        priority: urgency
        conda:
            "../envs/xstilts.yaml"
        threads: 1
        resources:
            gpu=gpus(stage),
            cpus_per_task=1,
            mem_mb=memory(16000, stage),
            runtime=minutes(longest, stage),
        params:
            spec=spec(stage),
            retention=retention,
            hardware=hardware,
        shell:
            "python -m xstilts train --spec {params.spec:q} --output {output:q} {params.retention:q}"
            " {params.hardware:q} --threads {resources.cpus_per_task} > {log:q} 2>&1"
