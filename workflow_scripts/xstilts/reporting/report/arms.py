"""The table of arms: of each arm the manifests of its predictions."""

from collections.abc import Mapping

from markupsafe import Markup

from xstilts.reporting import sources
from xstilts.reporting.layout import NOTHING
from xstilts.reporting.report.page import Column, Grid, Inputs, Row, columns
from xstilts.reporting.sources import Link
from xstilts.store.manifest import path_of


def grid(inputs: Inputs) -> Grid:
    """Return the table of arms, which leads from each arm and target to the manifests of its predictions."""
    links = sources.of_arms(inputs.plan)
    rows = []
    for number, (name, arm) in enumerate(inputs.evidence.arms.items(), 1):
        by_target = [_manifests(inputs, links[name], target) for target in inputs.plan.targets]
        axes = {"model": [arm.model], "mixture": [arm.mixture]}
        cells = [str(number), arm.mixture, arm.model, arm.recipe, *by_target]
        rows.append(Row(cells=cells, id=f"arm-{number}", axes=axes))
    of_targets = [Column(title=target, axis="target") for target in inputs.plan.targets]
    return Grid(
        id="arms",
        caption="Arms, and the manifests of their predictions by run",
        about="A manifest states the spec that decided the predictions, and leads to the model, the tokens and the data"
        " behind them. Where nothing is trained all runs are one.",
        columns=[*columns(("arm", "mixture", "model", "recipe")), *of_targets],
        rows=rows,
    )


def _manifests(inputs: Inputs, links: Mapping[str, tuple[Link, ...]], target: str) -> str:
    found = [
        Markup('<a href="{}">{}</a>').format(link.path, link.run)
        for link in links.get(target, ())
        if path_of(inputs.folder, link.path).parent.exists()
    ]
    return Markup(" ").join(found) if found else NOTHING
