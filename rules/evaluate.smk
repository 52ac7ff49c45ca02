# Predictions in every language, with a trained model or, for retrieval, with a model as it is.
# in:  manifests of a model and of tokens
# out: results/{predictions,embeddings,retrieval}/{node}/manifest.json
rule predict:
    input:
        parents("predictions"),
    output:
        f"{results}/predictions/{{node}}/manifest.json",
    log:
        f"{results}/logs/predictions/{{node}}.log",
    benchmark:
        f"{results}/benchmarks/predictions/{{node}}.tsv"
    conda:
        "../envs/xstilts.yaml"
    threads: 1
    resources:
        gpu=1,
        nodes=1,
        cpus_per_task=processors("predictions"),
        mem_mb=memory(8000, "predictions"),
        runtime=minutes(240, "predictions"),
    params:
        spec=spec("predictions"),
        retention=retention,
    shell:
        "python -m xstilts predict --spec {params.spec:q} --output {output:q} {params.retention:q}"
        " --threads {resources.cpus_per_task} > {log:q} 2>&1"


rule embed:
    input:
        parents("embeddings"),
    output:
        f"{results}/embeddings/{{node}}/manifest.json",
    log:
        f"{results}/logs/embeddings/{{node}}.log",
    benchmark:
        f"{results}/benchmarks/embeddings/{{node}}.tsv"
    conda:
        "../envs/xstilts.yaml"
    threads: 1
    resources:
        gpu=1,
        nodes=1,
        cpus_per_task=processors("embeddings"),
        mem_mb=memory(8000, "embeddings"),
        runtime=minutes(240, "embeddings"),
    params:
        spec=spec("embeddings"),
        retention=retention,
    shell:
        "python -m xstilts embed --spec {params.spec:q} --output {output:q} {params.retention:q}"
        " --threads {resources.cpus_per_task} > {log:q} 2>&1"


rule retrieve:
    input:
        parents("retrieval"),
    output:
        f"{results}/retrieval/{{node}}/manifest.json",
    log:
        f"{results}/logs/retrieval/{{node}}.log",
    benchmark:
        f"{results}/benchmarks/retrieval/{{node}}.tsv"
    conda:
        "../envs/xstilts.yaml"
    resources:
        nodes=1,
        mem_mb=memory(4000, "retrieval"),
        runtime=minutes(60),
    params:
        spec=spec("retrieval"),
    shell:
        "python -m xstilts retrieve --spec {params.spec:q} --output {output:q} > {log:q} 2>&1"
