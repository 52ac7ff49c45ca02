"""The examples that changed, from files of predictions and texts to the page."""

import dataclasses
import json
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path

import jinja2
import pandas as pd
import pytest
from xstilts.errors import UserError
from xstilts.evaluation import changed_examples
from xstilts.evaluation.changed_examples import LIMIT, Changes
from xstilts.reporting.report import examples
from xstilts.reporting.report.example_texts import Answer, Segment, Text
from xstilts.reporting.report.page import Inputs

from tests.builders.changed import changed_study
from tests.builders.compared import answer

ARABIC = "<b>القاهرة</b>"


def labels(right):
    """Return predictions of two examples, each right or not."""
    prediction = ["yes" if one else "no" for one in right]
    return {"correct": [float(one) for one in right], "prediction": prediction, "gold": ["yes", "yes"]}


def runs(*of_runs):
    return [{"ar": labels(one)} for one in of_runs]


SAID = {
    "nine": runs((1, 0), (1, 0), (0, 1)),
    "none": runs((0, 1), (0, 1)),
    "mnli": runs((1, 0)),
}
ROWS = {"ar": [{"text_a": ARABIC, "text_b": None, "label": 0}, {"text_a": "ثان", "text_b": None, "label": 0}]}


@pytest.fixture
def study(tmp_path):
    return changed_study(tmp_path, "classification", SAID, ROWS)


def html(study, folder):
    """Return the section as the page has it."""
    section = examples.examples(Inputs(study, folder, folder, pd.DataFrame(), pd.DataFrame()))
    loader = jinja2.FileSystemLoader(Path(examples.__file__).parent / "templates")
    environment = jinja2.Environment(loader=loader, autoescape=True, trim_blocks=True, lstrip_blocks=True)
    return environment.get_template("examples.html").render(values=section.values)


def test_examples_by_hand(study, tmp_path):
    against_none, against_single = examples.collect(study, tmp_path).pairs
    assert (against_none.shared, against_none.first, against_none.second) == ("s", "nine", "none")
    (target,) = against_none.targets
    assert [(one.language, one.examples, one.gained_number, one.lost_number) for one in target.languages] == [
        ("ar", 2, 1, 1)
    ]
    (gained,), (lost,) = target.gained, target.lost
    assert (gained.id, lost.id) == ("0", "1")
    assert gained.texts == [Text("text a", "ar", (Segment(ARABIC),))] and gained.gold == [Answer(note="yes")]
    # the most common prediction of the runs that make the majority
    assert (gained.first.answers, gained.first.right, gained.first.runs) == ([Answer(note="yes")], 2, 3)
    assert (gained.second.answers, gained.second.right, gained.second.runs) == ([Answer(note="no")], 0, 2)
    assert against_single.second == "mnli" and against_single.targets[0].gained == []


def test_a_side_that_is_wrong_shows_a_wrong_prediction(tmp_path):
    """Two wrong runs say different things, and the first one is right."""
    said = {
        "nine": runs((1, 1)),
        "none": [
            {"ar": {"correct": [1.0, 1.0], "prediction": ["yes", "yes"], "gold": ["yes", "yes"]}},
            {"ar": {"correct": [0.0, 1.0], "prediction": ["no", "yes"], "gold": ["yes", "yes"]}},
            {"ar": {"correct": [0.0, 1.0], "prediction": ["maybe", "yes"], "gold": ["yes", "yes"]}},
        ],
    }
    (pair,) = examples.collect(changed_study(tmp_path, "classification", said, ROWS), tmp_path).pairs
    assert pair.targets[0].gained[0].second == examples.Prediction([Answer(note="no")], 1, 3)


class Elements(HTMLParser):
    """The attributes of elements, and the text, of a page."""

    def __init__(self, page):
        super().__init__()
        self.found, self.text, self.open = [], [], []
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        self.found.append((tag, dict(attributes)))
        self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


def test_the_page_escapes_texts_and_lets_their_letters_decide_the_direction(study, tmp_path):
    page = html(study, tmp_path)
    row = page[page.index('data-mixture="nine none" data-target="t"><th scope="row">nine against none</th>') :]
    cells = re.findall("<td.*?>(.*?)</td>", row.partition("</tr>")[0])
    assert cells == ["s", "t", "2", "+1 −1", "+1 −1"] and 'data-language="ar">ar</th>' in page
    elements = Elements(page)
    assert elements.open == [] and ARABIC in "".join(elements.text)
    assert "<b>" not in page
    assert ("dd", {"dir": "auto", "lang": "ar"}) in elements.found
    # against a single task nothing changed
    assert "<h3>nine against none, s</h3>" in page and "<h3>nine against mnli, s</h3>" not in page
    assert "right in 2 of 3" in page and "t: 1 gained, 1 lost\nof 2" in page


def test_nothing_is_shown_of_a_study_that_asks_nothing(study, tmp_path):
    asks_nothing = dataclasses.replace(study, answer=None)
    assert examples.examples(Inputs(asks_nothing, tmp_path, tmp_path, pd.DataFrame(), pd.DataFrame())) is None


def test_predictions_that_are_gone_are_said(study, tmp_path):
    shutil.rmtree(tmp_path / "predictions/s.r.none.s2.t")
    found = examples.collect(study, tmp_path)
    assert [pair.second for pair in found.pairs] == ["mnli"]
    assert found.pairs[0].targets[0].gained == []
    (note,) = found.notes
    assert "predictions/s.r.none.s2.t" in note and "run the study again" in note and note in html(study, tmp_path)


def test_runs_to_choose_from_that_are_gone_are_said(tmp_path):
    study = changed_study(tmp_path, "classification", SAID, ROWS, asked=answer("best", ("mnli",)))
    assert [(pair.second, pair.chosen) for pair in examples.collect(study, tmp_path).pairs] == [
        ("none", ""),
        ("best single", "mnli 1"),
    ]
    shutil.rmtree(tmp_path / "predictions/s.r.mnli.s1.t")
    found = examples.collect(study, tmp_path)
    assert [pair.second for pair in found.pairs] == ["none"]
    assert found.notes[0].startswith("nine against best single in s: ")


def test_of_texts_that_are_gone_the_counts_stay(study, tmp_path):
    shutil.rmtree(tmp_path / "prepared/t")
    found = examples.collect(study, tmp_path)
    target = found.pairs[0].targets[0]
    assert target.languages[0].gained_number == 1 and target.gained == []
    assert found.notes == ["t: its texts are not there any more (prepared/t); run the study again."]


def test_predictions_that_are_neither_right_nor_wrong_are_said(tmp_path):
    losses = [{"ar": {"loss": [1.0], "positions": [1.0]}}]
    rows = {"ar": [{"text": "x"}]}
    found = examples.collect(changed_study(tmp_path, "mlm", {"nine": losses, "none": losses}, rows), tmp_path)
    assert found.pairs == [] and found.notes == ["t: its predictions are neither right nor wrong."]


def test_predictions_of_other_examples_are_refused(tmp_path):
    said = {"nine": runs((1, 0)), "none": [{"de": labels((1, 0))}]}
    with pytest.raises(UserError, match="not of the same examples"):
        examples.collect(changed_study(tmp_path, "classification", said, ROWS), tmp_path)


def test_a_damaged_file_of_predictions_is_named(study, tmp_path):
    path = tmp_path / "predictions/s.r.none.s2.t/predictions.parquet"
    path.write_bytes(b"PAR1")
    with pytest.raises(UserError, match=r"s2.t/predictions.parquet: damaged \(") as error:
        examples.collect(study, tmp_path)
    assert "\n" not in str(error.value)


# predictions that name other rows


def sides(first, second, gold):
    """Return a run of both sides for one example, which the first side has right, in German."""
    right, wrong = {"correct": [1.0]}, {"correct": [0.0]}
    counts = {"false_positives": [0.0], "false_negatives": [0.0]}
    of = {"nine": {**right, **counts}, "none": {**wrong, **counts, "false_positives": [1.0]}}
    for name, prediction in (("nine", first), ("none", second)):
        of[name] |= {"prediction": [prediction], "gold": [gold], "average_precision": [0.5]}
    return {name: [{"de": columns}] for name, columns in of.items()}


def only(study, folder):
    (pair,) = examples.collect(study, folder).pairs
    (gained,) = pair.targets[0].gained
    return gained


def test_a_ranking_shows_the_best_candidate_of_the_pool(tmp_path):
    """Languages share ids, so that names begin with the language."""
    candidate = {"query": None, "context": None, "keys": ["k"]}
    rows = {
        "de": [
            {"query": "wo?", "text": None, "context": None, "keys": ["k"]},
            {**candidate, "text": "hier", "example_id": "c"},
        ],
        "ar": [{**candidate, "text": "هنا", "example_id": "c"}],
    }
    said = sides(json.dumps(["ar:c", "de:c"]), json.dumps(["de:x"]), json.dumps(["ar:c"]))
    for of_side in said.values():
        of_side[0]["ar"] = {name: [] for name in of_side[0]["de"]}
    shown = only(changed_study(tmp_path, "retrieval", said, rows), tmp_path)
    assert shown.gold == shown.first.answers == [Answer("هنا", "ar", "c")]
    assert shown.second.answers == [Answer(note="de:x")]


def test_a_pair_shows_the_sentence(tmp_path):
    rows = {
        "de": [
            {"text": "ein Satz", "side": "foreign", "match": "e1"},
            {"text": "a sentence", "side": "english", "match": None, "example_id": "e1"},
            # the same id in the split on which the threshold is chosen
            {"text": "another one", "side": "english", "match": None, "example_id": "e1", "split": "threshold"},
        ]
    }
    shown = only(changed_study(tmp_path, "mining", sides("e1", "", "e1"), rows), tmp_path)
    assert shown.first.answers == [Answer("a sentence", "de", "e1")]
    assert shown.second.answers == [Answer(note="no answer")]


def test_sentences_that_are_paired_with_nothing(tmp_path):
    rows = {"de": [{"text": "ein Satz", "side": "foreign", "match": None}]}
    said = sides("", "", "")
    assert only(changed_study(tmp_path, "mining", said, rows), tmp_path).gold == [Answer(note="no answer")]


def test_an_index_shows_the_row(tmp_path):
    rows = {"de": [{"text": f"Satz {row}", "translation": f"sentence {row}"} for row in range(3)]}
    shown = only(changed_study(tmp_path, "bitext", sides("0", "2", "0"), rows), tmp_path)
    assert shown.first.answers == [Answer("Satz 0 / sentence 0", "de", "0")]
    assert shown.second.answers == [Answer("Satz 2 / sentence 2", "de", "2")]


# worlds and size


def test_of_several_worlds_the_first_is_shown(study, tmp_path):
    here = tuple(dataclasses.replace(cell, world=4) for cell in study.cells)
    there = tuple(dataclasses.replace(cell, world=5, node="predictions/none") for cell in study.cells)
    found = examples.collect(dataclasses.replace(study, cells=here + there), tmp_path)
    assert len(found.pairs) == 2 and found.notes == ["Examples are those of world 4, the first of 2."]


def test_a_page_of_nine_targets_and_forty_languages_stays_small(study, tmp_path, monkeypatch):
    """Texts of the longest that are shown, of characters of three bytes."""
    text = Text("context", "th", (Segment("ก" * 120), Segment("ข", marked=True), Segment(" …")))
    side = examples.Prediction([Answer("ก" * 20, "th")], 1, 5)
    example = examples.Example("test.1000", "th", [text, text], [Answer("ข", "th")], side, side)
    languages = [Changes(f"l{number}", 5000, 500, 400, (), ()) for number in range(40)]
    each = LIMIT // (4 * 9 * 2)
    target = examples.OfTarget("target", "right", languages, [example] * each, [example] * each)
    found = examples.Examples(
        [examples.OfPair("m", "nine", "none", "", {}, [target] * 9)] * 4, changed_examples.RULE, []
    )
    monkeypatch.setattr(examples, "collect", lambda plan, results: found)
    assert len(html(study, tmp_path).encode()) < 1_200_000


def test_the_rule_says_where_examples_were_left_out(study, tmp_path, monkeypatch):
    assert examples.collect(study, tmp_path).rule == changed_examples.RULE
    within = changed_examples.within_limit
    monkeypatch.setattr(changed_examples, "within_limit", lambda found: within(found, 1))
    found = examples.collect(study, tmp_path)
    assert found.rule == f"{changed_examples.RULE} {changed_examples.RULE_OF_LIMIT}"
    assert [len(found.pairs[0].targets[0].gained), len(found.pairs[0].targets[0].lost)] == [1, 0]
