"""What no job can do is refused when a study is planned: inputs longer than a model reads."""

from dataclasses import replace

import pytest
from xstilts.errors import UserError
from xstilts.planning import feasibility, registry

from tests.builders.plans import plan_study

STUDY = {
    "description": "x",
    "source": "miniature",
    "models": ["mini-micro"],
    "recipes": {"r": {"target": {"max_length": 128}, "bitext": {"max_length": 128}}},
    "targets": {"xnli": None, "tatoeba": None, "lareqa": None},
    "languages": ["en", "qab"],
}


def check(folder, entries=None, **recipe):
    content = {
        **STUDY,
        "recipes": {"r": {key: STUDY["recipes"]["r"].get(key, {}) | more for key, more in recipe.items()}},
    }
    entries = entries or registry.load()
    feasibility.check(plan_study(folder, content, entries=entries), entries, "s.yaml")


def test_a_model_that_is_made_here_reads_two_tokens_less_than_it_has_positions(tmp_path):
    """RoBERTa's positions begin behind that of the padding token."""
    check(tmp_path, target={}, bitext={})
    with pytest.raises(UserError, match=r"s\.yaml: recipes: max_length 129 for \w+\.\w+: mini-micro reads 128 tokens"):
        check(tmp_path, target={"max_length": 129}, bitext={})
    with pytest.raises(UserError, match=r"max_length 129 for tatoeba\.evaluation: mini-micro reads 128 tokens"):
        check(tmp_path, target={}, bitext={"max_length": 129})
    with pytest.raises(UserError, match=r"max_query_length 200 for \w+\.\w+: mini-micro reads 128 tokens"):
        check(tmp_path, target={"retrieval": {"max_query_length": 200}}, bitext={})


def test_a_model_of_which_nothing_is_known_is_left_to_its_job(tmp_path):
    entries = registry.load()
    unknown = replace(entries, models=entries.models | {"tiny": entries.models["tiny"] | {"shape": None}})
    for known in (entries, unknown):
        content = {**STUDY, "source": "tiny", "models": ["tiny"], "languages": ["en", "de"], "targets": {"xnli": None}}
        plan = plan_study(tmp_path, content | {"recipes": {"r": {}}}, entries=known)
        if known is unknown:
            feasibility.check(plan, known, "s.yaml")
        else:
            with pytest.raises(UserError, match="max_length 256 for .* tiny reads 254 tokens"):
                feasibility.check(plan, known, "s.yaml")
