# What people read. Every rule here finds its inputs in plan.json, beside its outputs.
# in:  manifests of all predictions
# out: results/studies/<study>/<digest>/{scores.parquet,estimates.parquet,tables/,figures/,report.html,report.txt,paper/}
rule scores:
    input:
        predictions(),
    output:
        f"{study_folder}/scores.parquet",
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
        f"{study_folder}/estimates.parquet",
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


rule tables:
    input:
        rules.scores.output,
        rules.estimates.output,
    output:
        expand(
            f"{study_folder}/tables/{{name}}.{{kind}}",
            name=plan.tables,
            kind=TABLE_FORMATS,
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


rule figures:
    input:
        rules.scores.output,
    output:
        expand(f"{study_folder}/figures/{{name}}.{{kind}}", name=FIGURES, kind=FIGURE_FORMATS),
    log:
        f"{study_folder}/logs/figures.log",
    benchmark:
        f"{study_folder}/benchmarks/figures.tsv"
    localrule: True
    conda:
        "../envs/xstilts.yaml"
    params:
        plan=f"{study_folder}/plan.json",
    shell:
        "python -m xstilts figures --plan {params.plan:q} > {log:q} 2>&1"


rule report:
    input:
        rules.scores.output,
        rules.estimates.output,
        rules.tables.output,
        rules.figures.output,
    output:
        f"{study_folder}/{REPORT}",
        f"{study_folder}/{PARAGRAPH}",
    log:
        f"{study_folder}/logs/report.log",
    benchmark:
        f"{study_folder}/benchmarks/report.tsv"
    localrule: True
    conda:
        "../envs/xstilts.yaml"
    params:
        plan=f"{study_folder}/plan.json",
    shell:
        "python -m xstilts report --plan {params.plan:q} > {log:q} 2>&1"


rule paper:
    input:
        rules.scores.output,
        rules.estimates.output,
        expand(f"{study_folder}/figures/{{name}}.pdf", name=FIGURES),
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
        own_tasks=own_tasks,
    shell:
        "python -m xstilts paper --plan {params.plan:q} {params.own_tasks:q} > {log:q} 2>&1"
