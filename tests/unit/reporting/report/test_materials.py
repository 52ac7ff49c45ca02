"""Where everything comes from: training rows that are test rows are counted."""

import json

import pandas as pd
import pyarrow
import pyarrow.parquet
from xstilts.reporting import prompt_table
from xstilts.reporting.report import materials
from xstilts.reporting.report.page import Inputs
from xstilts.store.manifest import LearningRatesResults

from tests.builders.plans import make, make_stages, node_of, plan_study, results_of, write_manifest

STUDY = {
    "description": "x", "source": "tiny", "models": ["tiny"], "recipes": {"r": {"target": {"max_length": 64}}},
    "mixtures": {"none": None}, "targets": {"xnli": None}, "languages": ["de"], "seeds": [1], "limits": {"dev_rows": 8},
}  # fmt: skip


def test_how_models_are_merged(tmp_path):
    """A merged arm has a row that says so in place of the sampling, steps and learning rate of its models."""
    merge = {"of": ["mnli", "commonsenseqa"], "method": "ties", "density": 0.5}
    plan = plan_study(tmp_path, {**STUDY, "mixtures": {"mnli": None, "merged": {"merge": merge}}}).study_plan
    section = materials.methods(Inputs(plan, tmp_path, tmp_path, pd.DataFrame(), pd.DataFrame()))
    assert section is not None
    rows = {row.cells[0]: row.cells for table in section.values["tables"] for row in table.rows}
    alone, merged = rows["mnli"], rows["merged"]
    assert alone[:2] == ["mnli", "mnli"] and alone[2].startswith("proportional")
    assert merged == [
        "merged",
        "mnli, commonsenseqa",
        "merged of 2 models: ties, density 0.5, scale 1",
        "\u2013",
        "\u2013",
    ]


def test_a_learning_rate_that_was_searched_is_shown(tmp_path):
    recipe = {"r": {"intermediate": {"learning_rate": [1e-3, 1e-2]}}}
    study = {**STUDY, "recipes": recipe, "mixtures": {"none": None, "mnli": None}}
    made = plan_study(tmp_path, study)
    plan, (search,) = made.study_plan, made.stage("learning_rates").values()

    def shown() -> str:
        section = materials.methods(Inputs(plan, tmp_path, tmp_path, pd.DataFrame(), pd.DataFrame()))
        assert section is not None
        (row,) = section.values["tables"][-1].rows
        return row.cells[-1]

    assert shown() == "searched"
    write_manifest(tmp_path, search, LearningRatesResults(trials=(), best=1e-2))
    assert shown() == "0.01, searched"


def test_the_wording_of_prompts_and_whose_it_is(tmp_path):
    asked = {"recipes": {"zero": {"prompting": {}}}, "targets": {"xnli": None, "xquad": None}}
    study = {**STUDY, "models": ["tiny_decoder"], **asked}
    plan = plan_study(tmp_path, study).study_plan
    section = materials.methods(Inputs(plan, tmp_path, tmp_path, pd.DataFrame(), pd.DataFrame()))
    assert section is not None
    (grid,) = (table for table in section.values["tables"] if table.id == "prompts")
    assert [row.cells for row in grid.rows] == [
        ["xnli", '""', '" {text_a}, right? {answer}, {text_b}"', "Yes, Also, No",
         "xnli_en of lm-evaluation-harness, in English for all languages"],
        ["xquad", '"Context: {context}\\n\\nQuestion: {question}\\n\\nAnswer:"', '" {answer}"', "–",
         "xquad_en of lm-evaluation-harness, in English for all languages"],
    ]  # fmt: skip
    assert prompt_table.of_plan(plan_study(tmp_path, STUDY).study_plan) is None


def test_prompts_that_were_cut_are_counted(tmp_path):
    """In tokens and predictions, and in a sentence of the report; an earlier version's record says nothing of it."""
    lengths = {"short": 40, "long": 500}
    recipes = {name: {"prompting": {"max_length": most, "max_answer_tokens": 2}} for name, most in lengths.items()}
    asked = {"models": ["tiny_decoder"], "recipes": recipes, "targets": {"xquad": None}, "languages": ["en", "de"]}
    made = plan_study(tmp_path, {**STUDY, **asked})
    plan, found = made.study_plan, {}
    for name in recipes:
        node = node_of(made, "predictions", f"tiny_decoder.{name}.none.xquad")
        make(made, node.id, tmp_path)
        splits = results_of(tmp_path, node.spec.parents["tokens"]).splits
        found[name] = {language: split.cut for language, split in splits.items()}
        assert {language: split.cut for language, split in results_of(tmp_path, node.id).splits.items()} == found[name]
        assert not list(tmp_path.glob(f"{node.spec.parents['tokens']}/*/cut.npy"))
    assert found["long"] == {"en": 0, "de": 0} and min(found["short"].values()) > 0
    (sentence,) = prompt_table.cut(plan, tmp_path)
    assert f"prompts of {sum(found['short'].values())} rows of xquad (tiny_decoder, short) in 2 languages; " in sentence

    def about() -> str:
        section = materials.methods(Inputs(plan, tmp_path, tmp_path, pd.DataFrame(), pd.DataFrame()))
        assert section is not None
        (grid,) = (table for table in section.values["tables"] if table.id == "prompts")
        return grid.about

    assert about().endswith(sentence)
    # as an earlier version left it
    record = tmp_path / node_of(made, "predictions", "tiny_decoder.short.none.xquad").id / "record.json"
    stated = json.loads(record.read_text())
    for split in stated["splits"].values():
        del split["cut"]
    record.write_text(json.dumps(stated))
    assert prompt_table.cut(plan, tmp_path) == [] and "cut" not in about()


def test_training_rows_with_the_texts_of_an_evaluation_row(tmp_path):
    plan = plan_study(tmp_path, STUDY)
    make_stages(plan, tmp_path, ("data", "prepared"))
    training, evaluation = (
        tmp_path / node_of(plan, "prepared", name).id for name in ("mnli.training", "xnli.evaluation")
    )
    inputs = Inputs(plan.study_plan, tmp_path, tmp_path, pd.DataFrame(), pd.DataFrame())

    def about() -> str:
        section = materials.data_sets(inputs)
        assert section is not None
        return section.values["tables"][0].about

    assert "texts of an evaluation row" not in about()
    rows = pyarrow.parquet.read_table(training / "train.parquet")
    scored = pyarrow.parquet.read_table(evaluation / "de.parquet")
    # another label and id, and one text of two: the first three rows are equal, the fourth is not
    other = rows.slice(3, 1).set_column(rows.column_names.index("text_b"), "text_b", pyarrow.array(["Other."]))
    pyarrow.parquet.write_table(pyarrow.concat_tables([scored, rows.slice(0, 3), other]), evaluation / "de.parquet")
    assert "Training rows with exactly the texts of an evaluation row: 3 of mnli.training. " in about()


def test_mixtures_say_how_their_steps_are_made(tmp_path):
    tasks = ["mnli", "squad_v1"]
    mixed = {"tasks": tasks, "tasks_per_step": 4, "loss_scale": "log_classes", "steps": 5}
    recipe = {"r": {"intermediate": {"max_length": 64}, "target": {"max_length": 64}}}
    plan = plan_study(tmp_path, {**STUDY, "recipes": recipe, "mixtures": {"none": None, "one": tasks, "mixed": mixed}})
    inputs = Inputs(plan.study_plan, tmp_path, tmp_path, pd.DataFrame(), pd.DataFrame())
    rows = {row.cells[0]: row.cells[2:4] for row in materials._mixtures(inputs).rows}
    assert rows == {
        "one": ["proportional", "by epochs"],
        "mixed": ["proportional, 4 batches a step, losses by log classes", "5 steps"],
    }
