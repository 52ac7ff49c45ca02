# What people read. Every rule here finds its inputs in plan.json, beside its outputs. `update`: a file stays until the
# new one takes its place, for another run of the same study may be reading it.
# in:  manifests of all predictions
# out: results/studies/<study>/<digest>/{scores.parquet,few_shot_scores.parquet,estimates.parquet,analyses/,tables/,figures/,report.html,report.txt,paper/}
rule scores:
    input:
        predictions(),
    output:
        update(expand(f"{study_folder}/{{name}}.parquet", name=plan.score_tables)),
    log:
        f"{study_folder}/logs/scores.log",
    benchmark:
        f"{study_folder}/benchmarks/scores.tsv"
    localrule: True
    conda:
        "../envs/xstilts.yaml"
    params:
        plan=f"{study_folder}/plan.json",
    shell:
        "python -m xstilts scores --plan {params.plan:q} > {log:q} 2>&1"


rule estimates:
    input:
        predictions(),
    output:
        update(f"{study_folder}/estimates.parquet"),
    log:
        f"{study_folder}/logs/estimates.log",
    benchmark:
        f"{study_folder}/benchmarks/estimates.tsv"
    localrule: True
    conda:
        "../envs/xstilts.yaml"
    params:
        plan=f"{study_folder}/plan.json",
    shell:
        "python -m xstilts estimates --plan {params.plan:q} > {log:q} 2>&1"


rule analyses:
    input:
        rules.scores.output,
        rules.estimates.output,
    output:
        update(expand(f"{study_folder}/analyses/{{name}}.parquet", name=ANALYSES)),
    log:
        f"{study_folder}/logs/analyses.log",
    benchmark:
        f"{study_folder}/benchmarks/analyses.tsv"
    localrule: True
    conda:
        "../envs/xstilts.yaml"
    params:
        plan=f"{study_folder}/plan.json",
    shell:
        "python -m xstilts analyses --plan {params.plan:q} > {log:q} 2>&1"


rule tables:
    input:
        rules.scores.output,
        rules.estimates.output,
    output:
        update(
            expand(
                f"{study_folder}/tables/{{name}}.{{kind}}",
                name=plan.tables,
                kind=TABLE_FORMATS,
            )
        ),
    log:
        f"{study_folder}/logs/tables.log",
    benchmark:
        f"{study_folder}/benchmarks/tables.tsv"
    localrule: True
    conda:
        "../envs/xstilts.yaml"
    params:
        plan=f"{study_folder}/plan.json",
    shell:
        "python -m xstilts tables --plan {params.plan:q} > {log:q} 2>&1"


# one figure; its options are a tracked parameter, so a changed one draws the figures again that have it
rule figure:
    input:
        rules.scores.output,
        rules.estimates.output,
        rules.analyses.output,
    output:
        update(expand(f"{study_folder}/figures/{{{{figure}}}}.{{kind}}", kind=FIGURE_FORMATS)),
    log:
        f"{study_folder}/logs/figures.{{figure}}.log",
    benchmark:
        f"{study_folder}/benchmarks/figures.{{figure}}.tsv"
    localrule: True
    conda:
        "../envs/xstilts.yaml"
    params:
        plan=f"{study_folder}/plan.json",
        options=figure_options,
    shell:
        "python -m xstilts figure {wildcards.figure:q} --plan {params.plan:q} --options {params.options:q}"
        " > {log:q} 2>&1"


rule report:
    input:
        rules.scores.output,
        rules.estimates.output,
        rules.analyses.output,
        rules.tables.output,
        figure_files(),
    output:
        update(f"{study_folder}/{REPORT}"),
        update(f"{study_folder}/{PARAGRAPH}"),
    log:
        f"{study_folder}/logs/report.log",
    benchmark:
        f"{study_folder}/benchmarks/report.tsv"
    localrule: True
    conda:
        "../envs/xstilts.yaml"
    params:
        plan=f"{study_folder}/plan.json",
        documentation=plan.documentation_digest,
    shell:
        "python -m xstilts report --plan {params.plan:q} > {log:q} 2>&1"


rule paper:
    input:
        rules.scores.output,
        rules.estimates.output,
        figure_files(("pdf", "svg")),
    output:
        directory(f"{study_folder}/{PAPER}"),
    log:
        f"{study_folder}/logs/paper.log",
    benchmark:
        f"{study_folder}/benchmarks/paper.tsv"
    localrule: True
    conda:
        "../envs/xstilts.yaml"
    params:
        plan=f"{study_folder}/plan.json",
        works=plan.works_digest,
    shell:
        "python -m xstilts paper --plan {params.plan:q} > {log:q} 2>&1"
