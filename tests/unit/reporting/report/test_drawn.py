"""Figures within a page, by hand: ids, references, looks and coordinates."""

from xstilts.reporting.report.drawn import embedded
from xstilts.store.figures import FIGURES

NAME = "gain_matrix"
# before all names that the figure has of its own
F = f"f{list(FIGURES).index(NAME)}"


def drawn(inside):
    """Return what is within the element of a figure, behind its rules."""
    found = embedded(f'<?xml version="1.0"?>\n<!DOCTYPE svg>\n<svg width="9pt">{inside}</svg>', NAME)
    return found[found.index("</style>") + len("</style>") : found.index("</svg>")]


def test_element():
    found = embedded('<?xml version="1.0"?>\n<svg width="9pt"><metadata>by x\n</metadata><g/></svg>\n', NAME)
    assert found.startswith('<svg role="img" aria-label="gain matrix" width="9pt"><style>')
    assert "metadata" not in found and "by x" not in found and found.count("<svg") == 1


def test_ids_are_numbered_in_the_order_in_which_they_are_used():
    of_two = '<path id="dot"/><clipPath id="box"/><use xlink:href="#dot"/><g clip-path="url(#box)"/><use href="#dot"/>'
    assert drawn(of_two) == (
        f'<path id="{F}-0"/><clipPath id="{F}-1"/><use xlink:href="#{F}-0"/><g clip-path="url(#{F}-1)"/>'
        f'<use href="#{F}-0"/>'
    )


def test_other_figures_have_other_ids():
    svg = '<svg><path id="dot" style="fill: red"/><use href="#dot"/></svg>'
    pages = [embedded(svg, name) for name in FIGURES]
    ids = [page.split(' id="')[1].split('"')[0] for page in pages]
    looks = [page.split(' class="')[1].split('"')[0] for page in pages]
    assert len(set(ids)) == len(set(looks)) == len(FIGURES)


def test_ids_that_nothing_refers_to_are_left_out():
    assert drawn('<g id="axes_1"><path id="patch_2" x="1"/></g>') == '<g><path x="1"/></g>'


def test_equal_looks_are_written_once():
    shape = '<svg><path style="fill: red"/><path style="fill: blue"/><path style="fill: red"/></svg>'
    found = embedded(shape, NAME)
    assert f"<style>.{F}c0{{fill: red}}.{F}c1{{fill: blue}}</style>" in found and "style=" not in found
    assert found.endswith(f'<path class="{F}c0"/><path class="{F}c1"/><path class="{F}c0"/></svg>')


def test_a_reference_within_a_look():
    found = embedded('<svg><pattern id="h"/><path style="fill: url(#h)"/></svg>', NAME)
    assert f'<pattern id="{F}-0"/>' in found and f".{F}c0{{fill: url(#{F}-0)}}" in found


def test_coordinates_have_two_decimals():
    inside = '<path d="M 1.23456 20.5 L -3.999 4"/><use x="7.125" y="8"/><g width="1.2345" transform="scale(0.0625)"/>'
    assert drawn(inside) == (
        '<path d="M 1.23 20.5 L -3.99 4"/><use x="7.12" y="8"/><g width="1.2345" transform="scale(0.0625)"/>'
    )
