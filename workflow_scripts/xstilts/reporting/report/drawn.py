"""Figures within a page: the SVG of a file made short, with names of its own."""

import re

from markupsafe import Markup

from xstilts.store.figures import FIGURES

_ID = re.compile(r' id="([^"]*)"')
_REFERENCE = re.compile(r'(href="#|url\(#)([^")]+)')
_LOOK = re.compile(r'\bstyle="([^"]*)"')


def embedded(svg: str, name: str) -> Markup:
    """Return the SVG element of a file as part of a page: short, without the file's declaration, with ids of its own.

    Coordinates, in points, have two decimals; ids that nothing refers to are left out, and looks are written once.

    Args:
        svg: the text of the file.
        name: of the figure.

    Raises:
        ValueError: if there is no such element, from its beginning to its end.
    """
    element = svg[svg.index("<svg") : svg.rindex("</svg>") + len("</svg>")]
    element = re.sub(r"<metadata>.*?</metadata>", "", element, flags=re.S)
    element = re.sub(r'\b(?:d|x|y)="[^"]*"', lambda match: re.sub(r"(\.\d\d)\d+", r"\1", match[0]), element)
    element = re.sub(r"\s*\n\s*", "\n", element)
    # a page has every figure once, so its number makes names that no other figure has
    prefix = f"f{list(FIGURES).index(name)}"
    element = _with_classes(_with_ids(element, prefix), prefix)
    label = name.replace("_", " ")
    return Markup(element.replace("<svg ", f'<svg role="img" aria-label="{label}" ', 1))


def _with_ids(element: str, prefix: str) -> str:
    """Return an element whose ids are numbers behind the prefix; those that nothing refers to are left out."""
    used = dict.fromkeys(name for _, name in _REFERENCE.findall(element))
    ids = {name: f"{prefix}-{index}" for index, name in enumerate(used)}
    element = _ID.sub(lambda match: f' id="{ids[match[1]]}"' if match[1] in ids else "", element)
    return _REFERENCE.sub(lambda match: f"{match[1]}{ids[match[2]]}", element)


def _with_classes(element: str, prefix: str) -> str:
    """Return an element with classes in place of looks; a rule for each stands at its beginning."""
    looks = {look: f"{prefix}c{index}" for index, look in enumerate(dict.fromkeys(_LOOK.findall(element)))}
    element = _LOOK.sub(lambda match: f'class="{looks[match[1]]}"', element)
    rules = "".join(f".{name}{{{look}}}" for look, name in looks.items())
    end = element.index(">") + 1
    return f"{element[:end]}<style>{rules}</style>{element[end:]}"
