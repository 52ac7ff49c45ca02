"""The sections of what was found: claims, scores and differences, analyses, and scores by language."""

import re
from collections.abc import Callable, Mapping
from typing import Any

import pandas as pd
from markupsafe import Markup, escape

from xstilts.evaluation import few_shot, worlds
from xstilts.evaluation.comparisons import POINTS, SCALES
from xstilts.evaluation.table import Column, Table, records
from xstilts.forms import metric_named
from xstilts.reporting import analyses as analysis_files
from xstilts.reporting import claims as claim_table
from xstilts.reporting import few_shot_table, tables, verdict_tables, wording
from xstilts.reporting.layout import NOTHING, Cells, Shown
from xstilts.reporting.outputs import ANALYSES
from xstilts.reporting.report.page import AXES, Grid, Inputs, Row, Section, arranged, columns
from xstilts.store.answer import INTERACTION
from xstilts.store.study_plan import StudyPlan

# columns of analyses: differences, scores, and the ends of the intervals or ranges of either
_DIFFERENCES, _SCORES, _ENDS = ("estimate", "gain"), ("score", "baseline", "chance"), ("low", "high")
# an analysis of more rows is for a figure, and its file
_LARGEST = 300
# columns of tables of claims and of estimates, those first that a narrow screen has room for
_OF_CLAIMS = ("claim", "verdict", "model", "in words", "found", "needs", "*", "reported (unverified)")
_OF_ESTIMATES = ("row", "contrast", "family", "size", "difference", "95 % interval", "verdict", "*", "runs", "n")


def claims(inputs: Inputs) -> Section | None:
    """Return the claims, each with the comparisons that are its evidence."""
    if not inputs.plan.claims:
        return None
    found = claim_table.rows(inputs.plan, inputs.estimates)
    (header, rows), said = arranged(claim_table.cells(found, wording.in_html), _OF_CLAIMS, ("recipe",))
    judged = [
        Row(cells=[claim_table.named(cells[0]), *cells[1:]], axes={"model": [row.model]} if row.model else {})
        for row, cells in zip(found, rows, strict=True)
    ]
    tables_of_section = [
        Grid(
            id="claims-judged", caption="Claims and what this study says of them", columns=columns(header),
            rows=judged, about=f"{claim_table.VERDICTS} {said}".strip(), file="tables/claims.csv",
        ),
        _compared(
            inputs, "claims-compared", "What the claims compare", verdict_tables.claim_rows(inputs.estimates),
            "One side minus the other, all else equal, in points unless named; how to read intervals and verdicts"
            " stands under Results. All is exploratory.",
        ),
    ]  # fmt: skip
    return Section(id="claims", title="Claims", values={"tables": [grid for grid in tables_of_section if grid.rows]})


def results(inputs: Inputs) -> Section:
    """Return the tables of scores and of differences."""
    plan, estimates = inputs.plan, inputs.estimates
    shown = tables.of_scores(inputs.scores, estimates, plan)
    primary = verdict_tables.LEGEND
    found = [
        _main(inputs, shown["main"]),
        _compared(
            inputs, "answer", "Several tasks against a single one", verdict_tables.answer_rows(estimates),
            "The mixture of several tasks minus the single one, by family and size of the model, in points unless"
            " named.",
            note=primary, file="tables/answer.csv",
        ),
        _compared(
            inputs, "contrasts", "Contrasts", verdict_tables.contrast_rows(estimates),
            "One side minus the other, all else equal, on the study's outcome, in points unless named. Expected is what"
            f" the study file says. {verdict_tables.expectations(estimates)}",
            note=primary, file="tables/contrasts.csv",
        ),
        _compared(
            inputs, "gains", "Gains over none", verdict_tables.gain_rows(estimates),
            "Each mixture minus none, where the study asks for it by no other name. All is exploratory.",
        ),
        *([_worlds(inputs)] if "worlds" in plan.tables else []),
        *([_benchmark(inputs, shown["benchmark"])] if plan.benchmark else []),
        *([_few_shot(inputs)] if plan.few_shot else []),
        *([_distance(inputs)] if "distance" in plan.tables else []),
    ]  # fmt: skip
    values = {"tables": [grid for grid in found if grid.rows], "intro": _intro(plan)}
    return Section(id="results", title="Results", values=values)


def _intro(plan: StudyPlan) -> str:
    """Return what holds for all tables of scores and differences."""
    means = f"All scores of this page are means over {len(plan.worlds)} worlds. " if plan.worlds else ""
    return (
        f"{means}Differences: {verdict_tables.intervals(plan)} The first number of a row is that of its row in"
        " estimates.parquet, which has p, standard errors and all digits; on the right stand the arms behind it."
    )


def by_language(inputs: Inputs) -> Section:
    """Return the table of scores by language."""
    shown = tables.by_language(inputs.scores, inputs.plan)
    header, rows = shown.cells
    languages = header[5:]
    grid = _scores(
        shown,
        "scores-by-language",
        "Scores by language",
        rows,
        dict.fromkeys(languages, "language"),
        "tables/by_language.csv",
    )
    return Section(id="by-language", title="By language", values={"tables": [grid]})


def analyses(inputs: Inputs) -> Section | None:
    """Return the tables of the study's analyses."""
    grids, long = [], []
    for name in ANALYSES:
        frame = analysis_files.read(inputs.folder, name)
        if len(frame) > _LARGEST:
            long.append(Markup('<a href="analyses/{0}.parquet">{0}</a> ({1} rows)').format(name, len(frame)))
        elif len(frame):
            grids.append(_analysis(inputs, name, frame))
    if not grids and not long:
        return None
    intro = Markup(
        "Differences here are exploratory, and their verdicts not corrected, but where a difference is primary. Where a"
        " row is of arms, they stand at its right."
    )
    if long:
        intro += Markup(" Too long for a page: {}.").format(Markup(", ").join(long))
    return Section(id="analyses", title="Analyses", values={"tables": grids, "intro": intro})


def _analysis(inputs: Inputs, name: str, frame: pd.DataFrame) -> Grid:
    """Return the table of an analysis; each row leads to its row of estimates, its arms or its node."""
    table: Table = analysis_files.module_of(name).TABLE
    words = name.replace("_", " ").capitalize()
    shown = [column for column in table.columns if column.name in frame and frame[column.name].notna().any()]
    axes = [axis for axis in AXES if axis in {column.name for column in shown}]
    linked: Mapping[str, Callable[[str], str]] = {
        "row": inputs.evidence.row,
        "node": lambda node: inputs.link(node, node),
    }
    behind = [inputs.evidence.of_analysis(row) for row in records(frame)]
    rows = []
    for row, arms in zip(records(frame), behind, strict=True):
        cells = [linked.get(column.name, str)(_value(row, column)) for column in shown]
        rows.append(
            Row(
                cells=[*cells, arms or NOTHING] if any(behind) else cells,
                axes={axis: [str(row[axis])] for axis in axes if row[axis]},
            )
        )
    titles = [column.name.replace("_", " ") for column in shown]
    return Grid(
        id=f"analysis-{name}",
        caption=words,
        columns=columns([*titles, "arms"] if any(behind) else titles),
        rows=rows,
        meanings={title: _in_code(column.meaning) for title, column in zip(titles, shown, strict=True)},
        file=f"analyses/{name}.parquet",
    )


def _in_code(text: str) -> Markup:
    """Return a text in which what stands between backticks is code."""
    return Markup(re.sub("`(.*?)`", r"<code>\1</code>", str(escape(text))))


def _value(row: Mapping[str, Any], column: Column) -> str:
    """Return a value of a row of an analysis as a cell.

    Integers are whole, scores and differences have the digits of all other tables, other numbers four digits.
    """
    value = row[column.name]
    if value is None or value == "" or (isinstance(value, float) and pd.isna(value)):
        return NOTHING
    if isinstance(value, bool):
        return "yes" if value else "no"
    if column.type == "integer":
        return f"{value:.0f}"
    if not isinstance(value, float):
        return str(value)
    shown, scale = column.name, _scale(row)
    if scale and shown in (*_DIFFERENCES, *_SCORES, *_ENDS):
        is_score = shown in _SCORES or (shown in _ENDS and not any(name in row for name in _DIFFERENCES))
        return wording.number(value, scale).removeprefix("+" if is_score else "")
    return f"{value:.4g}"


def _scale(row: Mapping[str, Any]) -> str:
    """Return the scale of the scores and differences of a row of an analysis; empty where it has none."""
    if "scale" in row:
        return str(row["scale"])
    if "score" not in row:
        return ""
    return SCALES[metric_named(row["metric"]).unit] if "metric" in row else POINTS


def _main(inputs: Inputs, shown: Shown) -> Grid:
    """Return the main table; each gain leads to its row of the table of estimates."""
    header, rows = shown.cells
    targets = [name for name in header[3:] if name in inputs.plan.targets]
    numbers: dict[tuple[str, ...], int] = {
        (row["model"], row["recipe"], row["mixture"], row["target"]): row["row"]
        for row in records(shown.frame)
        if pd.notna(row["row"])
    }
    linked = []
    for cells in rows:
        of_arm = tuple(cells[:3])
        gains = [_linked(cell, numbers.get((*of_arm, name))) for name, cell in zip(header[3:], cells[3:], strict=True)]
        linked.append([*of_arm, *gains])
    about = f"{shown.caption} Labelled data of a mixture in another language is not left out."
    grid_of = Shown(shown.frame, (header, linked), about, shown.legend)
    return _scores(grid_of, "main", "Zero-shot scores", linked, dict.fromkeys(targets, "target"), "tables/main.csv")


def _linked(cell: str, number: int | None) -> str:
    """Return a cell in which what stands in brackets, a gain, is a link to its row of the table of estimates."""
    match = re.fullmatch(r"(.*)(\(.*\))(.*)", cell)
    if number is None or match is None:
        return cell
    before, gain, after = match.groups()
    return Markup('{}<a href="#estimate-{}">{}</a>{}').format(before, number, gain, after)


def _scores(shown: Shown, name: str, caption: str, rows: list[list[str]], axes: Mapping[str, str], file: str) -> Grid:
    """Return a table of scores: the mixture first, without columns of what all rows have in common.

    Args:
        shown: the table as text.
        name: its id.
        caption: what it is.
        rows: its rows; they may have links.
        axes: the axis of the columns that are a value of one.
        file: the file with the same numbers.
    """
    header, _ = shown.cells
    places = {axis: header.index(axis) for axis in ("model", "mixture", "target") if axis in header}
    order = ("mixture", "target", "model", "recipe", "split")
    (titles, cells), said = arranged((header, rows), order, ("model", "recipe", "split"))
    found = [
        Row(cells=row, axes={axis: [before[place]] for axis, place in places.items()})
        for row, before in zip(cells, rows, strict=True)
    ]
    return Grid(
        id=name, caption=caption, columns=columns(titles, axes), rows=found,
        about=f"{_sentence(shown.caption)} {said}".strip(), note=shown.legend, file=file,
    )  # fmt: skip


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]


def _compared(
    inputs: Inputs, name: str, caption: str, cells: Cells, about: str, note: str = "", file: str = ""
) -> Grid:
    """Return a table of estimates; each row has an id, and links to the arms behind it.

    Args:
        inputs: of the page.
        name: id of the table.
        caption: what it is.
        cells: header and rows, of which the first cell is the row's number.
        about: what the cells are.
        note: what marks mean.
        file: the file with the same numbers.
    """
    evidence = inputs.evidence
    (header, rows), said = arranged(cells, _OF_ESTIMATES, ("recipe", "equal"))
    found = [
        Row(
            cells=[*row, evidence.links(int(row[0]))],
            id=f"estimate-{row[0]}",
            axes=evidence.axes(int(row[0])),
        )
        for row in rows
    ]
    has_primary = inputs.estimates["primary"].any()
    return Grid(
        id=name, caption=caption, columns=columns([*header, "arms"]), rows=found, about=f"{about} {said}".strip(),
        note=note if has_primary else "", file=file,
    )  # fmt: skip


def _worlds(inputs: Inputs) -> Grid:
    frame = worlds.agreement(inputs.estimates)
    header, rows = verdict_tables.world_rows(frame)
    return Grid(
        id="worlds", caption="Worlds", columns=columns(header), rows=[Row(cells=row) for row in rows],
        about=f"Differences over the {len(inputs.plan.worlds)} worlds of the study, each with its own data, pretrained"
        " models and runs: the mean, its t interval (95 %) and the standard deviation between worlds, which hold all"
        " that is random. Then how many worlds, as studies of their own, would have said what; and of how many pairs of"
        f" worlds the verdicts are alike or opposite. {verdict_tables.agreement(frame)}",
        note=verdict_tables.LEGEND, file="tables/worlds.csv",
    )  # fmt: skip


def _benchmark(inputs: Inputs, shown: Shown) -> Grid:
    assert inputs.plan.benchmark is not None
    header, rows = shown.cells
    titles = [title or "missing" for title in header]
    said = Shown(
        shown.frame, (titles, rows),
        f"{shown.caption} A benchmark's score needs all its tasks in all its languages; what is missing is counted on"
        " the right. Gap: English minus the other languages.",
        shown.legend,
    )  # fmt: skip
    axes = dict.fromkeys([name for name in titles if name in inputs.plan.benchmark.tasks], "target")
    return _scores(said, "benchmark", inputs.plan.benchmark.title, rows, axes, "tables/benchmark.csv")


def _few_shot(inputs: Inputs) -> Grid:
    scores = few_shot.read(inputs.folder / few_shot.FILE)
    shown = few_shot_table.of_study(scores, inputs.estimates, inputs.plan)
    _, rows = shown.cells
    return _scores(shown, "few-shot", "After a few rows of each language", rows, {}, "tables/few_shot.csv")


def _distance(inputs: Inputs) -> Grid:
    found = pd.read_csv(inputs.folder / "tables/distance.csv")
    cells = tables.distance_rows(found)
    (header, rows), said = arranged(cells, shared=("recipe",))
    return Grid(
        id="distance", caption="Distance of a language", columns=columns(header),
        rows=[
            Row(cells=row, axes={"model": [before[0]], "target": [before[2]]})
            for row, before in zip(rows, cells[1], strict=True)
        ],
        about="Whether scores fall with the declared distance of a language: Spearman's rank correlation without an"
        " intermediate phase; p is the share of all orders of the languages in which scores fall as steeply."
        f" {said}".rstrip(), file="tables/distance.csv",
    )  # fmt: skip


def undecided(inputs: Inputs) -> list[Markup]:
    """Return a sentence for each primary comparison that the study leaves open, with a link to its row."""
    rows = inputs.estimates[inputs.estimates["primary"]]
    found = []
    for row in records(rows[rows["world"].isna()]):
        if row["verdict"] not in ("", "undecided"):
            continue
        size = "large − small" if row["kind"] == INTERACTION else row["size"]
        where = ", ".join(filter(None, (row["family"], size, row["model"], row["target"])))
        why = wording.decidable(row) if row["verdict"] else "without a verdict"
        sides = f"{row['name']}, {row['a']} − {row['b']} ({where})"
        found.append(Markup('<a href="#estimate-{}">{}</a>: {}.').format(row["row"], sides, escape(why)))
    return found
