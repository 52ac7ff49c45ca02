# Raw data and models, then rows, then tokens: before any training, which makes the predictions asked of its model if
# their tokens are there.
# in:  a source (mirror, hub or generated)
# out: results/{data,models,prepared,tokens,tokenizers}/{node}/manifest.json
rule fetch_data:
    output:
        f"{results}/data/{{node}}/manifest.json",
    log:
        f"{results}/logs/data/{{node}}.log",
    benchmark:
        f"{results}/benchmarks/data/{{node}}.tsv"
    priority: 3
    localrule: True
    conda:
        "../envs/xstilts.yaml"
    params:
        spec=spec("data"),
        place=data_place,
    shell:
        "python -m xstilts fetch --spec {params.spec:q} --output {output:q} {params.place:q} > {log:q} 2>&1"


rule fetch_model:
    output:
        f"{results}/models/{{node}}/manifest.json",
    log:
        f"{results}/logs/models/{{node}}.log",
    benchmark:
        f"{results}/benchmarks/models/{{node}}.tsv"
    priority: 3
    localrule: True
    conda:
        "../envs/xstilts.yaml"
    params:
        spec=spec("models"),
        place=model_place,
    shell:
        "python -m xstilts fetch --spec {params.spec:q} --output {output:q} {params.place:q} > {log:q} 2>&1"


rule prepare:
    input:
        parents("prepared"),
    output:
        f"{results}/prepared/{{node}}/manifest.json",
    log:
        f"{results}/logs/prepared/{{node}}.log",
    benchmark:
        f"{results}/benchmarks/prepared/{{node}}.tsv"
    priority: 3
    localrule: True
    conda:
        "../envs/xstilts.yaml"
    resources:
        mem_mb=memory(4000),
        runtime=minutes(60),
    params:
        spec=spec("prepared"),
    shell:
        "python -m xstilts prepare --spec {params.spec:q} --output {output:q} > {log:q} 2>&1"


rule tokenize:
    input:
        parents("tokens"),
    output:
        f"{results}/tokens/{{node}}/manifest.json",
    log:
        f"{results}/logs/tokens/{{node}}.log",
    benchmark:
        f"{results}/benchmarks/tokens/{{node}}.tsv"
    priority: 3
    localrule: True
    conda:
        "../envs/xstilts.yaml"
    resources:
        mem_mb=memory(4000),
        runtime=minutes(60),
    params:
        spec=spec("tokens"),
    shell:
        "python -m xstilts tokenize --spec {params.spec:q} --output {output:q} > {log:q} 2>&1"


rule make_tokenizer:
    input:
        parents("tokenizers"),
    output:
        f"{results}/tokenizers/{{node}}/manifest.json",
    log:
        f"{results}/logs/tokenizers/{{node}}.log",
    benchmark:
        f"{results}/benchmarks/tokenizers/{{node}}.tsv"
    priority: 3
    localrule: True
    conda:
        "../envs/xstilts.yaml"
    resources:
        mem_mb=memory(4000),
        runtime=minutes(60),
    params:
        spec=spec("tokenizers"),
    shell:
        "python -m xstilts make-tokenizer --spec {params.spec:q} --output {output:q} > {log:q} 2>&1"
