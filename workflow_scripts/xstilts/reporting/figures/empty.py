"""Figures without data: their files exist, because a rule promises them, and say so; readers do not get them."""

from pathlib import Path

from xstilts.errors import reading

# the id of the drawing in an SVG file
ID = "without-data"


def svg_with_data(path: Path) -> str | None:
    """Return the text of a figure's SVG file; None where the figure has no data.

    Raises:
        UserError: if it cannot be read.
    """
    with reading(path, "delete it and run again"):
        svg = path.read_text(encoding="utf-8")
    return None if f'<g id="{ID}">' in svg else svg
