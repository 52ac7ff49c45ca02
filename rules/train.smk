# The training phases, and the search for their learning rates: one command line, a rule a phase; and merging models.
# in:  manifests of a model (or a tokenizer), of tokens and, with a grid of learning rates, of its search; or of models
# out: results/{pretrained,learning_rates,intermediate,merged,targets}/{node}/manifest.json
# With a gpu_type in config.yaml each has a memory plan (planning/memory_plan.py), and asks for memory, time and GPUs by
# it; without, for a day at most. What most other jobs wait for goes first.
rule pretrain:
    input:
        parents("pretrained"),
    output:
        f"{results}/pretrained/{{node}}/manifest.json",
    log:
        f"{results}/logs/pretrained/{{node}}.log",
    benchmark:
        f"{results}/benchmarks/pretrained/{{node}}.tsv"
    priority: 2
    conda:
        "../envs/xstilts.yaml"
    threads: 1
    resources:
        gpu=gpus("pretrained"),
        nodes=1,
        cpus_per_task=processors("pretrained"),
        mem_mb=memory(16000, "pretrained"),
        runtime=minutes(1440, "pretrained"),
    params:
        spec=spec("pretrained"),
        retention=retention,
        hardware=hardware("pretrained"),
    shell:
        "python -m xstilts train --spec {params.spec:q} --output {output:q} {params.retention:q}"
        " {params.hardware:q} --threads {resources.cpus_per_task} > {log:q} 2>&1"


use rule pretrain as learning_rates with:
    input:
        parents("learning_rates"),
    output:
        f"{results}/learning_rates/{{node}}/manifest.json",
    log:
        f"{results}/logs/learning_rates/{{node}}.log",
    benchmark:
        f"{results}/benchmarks/learning_rates/{{node}}.tsv"
    priority: 1
    resources:
        gpu=gpus("learning_rates"),
        nodes=1,
        cpus_per_task=processors("learning_rates"),
        mem_mb=memory(16000, "learning_rates"),
        runtime=minutes(1440, "learning_rates"),
    params:
        spec=spec("learning_rates"),
        retention=retention,
        hardware=hardware("learning_rates"),


use rule pretrain as intermediate with:
    input:
        parents("intermediate"),
    output:
        f"{results}/intermediate/{{node}}/manifest.json",
    log:
        f"{results}/logs/intermediate/{{node}}.log",
    benchmark:
        f"{results}/benchmarks/intermediate/{{node}}.tsv"
    priority: 1
    resources:
        gpu=gpus("intermediate"),
        nodes=1,
        cpus_per_task=processors("intermediate"),
        mem_mb=memory(16000, "intermediate"),
        runtime=minutes(1440, "intermediate"),
    params:
        spec=spec("intermediate"),
        retention=retention,
        hardware=hardware("intermediate"),


rule merge:
    input:
        parents("merged"),
    output:
        f"{results}/merged/{{node}}/manifest.json",
    log:
        f"{results}/logs/merged/{{node}}.log",
    benchmark:
        f"{results}/benchmarks/merged/{{node}}.tsv"
    priority: 1
    conda:
        "../envs/xstilts.yaml"
    threads: 1
    resources:
        nodes=1,
        cpus_per_task=1,
        mem_mb=memory(16000, "merged"),
        runtime=minutes(240),
    params:
        spec=spec("merged"),
        retention=retention,
    shell:
        "python -m xstilts merge --spec {params.spec:q} --output {output:q} {params.retention:q}"
        " --threads {resources.cpus_per_task} > {log:q} 2>&1"


use rule pretrain as target with:
    input:
        parents("targets"),
    output:
        f"{results}/targets/{{node}}/manifest.json",
    log:
        f"{results}/logs/targets/{{node}}.log",
    benchmark:
        f"{results}/benchmarks/targets/{{node}}.tsv"
    priority: 0
    resources:
        gpu=gpus("targets"),
        nodes=1,
        cpus_per_task=processors("targets"),
        mem_mb=memory(16000, "targets"),
        runtime=minutes(720, "targets", few_shot=60),
    params:
        spec=spec("targets"),
        retention=retention,
        hardware=hardware("targets"),
