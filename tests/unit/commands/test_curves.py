"""The command that prints how trainings went."""

import pytest
from xstilts import commands
from xstilts.store import metrics

from tests.builders.metrics_lines import line
from tests.builders.plans import matrix_with, named
from tests.builders.projects import plan_of

MERGED = {"merge": {"of": ["mnli", "squad_v1"], "method": "linear"}}
NAMES = {"mnli": "tiny.quick.mnli.s1", "squad_v1": "tiny.quick.squad_v1.s1", "merged": "tiny.quick.merged.s1"}


@pytest.fixture
def trained(tmp_path, monkeypatch):
    """The intermediate trainings of a study with a merge, and a function that leaves metrics of some of them."""
    monkeypatch.chdir(tmp_path)
    study = matrix_with(tmp_path, mixtures={"none": None, "mnli": None, "merged": MERGED})
    (tmp_path / "config.yaml").write_text(f"study: {study.name}\n")
    nodes = named(plan_of(study), "intermediate")

    def leave(*mixtures):
        for mixture in mixtures:
            path = metrics.path_of(tmp_path / "results", nodes[NAMES[mixture]].id)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(metrics.text(line(10)) + metrics.text(line(20)))

    return leave


def shown(capsys, *arguments):
    """Return the names of the trainings that are printed."""
    assert commands.main(["curves", *arguments]) == 0
    return [row.split()[0] for row in capsys.readouterr().out.splitlines()[1:]]


def test_a_merge_has_the_curves_of_the_trainings_that_it_is_merged_from(trained, capsys):
    trained("mnli", "squad_v1")
    assert shown(capsys, NAMES["merged"]) == [NAMES["mnli"], NAMES["squad_v1"]]
    assert shown(capsys, NAMES["mnli"]) == [NAMES["mnli"]]
    # each once where no training is named
    assert sorted(shown(capsys)) == [NAMES["mnli"], NAMES["squad_v1"]]


def test_without_metrics_it_says_so_in_one_line(trained, caplog):
    assert commands.main(["curves", NAMES["merged"]]) == 2
    assert caplog.text.count("\n") == 1 and f"{NAMES['merged']}: no training has left metrics" in caplog.text
    trained("squad_v1")
    assert commands.main(["curves", NAMES["merged"]]) == 0
