"""The sections on where everything comes from: the made-up languages, data sets and models, settings, provenance."""

import dataclasses
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet

from xstilts.data import overlap
from xstilts.data.sources import made_up
from xstilts.data.sources.miniature import languages
from xstilts.evaluation import estimates, few_shot, scores, trainings
from xstilts.references import parse_reference
from xstilts.reporting import prompt_table
from xstilts.reporting.layout import NOTHING
from xstilts.reporting.outputs import STUDY_FILE
from xstilts.reporting.report import arms
from xstilts.reporting.report.page import Grid, Inputs, Row, Section, arranged, columns
from xstilts.reporting.wording import merging
from xstilts.store import manifest, study_plan
from xstilts.store.files import file_sha256
from xstilts.store.manifest import PreparedResults, path_of
from xstilts.store.sampling import LOG_CLASSES
from xstilts.store.specs.base import Spec
from xstilts.store.specs.data import Content, DataSpec, EvaluationDataSpec, PreparedSpec
from xstilts.store.specs.models import IntermediateSpec, ModelSpec
from xstilts.store.study_plan import NONE


def features(inputs: Inputs) -> Grid | None:
    """Return the table of the made-up languages' features, of a study in the miniature world."""
    if "miniature" not in {target.source for target in inputs.plan.targets.values()}:
        return None
    shown = set(inputs.scores["language"])
    rows = []
    for code, facts in languages.table().items():
        values = {**dataclasses.asdict(facts), "code": code}
        axes = {"language": [code]} if code in shown else {}
        rows.append(Row(cells=[_feature(values[name]) for name in _FEATURES], axes=axes))
    return Grid(
        id="languages",
        caption="The made-up languages",
        columns=columns(_FEATURES.values()),
        rows=rows,
        about="Nobody speaks them. Text: whether the model has read any in pretraining. Cognates: the share of nouns,"
        " verbs and adjectives that are Toy English's own. Distance: the rank of the distance from Toy English,"
        " declared before anything was measured.",
    )


_FEATURES = {
    "code": "code", "name": "name", "script": "script", "word_order": "word order", "adjective": "adjective",
    "articles": "articles", "cases": "cases", "capitals": "capitals", "cognates": "cognates", "text": "text",
    "distance": "distance",
}  # fmt: skip


def _feature(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:g}" if isinstance(value, float) else str(value)


def data_sets(inputs: Inputs) -> Section | None:
    """Return the prepared data sets: where they are from, under which licence, how many rows, and what was left out."""
    rows = [
        _data_set(inputs, node, entry.spec, entry.names[0])
        for node, entry in inputs.plan.nodes.items()
        if node.startswith("prepared/") and path_of(inputs.results, node).exists()
    ]
    models = _models(inputs)
    if not rows and not models:
        return None
    header = ["data set", "task", "licence", "source", "rows", "left out"]
    (titles, cells), said = arranged((header, rows), shared=("source",))
    tables = [
        Grid(
            id="data-sets", caption="Data sets", columns=columns(titles), rows=[Row(cells=row) for row in cells],
            about="Rows by split, of evaluation data by language, as they were used. The name leads to the manifest,"
            f" with the SHA-256 of every file. {_equal_rows(inputs)}{said}".rstrip(),
        ),
        Grid(id="models", caption="Pretrained models", columns=columns(("model", "licence", "source", "citation")),
             rows=models),
    ]  # fmt: skip
    return Section(id="data", title="Data and models", values={"tables": [table for table in tables if table.rows]})


def _equal_rows(inputs: Inputs) -> str:
    """Return the sentence on training rows with the texts of an evaluation row of the study; nothing without any."""
    training: dict[str, dict[str, Path]] = defaultdict(dict)
    evaluation: dict[str, list[Path]] = defaultdict(list)
    for node, entry in inputs.plan.nodes.items():
        spec = entry.spec if node.startswith("prepared/") else None
        if isinstance(spec, EvaluationDataSpec):
            evaluation[spec.form] += [inputs.results / node / f"{language}.parquet" for language in spec.languages]
        elif isinstance(spec, PreparedSpec):
            training[spec.form][entry.names[0]] = inputs.results / node / "train.parquet"
    found = []
    for form, paths in training.items():
        scored = overlap.texts(form, map(_read, filter(Path.exists, evaluation[form])))
        for name, path in paths.items():
            number = overlap.equal_rows(overlap.texts(form, [_read(path)]), scored) if path.exists() else 0
            found += [f"{number:,} of {name}"] if number else []
    return f"Training rows with exactly the texts of an evaluation row: {', '.join(found)}. " if found else ""


def _read(path: Path) -> pyarrow.Table:
    return pyarrow.parquet.read_table(path)


def _data_set(inputs: Inputs, node: str, spec: Spec, name: str) -> list[str]:
    assert isinstance(spec, PreparedSpec)
    prepared = manifest.results_of(inputs.results, node, PreparedResults)
    sources = [inputs.plan.nodes[parent].spec for parent in spec.parents_of("data") if parent in inputs.plan.nodes]
    contents = [source.source for source in sources if isinstance(source, DataSpec)]
    card = inputs.plan.documentation.tasks.get(parse_reference(spec.task)[0])
    is_made_up = any(content.kind in made_up.MADE_UP for content in contents)
    licence = (card.licence if card else None) or "not known to the registry"
    title = f"{card.title}. {card.citation}" if card and card.citation and not is_made_up else spec.task
    rows = {split: found.rows for split, found in prepared.splits.items()}
    left_out = ", ".join(f"{count} {reason}" for reason, count in prepared.left_out.items() if count)
    kind = "evaluation" if isinstance(spec, EvaluationDataSpec) else "training"
    return [
        inputs.link(node, name),
        title,
        NOTHING if is_made_up or not contents else licence,
        "; ".join(dict.fromkeys(map(origin, contents))) or NOTHING,
        _rows(rows, kind),
        left_out or NOTHING,
    ]


def origin(content: Content) -> str:
    """Return where raw files or a model come from, in words."""
    if content.kind in made_up.MADE_UP:
        what = f"the miniature world {content.seed}" if content.kind == "miniature" else content.kind
        return f"{made_up.WORDS} here: {what}"
    if content.repository is not None:
        return f"{content.repository} at {content.revision}"
    number = len(content.files)
    return f"{content.kind}: {number} file{'' if number == 1 else 's'}"


def _rows(rows: Mapping[str, int], kind: str) -> str:
    """Return numbers of rows by split, the same ones of several languages together."""
    if kind == "training":
        return ", ".join(f"{split} {number:,}" for split, number in rows.items())
    by_number: dict[int, list[str]] = defaultdict(list)
    for language, number in rows.items():
        by_number[number].append(language)
    return ", ".join(
        f"{number:,} in each of {len(found)} languages" if len(found) > 1 else f"{found[0]} {number:,}"
        for number, found in by_number.items()
    )


def _models(inputs: Inputs) -> list[Row]:
    found = []
    nodes = {name: node for node, entry in inputs.plan.nodes.items() for name in entry.names}
    for name, card in inputs.plan.documentation.models.items():
        node = nodes.get(name, "")
        spec = inputs.plan.nodes[node].spec if node else None
        source = origin(spec.source) if isinstance(spec, ModelSpec) else "pretrained here"
        cells = [inputs.link(node, name) if node else name, card.licence or NOTHING, source, card.citation or NOTHING]
        found.append(Row(cells=cells, axes={"model": [name]}))
    return found


def methods(inputs: Inputs) -> Section | None:
    """Return every setting of the study's recipes, with its origin, and its mixtures."""
    settings = inputs.plan.documentation.settings
    tables = [_mixtures(inputs), *_prompts(inputs)]
    if settings:
        tables.insert(0, _settings(settings))
    found = [table for table in tables if table.rows]
    values = {
        "tables": found,
        "targets": inputs.plan.targets,
        "arms": len(inputs.evidence.arms),
        "seeds": len({cell.seed for cell in inputs.plan.cells}),
    }
    return Section(id="methods", title="Methods", values=values, template="methods.html") if found else None


def _settings(settings: Mapping[str, Sequence[Any]]) -> Grid:
    by_key: dict[str, dict[str, str]] = {}
    for recipe, found in settings.items():
        for setting in found:
            by_key.setdefault(setting.key, {})[recipe] = f"{_setting(setting.value)} ({setting.origin})"
    rows = [
        Row(cells=[key, *(by_recipe.get(recipe, NOTHING) for recipe in settings)]) for key, by_recipe in by_key.items()
    ]
    return Grid(
        id="settings",
        caption="Settings of the recipes",
        columns=columns(["setting", *settings]),
        rows=rows,
        about="In brackets where a value comes from: jiant, the code of Phang et al. 2020, which stands for the paper"
        " where that was not read to say anything; the scripts of XTREME and XTREME-R; the file of this study; or ours,"
        " the authors of this pipeline. docs/protocol.md has what each source says.",
    )


def _setting(value: Any) -> str:
    if value is None:
        return "by default"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return ", ".join(map(_setting, value))
    return f"{value:g}" if isinstance(value, float) else str(value)


def _prompts(inputs: Inputs) -> Iterator[Grid]:
    """Yield the table of prompts, where there are any."""
    if (shown := prompt_table.of_plan(inputs.plan)) is not None:
        header, cells = shown.cells
        rows = [Row(cells=[cell or NOTHING for cell in row], axes={"target": [row[0]]}) for row in cells]
        about = " ".join(
            [
                shown.caption[0].upper() + shown.caption[1:].replace("`", ""),
                *prompt_table.cut(inputs.plan, inputs.results),
            ]
        )
        yield Grid(id="prompts", caption="Prompts", columns=columns(header), rows=rows, about=about)


def _mixtures(inputs: Inputs) -> Grid:
    """Return the intermediate mixtures: tasks, how they are sampled, and learning rates by model."""
    plan = inputs.plan
    specs: dict[str, dict[str, IntermediateSpec]] = {}
    for cell in plan.cells:
        for training in trainings.behind(plan, cell.node):
            spec = plan.nodes[training.node].spec
            if isinstance(spec, IntermediateSpec):
                specs.setdefault(cell.mixture, {}).setdefault(f"{cell.model}, {cell.recipe}", spec)
    merged, rows = trainings.merged(plan), []
    for mixture, tasks in plan.mixtures.items():
        of_models = specs.get(mixture, {})
        if mixture == NONE or not of_models:
            continue
        if mixture in merged:
            how = merged[mixture].merging
            method = ", ".join(filter(None, [how.method, merging(how)]))
            cells = [mixture, ", ".join(tasks), f"merged of {len(how.factors)} models: {method}", NOTHING, NOTHING]
            rows.append(Row(cells=cells, axes={"mixture": [mixture]}))
            continue
        first = next(iter(of_models.values()))
        sampling = first.sampling
        capped = f", rows capped at {sampling.cap:,}" if sampling.cap else ""
        tempered = f", temperature {sampling.temperature:g}" if sampling.temperature != 1 else ""
        mixed = f", {sampling.tasks_per_step} batches a step" if sampling.tasks_per_step > 1 else ""
        scaled = ", losses by log classes" if sampling.loss_scale == LOG_CLASSES else ""
        steps = f"{sampling.steps:,} steps" if sampling.steps else "by epochs"
        rates = {name: inputs.learning_rate(spec) for name, spec in of_models.items()}
        same = len(set(rates.values())) == 1
        shown = rates[next(iter(rates))] if same else "; ".join(f"{name}: {rate}" for name, rate in rates.items())
        rows.append(
            Row(
                cells=[mixture, ", ".join(tasks), f"{sampling.kind}{capped}{tempered}{mixed}{scaled}", steps, shown],
                axes={"mixture": [mixture]},
            )
        )
    titles = ("mixture", "tasks", "sampling", "length", "learning rate")
    return Grid(id="mixtures", caption="Intermediate mixtures", columns=columns(titles), rows=rows)


def provenance(inputs: Inputs) -> Section:
    """Return with what the study was made: commit, versions, hardware, hashes; its arms, and its file."""
    found = list(inputs.provenance.values())
    metadata: dict[str, str] = {}
    if found:
        commits = Counter(one.commit or "outside a checkout" for one in found)
        metadata["commit"] = _counted(commits)
        metadata["made"] = f"{min(one.started for one in found)} to {max(one.started for one in found)}"
        metadata["machines"] = _counted(Counter(f"{one.host}, {one.platform}" for one in found))
        processors = Counter(one.processor for one in found if one.processor)
        if processors:
            metadata["processors"] = _counted(processors)
        gpus = Counter(one.gpu for one in found if one.gpu)
        metadata["GPUs"] = _counted(gpus) if gpus else "none used"
        metadata["Python"] = _counted(Counter(one.python for one in found))
        versions = {f"{name} {version}" for one in found for name, version in one.versions.items() if version}
        metadata["versions"] = ", ".join(sorted(versions))
    files = {name: inputs.folder / name for name in (study_plan.FILE, scores.FILE, few_shot.FILE, estimates.FILE)}
    hashes = {name: file_sha256(path) for name, path in files.items() if path.exists()}
    study = inputs.folder / STUDY_FILE
    values = {
        "metadata": metadata,
        "hashes": hashes,
        "folder": inputs.folder.relative_to(inputs.results).as_posix(),
        "tables": [arms.grid(inputs)],
        "study": study.read_text(encoding="utf-8") if study.exists() else "",
    }
    return Section(id="provenance", title="Provenance", values=values, template="provenance.html")


def _counted(counts: Counter[str]) -> str:
    """Return what there is, of several things with the number of nodes of each."""
    if len(counts) == 1:
        return next(iter(counts))
    return "; ".join(f"{name} ({number} nodes)" for name, number in counts.most_common())
