# The training phases, and the search for their learning rates.
# in:  manifests of a model (or a tokenizer), of tokens and, with a grid of learning rates, of its search
# out: results/{pretrained,rates,intermediate,targets}/{node}/manifest.json
rule pretrain:
    input:
        parents("pretrained"),
    output:
        f"{results}/pretrained/{{node}}/manifest.json",
    log:
        f"{results}/logs/pretrained/{{node}}.log",
    benchmark:
        f"{results}/benchmarks/pretrained/{{node}}.tsv"
    conda:
        "../envs/xstilts.yaml"
    threads: 1
    resources:
        gpu=gpus("pretrained"),
        cpus_per_task=1,
        mem_mb=memory(16000, "pretrained"),
        runtime=minutes(1440, "pretrained"),
    params:
        spec=spec("pretrained"),
        keeping=keeping,
        hardware=hardware,
    shell:
        "python -m xstilts train --spec {params.spec:q} --output {output:q} {params.keeping:q}"
        " {params.hardware:q} --threads {resources.cpus_per_task} > {log:q} 2>&1"


rule rates:
    input:
        parents("rates"),
    output:
        f"{results}/rates/{{node}}/manifest.json",
    log:
        f"{results}/logs/rates/{{node}}.log",
    benchmark:
        f"{results}/benchmarks/rates/{{node}}.tsv"
    conda:
        "../envs/xstilts.yaml"
    threads: 1
    resources:
        gpu=gpus("rates"),
        cpus_per_task=1,
        mem_mb=memory(16000, "rates"),
        runtime=minutes(1440, "rates"),
    params:
        spec=spec("rates"),
        keeping=keeping,
        hardware=hardware,
    shell:
        "python -m xstilts train --spec {params.spec:q} --output {output:q} {params.keeping:q}"
        " {params.hardware:q} --threads {resources.cpus_per_task} > {log:q} 2>&1"


rule intermediate:
    input:
        parents("intermediate"),
    output:
        f"{results}/intermediate/{{node}}/manifest.json",
    log:
        f"{results}/logs/intermediate/{{node}}.log",
    benchmark:
        f"{results}/benchmarks/intermediate/{{node}}.tsv"
    conda:
        "../envs/xstilts.yaml"
    threads: 1
    resources:
        gpu=gpus("intermediate"),
        cpus_per_task=1,
        mem_mb=memory(16000, "intermediate"),
        runtime=minutes(1440, "intermediate"),
    params:
        spec=spec("intermediate"),
        keeping=keeping,
        hardware=hardware,
    shell:
        "python -m xstilts train --spec {params.spec:q} --output {output:q} {params.keeping:q}"
        " {params.hardware:q} --threads {resources.cpus_per_task} > {log:q} 2>&1"


rule target:
    input:
        parents("targets"),
    output:
        f"{results}/targets/{{node}}/manifest.json",
    log:
        f"{results}/logs/targets/{{node}}.log",
    benchmark:
        f"{results}/benchmarks/targets/{{node}}.tsv"
    conda:
        "../envs/xstilts.yaml"
    threads: 1
    resources:
        gpu=gpus("targets"),
        cpus_per_task=1,
        mem_mb=memory(16000, "targets"),
        runtime=minutes(720, "targets"),
    params:
        spec=spec("targets"),
        keeping=keeping,
        hardware=hardware,
    shell:
        "python -m xstilts train --spec {params.spec:q} --output {output:q} {params.keeping:q}"
        " {params.hardware:q} --threads {resources.cpus_per_task} > {log:q} 2>&1"
