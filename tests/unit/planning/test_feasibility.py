"""What no job can do is refused when a study is planned: long inputs, attention both ways, heads that are not there."""

import shutil
from dataclasses import replace

import pytest
import transformers
from xstilts.errors import UserError
from xstilts.models.description import describe
from xstilts.planning import feasibility, index, registry
from xstilts.planning.sourcing import Indexes

from tests.builders.architectures import write_architecture
from tests.builders.pins import pin, write_pins
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
    feasibility.check(plan_study(folder, content, entries=entries), entries, Indexes(), "s.yaml")


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
            feasibility.check(plan, known, Indexes(), "s.yaml")
        else:
            with pytest.raises(UserError, match="max_length 256 for .* tiny reads 254 tokens"):
                feasibility.check(plan, known, Indexes(), "s.yaml")


@pytest.mark.parametrize("family", ["xlm-r", "bert", "modernbert"])
def test_a_model_folder_without_a_language_model_head(tmp_path, families, family):
    """The index says so by the names of the weights; its models cannot do what needs this head."""
    folder = tmp_path / "model"
    shutil.copytree(families[family], folder)
    name, entries = "multilingual-e5-small", registry.load()
    study = {
        "description": "x", "source": "tiny", "models": [name], "recipes": {"r": {"target": {"max_length": 64}}},
        "targets": {"lm_loss": None}, "languages": ["de"], "mixtures": {"none": None}, "seeds": [1],
    }  # fmt: skip
    whole = {name: index.index_model(folder)}
    feasibility.check(plan_study(tmp_path, study, models=whole), entries, Indexes(None, whole), "s.yaml")
    transformers.AutoModel.from_pretrained(folder).save_pretrained(folder)
    without = {name: index.index_model(folder)}
    plan = plan_study(tmp_path, study, models=without)
    message = rf"s\.yaml: {name}\.r\.none\.lm_loss needs the language-model head of {name}, and its weights have none"
    with pytest.raises(UserError, match=message):
        feasibility.check(plan, entries, Indexes(None, without), "s.yaml")
    # what does not need it runs
    plan = plan_study(tmp_path, study | {"targets": {"xquad": None}}, models=without)
    feasibility.check(plan, entries, Indexes(None, without), "s.yaml")


def test_an_index_of_a_family_whose_heads_are_not_told_apart_by_names(families):
    for family in ("mt5", "qwen"):
        assert index.index_model(families[family])["config.json"]["language_model_head"] is None


def test_the_encoder_of_an_encoder_decoder_model_has_no_language_model_head(tmp_path):
    models = {"mt5-base": {"config.json": {"sha256": "0" * 64}}}
    study = {
        "description": "x", "source": "tiny", "models": ["mt5-base-encoder"], "targets": {"lm_loss": None},
        "languages": ["de"], "mixtures": {"none": None}, "seeds": [1],
    }  # fmt: skip
    plan = plan_study(tmp_path, study, models=models)
    with pytest.raises(UserError, match="the language-model head of mt5-base, and the encoder alone has none"):
        feasibility.check(plan, registry.load(), Indexes(None, models), "s.yaml")


def asks(**more):
    """Return a study of a decoder whose positions see all others, but for some keys."""
    return {
        "description": "x", "source": "tiny", "languages": ["en", "de"], "models": ["qwen3-4b-base"],
        "recipes": {"r": {"attention": "bidirectional"}}, "mixtures": {"none": None}, "targets": {"xnli": None}, **more,
    }  # fmt: skip


def test_attention_both_ways_is_for_decoders(tmp_path):
    entries = registry.load()
    feasibility.check(plan_study(tmp_path, asks(), entries=entries), entries, Indexes(), "s.yaml")
    for name, kind in (("xlm-roberta-base", "xlm-roberta"), ("eurobert-210m", "eurobert")):
        plan = plan_study(tmp_path, asks(models=["qwen3-4b-base", name]), entries=entries)
        with pytest.raises(
            UserError, match=rf"models\.{name}: the recipe r: attention: .* model of type {kind}; give it another"
        ):
            feasibility.check(plan, entries, Indexes(), "s.yaml")
        recipes = {"r": {"attention": "bidirectional"}, "own": {}}
        models = {"qwen3-4b-base": {"recipes": ["r"]}, name: {"recipes": ["own"]}}
        plan = plan_study(tmp_path, asks(models=models, recipes=recipes), entries=entries)
        feasibility.check(plan, entries, Indexes(), "s.yaml")


def test_attention_both_ways_in_the_decoder_of_a_pinned_model_for_images_and_text(tmp_path):
    write_architecture("gemma3", tmp_path)
    write_pins(tmp_path / "study.yaml", **{"doe/gemma": pin(**vars(describe(tmp_path, "doe/gemma")))})
    recipes = {"r": {"attention": "bidirectional", "target": {"max_length": 128}}}
    plan = plan_study(tmp_path, asks(models=["doe/gemma"], recipes=recipes))
    feasibility.check(plan, registry.load(), Indexes(), "s.yaml")


@pytest.mark.parametrize(
    "more",
    [
        {"mixtures": ["none", "text"]},
        {"targets": {"lm_loss": None}},
        {"targets": {"tatoeba": {"trained_on": ["text"]}}},
    ],
)
def test_attention_both_ways_sees_what_a_language_model_predicts(tmp_path, more):
    entries = registry.load()
    plan = plan_study(tmp_path, asks(**more), entries=entries)
    with pytest.raises(UserError, match=r"sees the tokens that it has to predict in (text|lm_loss); leave one out"):
        feasibility.check(plan, entries, Indexes(), "s.yaml")


def test_attention_is_in_every_spec_that_reads_the_model(tmp_path):
    """And leaves the others where they are, as its neutral value does all."""
    targets = {"xnli": None, "tatoeba": None}
    plans = {
        value: plan_study(tmp_path, asks(targets=targets, mixtures=["mnli"], recipes={"r": {"attention": value}}))
        for value in ("bidirectional", None)
    }
    without = plan_study(tmp_path, asks(targets=targets, mixtures=["mnli"], recipes={"r": {}}))
    assert set(plans[None].nodes) == set(without.nodes)
    reading = {"intermediate", "targets", "predictions", "embeddings"}
    for stage in reading:
        assert {node.spec.numerics.attention for node in plans["bidirectional"].stage(stage).values()} == {
            "bidirectional"
        }
    stayed = {node.stage for name, node in without.nodes.items() if name in plans["bidirectional"].nodes}
    assert stayed and not stayed & reading


@pytest.mark.parametrize(
    ("batches", "overrides", "message"),
    [
        (4, {}, None),
        (3, {}, r"tiny\.r\.mixed\.s1: `tasks_per_step` is 3, and the batch size of mnli, 16, is no multiple of it"),
        (8, {"span": {"batch_size": 4}}, "the batch size of squad_v1, 4, is no multiple of it; change one of the two"),
        (16, {}, "the batch size of squad_retrieval, 16, leaves one example a batch"),
    ],
)
def test_batches_of_a_step_have_one_size(tmp_path, batches, overrides, message):
    entries = registry.load()
    study = {
        "description": "x", "source": "tiny", "models": ["tiny"], "languages": ["en", "de"], "targets": {"xnli": None},
        "recipes": {"r": {"intermediate": {"batch_size": 16, "max_length": 48, "overrides": overrides},
                          "target": {"max_length": 48}}},
        "mixtures": {"mixed": {"tasks": ["mnli", "squad_v1", "squad_retrieval"], "tasks_per_step": batches}},
    }  # fmt: skip
    plan = plan_study(tmp_path, study, entries=entries)
    if message is None:
        feasibility.check(plan, entries, Indexes(), "s.yaml")
        return
    with pytest.raises(UserError, match=message):
        feasibility.check(plan, entries, Indexes(), "s.yaml")
