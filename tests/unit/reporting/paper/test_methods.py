"""Methods: every sentence is of the study, and none that another study contradicts."""

import pytest
from xstilts.planning import registry
from xstilts.reporting.paper import methods, statistics
from xstilts.reporting.paper.prose import in_markdown
from xstilts.reporting.paper.works import Works, of_plan
from xstilts.store.documentation import Registered

from tests.builders.estimates import CONTRAST, LARGE, ONE_RUN, UNDECIDED, estimates
from tests.builders.papers import trainings_of
from tests.builders.study_plans import study_plan

# vectors of one position
CLS = {"bitext": {"layer": -5, "pooling": "cls"}}


def said(folder, found=None, **study):
    trainings = trainings_of(folder, **study)
    sentences = methods.sentences(trainings, estimates() if found is None else found, of_plan(trainings.plan))
    return in_markdown(sentences)


def test_a_study_of_two_phases(tmp_path):
    text = said(
        tmp_path,
        mixtures={"none": None, "mnli": None, "two": {"tasks": ["mnli", "qqp"], "cap": 500, "temperature": 2}},
        targets={"xnli": None, "pawsx": None},
        languages=["en", "de"],
        seeds=[1, 2],
    )
    assert (
        "Each model is fine-tuned on a mixture of intermediate tasks (the intermediate phase), then on the training"
        in text
    )
    assert "The baseline `none` has no intermediate phase." in text
    assert (
        "`multilingual-e5-small` [@wang2024multilingual] has published weights (intfloat/multilingual-e5-small at"
        in text
    )
    assert "117,653,760 parameters." in text
    assert "Intermediate tasks: MNLI [@williams2018broad] and QQP [@iyer2017first; @wang2019glue]." in text
    assert "Mixtures of several tasks: `two` has 2 (mnli, qqp)." in text
    assert "in proportion to its training rows, of which at most 500 count, to the power of 1 / 2." in text
    assert "Both phases use AdamW [@loshchilov2019decoupled] (beta2 0.999, epsilon 1e-8)" in text
    assert "XNLI [@conneau2018xnli] by accuracy, trained on MNLI [@williams2018broad]; PAWS-X (`pawsx`)" in text
    assert "Evaluation is in German (de) and English (en)." in text
    assert "Every training is run 2 times (seeds 1, 2)" in text
    assert "The last step of the intermediate phase is kept." in text
    assert "made-up" not in text and "Control languages" not in text


def test_a_study_without_an_intermediate_phase(tmp_path):
    text = said(tmp_path, targets={"xnli": None}, languages=["de"])
    assert "Each model is fine-tuned on the training data of each target." in text
    assert "intermediate" not in text and "baseline" not in text and "Mixtures" not in text
    assert "Trainings use AdamW" in text and "Every training is run once (seed 1)" in text


def test_a_study_in_which_nothing_is_trained(tmp_path):
    text = said(tmp_path, targets={"tatoeba": None}, languages=["de"])
    assert "Not trained on data of their own: `tatoeba`." in text and "has published weights" in text
    assert "fine-tuned" not in text and "AdamW" not in text and "Training data of targets" not in text


def test_stages_of_a_target(tmp_path):
    text = said(tmp_path, targets={"xcopa": None}, languages=["et"])
    assert "trained on SocialIQA (`siqa`) [@sap2019social], then COPA [@roemmele2011choice]" in text


def test_vectors_by_layer_and_mining(tmp_path):
    text = said(tmp_path, source="miniature", models=["mini-micro"], targets={"bucc": None}, recipes={"r": CLS})
    assert "Vectors of texts are the position that stands for a text of hidden state -5 (0 is the embeddings" in text
    assert "Translations are mined by the ratio margin of vectors [@artetxe2019margin]." in text


def test_vectors_by_depth(tmp_path):
    text = said(tmp_path, targets={"tatoeba": None}, languages=["de"])
    assert "Vectors of texts are the mean over positions of the hidden state at 58.3 % of the depth." in text
    assert "mined" not in text


def test_the_encoder_alone(tmp_path):
    folder = {"mt5-base": {"model.safetensors": {"sha256": "0" * 64}}}
    text = said(tmp_path, folders=folder, models=["mt5-base-encoder"], targets={"xnli": None}, languages=["de"])
    assert "has published weights, 277,040,256 parameters, of which the encoder alone is used." in text


def test_attention_both_ways(tmp_path):
    recipes = {"own": {}, "both": {"attention": "bidirectional"}}
    study = {"models": ["qwen3-4b-base"], "targets": {"xnli": None}, "languages": ["de"]}
    text = said(tmp_path, recipes=recipes, **study)
    assert "Positions see all others, and the vector of a text is their mean, in `qwen3-4b-base` by `both`." in text
    assert "Positions see" not in said(tmp_path, **study)


def test_unmerged_adapters(tmp_path):
    method = {"name": "lora", "earlier_adapter": "unmerged"}
    study = {"targets": {"xnli": None}, "languages": ["de"], "mixtures": {"none": None, "qqp": None}}
    recipes = {name: {"intermediate": {"method": method}, "target": {"method": method}} for name in ("beside", "into")}
    recipes["into"]["target"]["method"] = {"name": "lora"}
    sentence = "LoRA adapters of earlier trainings stay beside the weights, frozen, in "
    assert f"{sentence}`multilingual-e5-small` by `beside`." in said(tmp_path, recipes=recipes, **study)
    assert sentence not in said(tmp_path, recipes=recipes, **{**study, "mixtures": {"none": None}})


def test_quantised_weights(tmp_path):
    method = {"name": "lora", "earlier_adapter": "unmerged"}
    phase = {"method": method, "precision": "bfloat16", "quantised": "nf4"}
    study = {"targets": {"xnli": None}, "languages": ["de"], "models": ["qwen3-4b-base"]}
    text = said(tmp_path, recipes={"qlora": {"intermediate": phase, "target": phase}}, **study)
    assert (
        "Linear layers below the adapters have weights in 4-bit NormalFloat with double quantisation"
        " [@dettmers2023qlora], in `qwen3-4b-base` by `qlora`." in text
    )
    assert "NormalFloat" not in said(tmp_path, **study)


def test_targets_with_and_without_training(tmp_path):
    text = said(tmp_path, mixtures=["none", "mnli"], targets={"xnli": None, "tatoeba": None}, languages=["de"])
    assert "then on the training data of each target that is trained (the target phase)" in text


def test_merged_models(tmp_path):
    two = {"tasks": ["mnli", "qqp"], "steps": 40}
    ties = {"of": ["two", "cosmosqa"], "method": "ties", "factors": {"two": 2}}
    soup = {"of": ["mnli", "cosmosqa"], "method": "linear"}
    text = said(
        tmp_path, mixtures={"two": two, "merged": {"merge": ties}, "soup": {"merge": soup}},
        targets={"xnli": None}, languages=["de"],
    )  # fmt: skip
    assert (
        "The model of `merged` is not trained: those of the trainings on mnli, qqp and cosmosqa are merged by TIES"
        " [@yadav2023ties] (density 0.2, scale 1, factors 2 and 1)." in text
    )
    assert "on mnli and cosmosqa are merged by the mean of their weights [@wortsman2022model]." in text
    assert "Mixtures of several tasks: `two` has 2 (mnli, qqp); `merged` has 3 (mnli, qqp, cosmosqa)" in text


def test_equal_sampling_rates_and_steps(tmp_path):
    mixture = {"tasks": ["mnli", {"task": "qqp", "rate": 0.5}], "sampling": "equal", "steps": 40}
    text = said(tmp_path, mixtures={"none": None, "two": mixture}, targets={"xnli": None}, languages=["de"])
    assert (
        "with the same probability as each other task, times the rates qqp 0.5 (1 for the others), for 40 steps."
        in text
    )


def test_steps_of_several_tasks_and_scaled_losses(tmp_path):
    mixture = {"tasks": ["mnli", "qqp"], "tasks_per_step": 4, "loss_scale": "log_classes"}
    text = said(
        tmp_path, mixtures={"none": None, "one": ["mnli", "qqp"], "four": mixture}, targets={"xnli": None},
        languages=["de"],
    )  # fmt: skip
    assert "In `one` a step's examples are of one task, which is drawn in proportion to its training rows." in text
    assert (
        "In `four` a step has 4 batches, each of one task, which is drawn in proportion to its training rows." in text
    )
    assert (
        "In `four` the loss of a task is divided by the logarithm of the number of classes among which its head chooses"
        " [@aghajanyan2021muppet]." in text
    )


def test_shuffled_labels_and_several_languages(tmp_path):
    text = said(
        tmp_path,
        mixtures={
            "none": None,
            "shuffled": {"tasks": [{"task": "mnli", "shuffled_labels": True}]},
            "translated": {"tasks": [{"task": "mnli", "languages": ["de", "fr"]}]},
        },
        targets={"pawsx": None},
        languages=["de"],
    )
    assert "In `shuffled` the labels of mnli are shuffled among its rows." in text
    assert "In `translated` mnli is in German (de) and French (fr)." in text


def test_recipes_that_differ_are_in_no_sentence_of_all(tmp_path):
    lora = {"method": {"name": "lora", "rank": 4}, "adam_beta2": 0.98, "keep": "last"}
    text = said(
        tmp_path,
        recipes={"whole": {}, "low": {"target": lora}},
        mixtures=["none", "mnli"],
        targets={"xnli": None},
        languages=["de"],
    )
    assert "beta2 0.999 or 0.98" in text
    assert "All weights are trained where the table of settings says so." in text
    assert "lora (rank 4, alpha" in text and "[@hu2022lora] where the table of settings says so." in text
    # one recipe keeps the best step, the other one the last
    assert "Of the target phase" not in text and "The last step of the target phase" not in text


def test_searched_learning_rates(tmp_path):
    grid = {"target": {"learning_rate": [1e-5, 3e-5]}}
    text = said(tmp_path, recipes={"grid": grid}, targets={"xnli": None}, languages=["de"])
    assert "Learning rates were searched by the score on dev rows; 1e-5 were the best." in text
    halving = {"grid": {**grid, "grid_budget": 0.3}}
    text = said(tmp_path, recipes=halving, targets={"xnli": None}, languages=["de"])
    assert "by successive halving [@jamieson2016nonstochastic] within 0.3 of a training's steps; 1e-5 were" in text


def test_few_shots(tmp_path):
    asked = {"recipes": {"quick": {"few_shot": {"epochs": 7}}}, "targets": {"xnli": None}, "languages": ["en", "de"]}
    text = said(tmp_path, **asked, shots=[0, 2, 8, 64])
    assert (
        "the models of `xnli` are trained further on 2, 8 and 64 rows of a language" in text
        and "for 7 epochs; the last step" in text
    )
    assert "few-shot" not in said(tmp_path, **asked)


def test_a_world_is_said_to_be_made_up(tmp_path):
    text = said(tmp_path, source="miniature", models=["mini-micro"], mixtures=["none", "mnli"], targets={"xnli": None})
    assert text.startswith("The world of this study is synthetic")
    assert "of published data sets, of which none was used." in text
    assert "a masked language model of XLM-R's architecture [@conneau2020unsupervised] (1 layer, hidden size 32" in text
    assert "pretrained here for 100 steps of 32 instances; its tokenizer is made from text [@kudo2018subword]." in text
    assert "Betan (qab)" in text


def statistics_of(*rows, **changes):
    tools = {
        name: Registered(title=tool["title"], bibtex=tuple(tool["bibtex"]))
        for name, tool in registry.load().tools.items()
    }
    return in_markdown(statistics.sentences(study_plan(**changes), estimates(*rows), Works(tools=tools)))


@pytest.mark.parametrize(
    ("row", "there", "missing"),
    [
        ({}, ["over runs and test examples", "Satterthwaite", "two one-sided tests"], ["one run", "worlds"]),
        (ONE_RUN, ["a range over 95 %", "there is no verdict"], ["Satterthwaite", "two one-sided", "pooled"]),
        ({"interval": "worlds", "worlds": 5}, ["t intervals over the means of worlds"], ["bootstrap", "Satterthwaite"]),
    ],
    ids=["runs", "one run", "worlds"],
)
def test_intervals_are_those_of_the_rows(row, there, missing):
    text = statistics_of(row, row | LARGE)
    assert [words for words in there if words not in text] == []
    assert [words for words in missing if words in text.partition("Every training")[2].partition(". ")[2]] == []


def test_primary_comparisons_are_named_and_corrected():
    contrast = {**CONTRAST, "name": "gain", "a": "nine", "b": "none", "primary": True, "target": "xnli"}
    text = statistics_of({}, {**UNDECIDED, **contrast}, LARGE | {"primary": False})
    assert "Primary comparisons (2): nine minus best single, mini, small; nine minus none, mini-small, xnli;" in text
    assert "their p values are corrected for each other [@holm1979simple]. All others are exploratory." in text


def test_rows_of_single_worlds_and_without_collapsed_runs_are_counted_once():
    text = statistics_of({}, {"runs_used": "without collapsed"}, {"world": 3, "interval": "examples only"})
    assert "Primary comparison (1)" in text and "a range over" not in text


def test_one_primary_comparison_is_not_corrected():
    assert "Primary comparison (1): nine minus best single, mini, small. All" in statistics_of({})


def test_without_a_primary_comparison_all_are_exploratory():
    text = statistics_of({"primary": False})
    assert "No comparison is primary: all are exploratory" in text and "holm" not in text


def test_nothing_is_said_of_intervals_where_nothing_is_compared():
    assert statistics_of().startswith("Every training") or statistics_of() == ""
    assert "interval" not in statistics_of()
