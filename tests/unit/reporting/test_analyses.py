"""The analyses of a study, made and written together."""

from xstilts.evaluation import scores, worlds
from xstilts.evaluation.analyses import language_features
from xstilts.reporting import analyses
from xstilts.reporting.outputs import ANALYSES

from tests.builders.compared import study


def test_what_others_are_made_from_is_made_once(tmp_path, monkeypatch):
    made = []
    collect = language_features.collect
    monkeypatch.setattr(language_features, "collect", lambda *given: made.append(collect(*given)) or made[-1])
    found = study(tmp_path, {("s", "none"): [50, 52], ("s", "nine"): [58, 60]})
    plan = found.plan()
    analyses.write(plan, tmp_path, tmp_path, worlds.collect(plan, tmp_path), scores.collect(plan, tmp_path))
    assert len(made) == 1
    read = {name: analyses.read(tmp_path, name) for name in ANALYSES}
    assert read["language_features"]["language"].tolist() == ["en", "de"]
    assert not read["language_regression"].empty
