"""The report: one HTML file that needs nothing beside it, with all that a reader wants to see, check and sort.

A section is a function of ``Inputs`` that returns a ``Section``, or None where there is nothing to say; its template
has the section's name. The order of the page is that of ``SECTIONS``.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

import jinja2
from markupsafe import Markup

from xstilts.evaluation import estimates, scores
from xstilts.reporting import paragraph, wording
from xstilts.reporting.figures import options
from xstilts.reporting.outputs import PARAGRAPH, REPORT
from xstilts.reporting.report import examples, findings, limits, materials, training
from xstilts.reporting.report.page import AXES, Grid, Inputs, Section
from xstilts.reporting.wording import Sentence
from xstilts.store.files import write_atomically
from xstilts.store.study_plan import StudyPlan

_TEMPLATES = Path(__file__).parent / "templates"
# a part of the first paragraph has at least so many words, but for the last one
_WORDS = 50
# figures that stand above all sections or in one of them; all others have one of their own
_IN_SECTION = {
    "headline": "head",
    "gains_by_language": "by-language",
    "learning_curves": "training",
}


def _figures(inputs: Inputs) -> Section | None:
    names = [name for name in options.names(inputs.plan.figures) if name not in _IN_SECTION]
    return Section(id="figures", title="Figures", values={}) if _drawn(inputs, names) else None


def _drawn(inputs: Inputs, names: Sequence[str]) -> dict[str, Markup]:
    """Return the figures that there are, by name."""
    found = {name: inputs.figure(name) for name in names}
    return {name: svg for name, svg in found.items() if svg}


SECTIONS: tuple[Callable[[Inputs], Section | None], ...] = (
    findings.claims,
    findings.results,
    _figures,
    findings.by_language,
    findings.analyses,
    examples.examples,
    training.training,
    training.cost,
    materials.data_sets,
    materials.methods,
    materials.provenance,
    limits.limits,
)


def write(plan: StudyPlan, results: Path, folder: Path) -> None:
    """Write the report of a study, and its first paragraph as text, into the folder of its outputs.

    Args:
        plan: the study's plan.
        results: the results folder.
        folder: the study's outputs: scores, estimates, tables, figures and analyses.
    """
    inputs = Inputs(plan, results, folder, scores.read(folder / scores.FILE), estimates.read(folder / estimates.FILE))
    write_atomically(folder / REPORT, html(inputs))
    write_atomically(folder / PARAGRAPH, paragraph.text(plan, inputs.estimates) + "\n")


def html(inputs: Inputs) -> str:
    """Return the page."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_TEMPLATES), autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    plan = inputs.plan
    sections = [section for make in SECTIONS if (section := make(inputs)) is not None]
    names: dict[str, list[str]] = {}
    for name in options.names(plan.figures):
        names.setdefault(_IN_SECTION.get(name, "figures"), []).append(name)
    return environment.get_template("page.html").render(
        plan=plan,
        notice=paragraph.notice(plan),
        features=materials.features(inputs),
        paragraphs=[wording.in_html(part) for part in _parts(paragraph.sentences(plan, inputs.estimates))],
        headline=_drawn(inputs, names.get("head", ())),
        sections=sections,
        figures_of={section.id: _drawn(inputs, names.get(section.id, ())) for section in sections},
        choices=_choices(inputs, [grid for section in sections for grid in section.values.get("tables", ())]),
        style=_texts("*.css"),
        script=_texts("*.js"),
    )


def _parts(sentences: Sequence[Sentence]) -> list[list[Sentence]]:
    """Return the sentences of the first paragraph as several, each of which a reader sees at a glance."""
    parts: list[list[Sentence]] = []
    for sentence in sentences:
        if not parts or len(wording.text(parts[-1]).split()) >= _WORDS:
            parts.append([])
        parts[-1].append(sentence)
    return parts


def _texts(pattern: str) -> Markup:
    """Return the texts of the files beside the templates, one after the other."""
    return Markup("\n").join(Markup(path.read_text(encoding="utf-8")) for path in sorted(_TEMPLATES.glob(pattern)))


def _choices(inputs: Inputs, grids: Sequence[Grid]) -> dict[str, list[str]]:
    """Return what can be chosen on each axis on which the page has more than one value."""
    there = {axis: [str(value) for value in inputs.scores[axis].unique()] for axis in AXES}
    filtered = {axis for grid in grids for row in grid.rows for axis in row.axes}
    filtered |= {column.axis for grid in grids for column in grid.columns}
    return {axis: values for axis, values in there.items() if len(values) > 1 and axis in filtered}
