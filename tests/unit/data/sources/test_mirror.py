"""The mirror source: files that are missing or changed."""

import pytest
from xstilts.commands import main
from xstilts.data.sources import Place, mirror
from xstilts.errors import UserError

from tests.builders.plans import node_of, spec_text


def test_missing_and_changed_mirror_file(filled, tmp_path):
    node = node_of(filled.plan(), "data", "xnli.evaluation")
    filled.edit("xnli/test-de.tsv", lambda text: text.replace("neutral", "entailment", 1))
    with pytest.raises(UserError, match=r"test-de\.tsv: changed since it was indexed: SHA-256 .*index-mirror"):
        mirror.fetch_data(node.spec.source, tmp_path / "out", Place(filled.folder, True))
    (filled.folder / "xnli/test-de.tsv").unlink()
    with pytest.raises(UserError, match=r"test-de\.tsv: missing, though the index names it"):
        mirror.fetch_data(node.spec.source, tmp_path / "out", Place(filled.folder, True))


def test_failed_fetch_leaves_nothing(filled, tmp_path, capsys):
    node = node_of(filled.plan(), "data", "xnli.evaluation")
    filled.edit("xnli/test-de.tsv", lambda text: text + "x")
    output = tmp_path / "results" / node.id / "manifest.json"
    spec = spec_text(node.spec)
    assert main(["fetch", "--spec", spec, "--output", str(output), "--folder", str(filled.folder)]) == 2
    left = {path for path in (tmp_path / "results").rglob("*") if ".locks" not in path.parts}
    assert left == {tmp_path / "results/data"}
