"""Options of one figure: what of a study's ``figures:`` it depends on. Their JSON is a parameter of the figure's job.

Every start of Snakemake reads this module, so it imports no library that draws.
"""

import json
import textwrap
from dataclasses import dataclass, field

from pydantic import TypeAdapter, ValidationError

from xstilts.errors import UserError
from xstilts.store.figures import DIVERGING, FIGURES
from xstilts.store.files import canonical
from xstilts.store.study_plan import FigureLabels, FigureOptions

# widths in inches of a column and of a page of a paper, as those of ACL have them
WIDTHS = {"column": 3.3, "page": 6.9}
# characters of a line of a label: what a panel of a column has room for beside its data
_LABEL = 18


@dataclass(frozen=True)
class Options:
    """Options of one figure.

    Attributes:
        width: in inches.
        palette: a diverging colour map for gains and losses; empty for a figure without one.
        labels: what is called otherwise than by its name.
    """

    width: float = WIDTHS["page"]
    palette: str = ""
    labels: FigureLabels = field(default_factory=FigureLabels)

    def model(self, name: str) -> str:
        """Return the label of a model, in short lines."""
        return in_short_lines(self.labels.models.get(name, name))

    def mixture(self, name: str) -> str:
        """Return the label of a mixture, in short lines."""
        return in_short_lines(self.labels.mixtures.get(name, name))

    def target(self, name: str) -> str:
        """Return the label of a target, in short lines."""
        return in_short_lines(self.labels.targets.get(name, name))

    def language(self, code: str) -> str:
        """Return the label of a language."""
        return self.labels.languages.get(code, code)


def in_short_lines(label: str) -> str:
    """Return a label whose lines are short, with line breaks in it."""
    return textwrap.fill(label, _LABEL)


def names(figures: FigureOptions) -> list[str]:
    """Return the names of the figures that a study makes."""
    return [name for name in FIGURES if figures.only is None or name in figures.only]


def of_figure(figures: FigureOptions, name: str) -> Options:
    """Return the options of one figure of a study."""
    width = figures.widths.get(name, figures.width)
    return Options(
        width=WIDTHS[width] if isinstance(width, str) else width,
        palette=figures.palette if name in DIVERGING else "",
        labels=figures.labels,
    )


_adapter = TypeAdapter(Options)


def as_text(options: Options) -> str:
    """Return options as canonical JSON, without those that are empty."""
    content = _adapter.dump_python(options, mode="json")
    content["labels"] = {kind: labels for kind, labels in content["labels"].items() if labels}
    return canonical({key: value for key, value in content.items() if value})


def from_text(text: str) -> Options:
    """Return the options that a JSON text has.

    Raises:
        UserError: if it has none.
    """
    try:
        return _adapter.validate_python(json.loads(text))
    except (ValueError, ValidationError) as error:
        raise UserError(f"--options: not the options of a figure: {str(error).splitlines()[0]}") from None
