"""The page of all keys is that of the schemas."""

from xstilts.commands import reference

from tests.builders.projects import ROOT


def test_reference_page_is_in_step():
    assert (ROOT / "docs/configuration.md").read_text(encoding="utf-8") == reference.text(), "run: make reference"
