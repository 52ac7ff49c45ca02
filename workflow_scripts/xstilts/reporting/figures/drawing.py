"""Draws one figure of a study and writes it as PDF, SVG and PNG, in equal bytes for equal input."""

import importlib
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import matplotlib
from matplotlib.figure import Figure

from xstilts.errors import UserError, suggestion
from xstilts.reporting.figures import style
from xstilts.reporting.figures.inputs import FigureInputs
from xstilts.reporting.outputs import FIGURE_FORMATS
from xstilts.store.figures import FIGURES
from xstilts.store.files import written_whole

# no dates
_METADATA: Mapping[str, dict[str, Any]] = {
    "pdf": {"CreationDate": None, "ModDate": None},
    "svg": {"Date": None},
    "png": {},
}


def write(name: str, inputs: FigureInputs, folder: Path) -> None:
    """Write a figure in every format into a folder.

    Args:
        name: of the figure.
        inputs: what it is made from.
        folder: where to.

    Raises:
        UserError: if there is no figure of that name.
    """
    module = _module(name)
    with matplotlib.rc_context(style.SETTINGS):
        figure = draw(module, inputs)
        for suffix in FIGURE_FORMATS:
            with written_whole(folder / f"{name}.{suffix}") as partial:
                figure.savefig(partial, format=suffix, metadata=_METADATA[suffix])


def draw(module: ModuleType, inputs: FigureInputs) -> Figure:
    """Return the figure of a module; where it has no data, one that says so."""
    frame = module.frame(inputs)
    if frame.empty:
        return style.sentence(module.NOTHING, inputs.options)
    figure: Figure = module.draw(frame, inputs.plan, inputs.options)
    return figure


def _module(name: str) -> ModuleType:
    if name not in FIGURES:
        raise UserError(f"figure {name!r}: there is none of that name; {suggestion(name, FIGURES)}")
    return importlib.import_module(f"xstilts.reporting.figures.{FIGURES[name]}")
