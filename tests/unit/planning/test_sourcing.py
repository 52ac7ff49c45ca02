"""Where data come from: what is in specs, and what a mirror lacks."""

import dataclasses

import pytest
import yaml
from xstilts.errors import UserError
from xstilts.planning import registry
from xstilts.planning.plan import make_plan
from xstilts.planning.sourcing import Indexes
from xstilts.planning.study import read_study

from tests.builders.plans import content_of, node_of, spec_text
from tests.builders.projects import STUDY, plan_of


def test_target_left_out_where_the_mirror_lacks_a_language(filled):
    (filled.folder / "xnli/test-de.tsv").unlink()
    assert "xnli: no data in de; evaluated in en" in filled.plan().notes
    with pytest.raises(UserError, match=r"targets\.xnli\.languages: the source 'mirror' has no 'de' for XNLI"):
        filled.plan(targets={"xnli": {"languages": ["en", "de"]}})


def test_training_file_not_in_the_mirror(filled):
    (filled.folder / "mnli/train.json").unlink()
    with pytest.raises(UserError, match=r"mnli \(training data\): .*mnli/train\.json: not in the mirror's index"):
        filled.plan()


def test_content_from_the_hub_is_a_repository_at_a_revision(raw):
    plan = raw.plan(source="download", targets={"xnli": None}, languages=["de"])
    node = node_of(plan, "data", "xnli.evaluation")
    (hub,) = [source for source in registry.load().tasks["xnli"].sources if source.kind == "hub"]
    assert node.spec.source == content_of(["de/test"], "hub", repository="facebook/xnli", revision=hub.revision)
    assert node.id not in plan.urls


def test_addresses_have_the_name_below_the_first_folder(raw):
    plan = raw.plan(source="download", targets={"masakhaner2@pcm": {"languages": ["sw"]}})
    (address,) = plan.urls[node_of(plan, "data", "masakhaner2.evaluation").id]["masakhaner2/swa/test.txt"]
    assert address.startswith("https://") and address.endswith("/main/MasakhaNER2.0/data/swa/test.txt")


def test_content_from_addresses_is_checksums(raw):
    study = {"source": "download", "targets": {"lareqa": None}, "languages": ["de"]}
    plan, entries = raw.plan(**study), registry.load()
    node = node_of(plan, "data", "lareqa.evaluation")
    assert node.spec.source == content_of({"lareqa/de.json": entries.checksums["lareqa/de.json"]})
    assert "://" not in spec_text(node.spec)
    first, _ = plan.urls[node.id]["lareqa/de.json"]
    assert first.startswith("https://") and first.endswith("/xquad-r/de.json")
    # another address is the same data; another checksum is not
    task = entries.tasks["lareqa"]
    elsewhere = dataclasses.replace(task.sources[0], urls=("https://example.org/{file}",))
    moved = dataclasses.replace(
        entries, tasks={**entries.tasks, "lareqa": dataclasses.replace(task, sources=(elsewhere,))}
    )
    changed = dataclasses.replace(entries, checksums={**entries.checksums, "lareqa/de.json": "0" * 64})
    plans = [
        make_plan(read_study(raw.place / "study.yaml", variant), variant, Indexes()) for variant in (moved, changed)
    ]
    assert plans[0].urls[node.id] == {"lareqa/de.json": ["https://example.org/lareqa/de.json"]}
    assert set(plans[0].nodes) == set(plan.nodes)
    assert node.id not in plans[1].nodes


def test_mirror_study_without_mirror(tmp_path):
    study = yaml.safe_load(STUDY.read_text())
    path = tmp_path / "study.yaml"
    path.write_text(yaml.safe_dump({**study, "source": "mirror"}))
    with pytest.raises(UserError, match="set `mirror` in config.yaml to a folder"):
        plan_of(path)
    with pytest.raises(UserError, match="mirror: no such folder"):
        plan_of(path, mirror=str(tmp_path / "nowhere"))
    with pytest.raises(UserError, match="has no index yet; run: xstilts index-mirror"):
        plan_of(path, mirror=str(tmp_path))


def test_model_of_the_miniature_needs_its_source(tmp_path):
    text = "description: d\nsource: tiny\nmodels: [mini-small]\nmixtures: {none: }\ntargets: {xnli: }\n"
    (tmp_path / "study.yaml").write_text(text)
    known = registry.load()
    with pytest.raises(UserError, match="mini-small is made from text in qab, qag, qad, qae, which the source 'tiny'"):
        make_plan(read_study(tmp_path / "study.yaml", known), known, Indexes())
