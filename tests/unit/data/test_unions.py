"""Unions of training sets, and the control with shuffled labels."""

from collections import Counter
from dataclasses import replace

import pyarrow
import pyarrow.parquet
import pytest
from xstilts.data.prepare import prepare, unite
from xstilts.errors import UserError

from tests.builders.mirrors import ids
from tests.builders.plans import make, matrix_with, node_of, results_of
from tests.builders.projects import plan_of

LABELS = ["entailment", "neutral", "contradiction"]


@pytest.fixture
def union(raw):
    """What unites nine rows of MNLI with three rounds of ANLI of four rows each: ``union(limits, **changes)``."""
    rows = {str(at): {"text_a": f"a {at}", "text_b": "b", "label": LABELS[at % 3]} for at in range(9)}
    raw.put("mnli/train.json", rows)
    for number in (1, 2, 3):
        lines = [f"same,round {number} text {at},b,{'enc'[at % 3]}" for at in range(4)]
        text = "\n".join(["uid,context,statement,gold_label", *lines]) + "\n"
        raw.put(f"anli/ANLI_analysis_r{number}_dev.csv", text)
    raw.made_up("xquad/xquad.en.json")

    def make(limits, **changes):
        study = {"mixtures": {"m": ["anli_plus"]}, "targets": {"lm_loss": None}, "languages": ["en"], "limits": limits}
        node = raw.node("anli_plus.training", **study)
        members, facts_of = {}, {}
        for member in node.spec.members:
            parts, facts_of[member] = prepare(raw.node(f"{member}.training", **study).spec, raw.folder, ())
            facts_of[member] = replace(facts_of[member], **changes.get(member, {}))
            members[member] = raw.place / "prepared" / member
            members[member].mkdir(parents=True, exist_ok=True)
            for part, table in parts.items():
                pyarrow.parquet.write_table(table, members[member] / f"{part}.parquet")
        spec = replace(node.spec, **changes.get("spec", {}))
        parts, stated = unite(spec, members, facts_of)
        return {part: table.to_pylist() for part, table in parts.items()}, stated

    return make


def test_union_has_the_rows_of_all_members_under_their_names(union):
    parts, stated = union({"dev_rows": 2})
    # of each member two rows go to dev; the dev rows of both are limited to two again
    assert Counter(row["example_id"].partition(".")[0] for row in parts["train"]) == {"mnli": 7, "anli": 10}
    assert len(parts["dev"]) == 2
    every = parts["train"] + parts["dev"]
    assert len({row["example_id"] for row in every}) == len(every)
    # the uid of ANLI's rows repeats and gets a number within its data set
    assert {"anli.same", "anli.same#2"} <= {*ids(parts["train"]), *ids(parts["dev"]), "anli.same", "anli.same#2"}
    assert all(row["cluster_id"].partition(".")[0] == row["example_id"].partition(".")[0] for row in every)
    assert stated.splits["train"].rows == stated.available == 17
    assert sum(stated.splits["train"].labels.values()) == 17
    assert list(stated.splits["train"].labels) == LABELS
    for row in every:
        member, text = row["example_id"].partition(".")[0], row["text_a"].split()
        expected = int(text[1]) % 3 if member == "mnli" else [0, 1, 2][int(text[3]) % 3]
        assert row["label"] == expected


def test_union_within_its_limits(union):
    parts, stated = union({"dev_rows": 2, "train_rows": 5})
    # each member gives five rows, of which five are taken
    assert (len(parts["train"]), stated.available, len(parts["dev"])) == (5, 10, 2)
    with pytest.raises(UserError, match="anli_plus: no train rows are left"):
        union({"dev_rows": 2}, spec={"train_rows": 0})


@pytest.mark.parametrize("mnli_is_a_sample", [False, True])
def test_union_is_a_sample_where_a_member_is(union, mnli_is_a_sample):
    sample = {"mnli": {"sample": mnli_is_a_sample}, "anli": {"sample": False}}
    _, stated = union({"dev_rows": 4}, **sample)
    assert stated.sample is mnli_is_a_sample


def test_what_members_leave_out_is_added_up(union):
    left_out = {"mnli": {"left_out": {"no gold label": 3}}, "anli": {"left_out": {"no gold label": 4, "other": 1}}}
    assert union({"dev_rows": 2}, **left_out)[1].left_out == {"no gold label": 7, "other": 1}


def test_shuffling_moves_labels_between_training_rows_alone(tmp_path):
    plan = plan_of(matrix_with(tmp_path, mixtures={"control": [{"task": "mnli", "shuffled_labels": True}]}))
    source, shuffled = (node_of(plan, "prepared", f"mnli.{name}") for name in ("training", "shuffled"))
    folder = make(plan, source.id, tmp_path / "results")
    tables, _ = unite(shuffled.spec, {"mnli": folder}, {"mnli": results_of(tmp_path / "results", source.id)})
    for split in ("train", "dev"):
        before = pyarrow.parquet.read_table(folder / f"{split}.parquet").to_pylist()
        after = tables[split].to_pylist()
        assert [row["text_b"] for row in after] == [row["text_b"] for row in before]
        labels = [[row["label"] for row in rows] for rows in (before, after)]
        assert sorted(labels[0]) == sorted(labels[1])
        assert (labels[0] == labels[1]) is (split == "dev")
