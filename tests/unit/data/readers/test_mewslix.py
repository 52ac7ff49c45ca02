"""Mewsli-X: queries, candidates, and what is wrong with a file."""

import copy
import itertools
import json
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from xstilts.data import readers, usable
from xstilts.data.prepare import prepare
from xstilts.errors import UserError
from xstilts.forms import retrieval
from xstilts.planning import registry
from xstilts.planning.mirror_index import index_mirror
from xstilts.planning.plan import Indexes, make_plan
from xstilts.planning.study import read_study

from tests.builders.plans import named

LANGUAGES = ["ar", "de", "en", "es", "fa", "ja", "pl", "ro", "ta", "tr", "uk"]
TEXT = "Headline\nThe verdict came back for Smith, who left. Jones {the clerk} and Smith  met {again."


def span(text, part, after=0):
    start = text.index(part, after)
    return {"start": start, "end": start + len(part)}


def mention(text, name, identity, entity, after=0):
    return {
        "example_id": identity, "entity_id": entity, "mention_span": {**span(text, name, after), "text": name},
        "metadata": None,
    }  # fmt: skip


def context(text, *sentences, language="en"):
    return {
        "document_title": "News", "document_url": "https://example.org", "document_id": "d1", "section_title": "",
        "language": language, "text": text, "sentence_spans": [span(text, sentence) for sentence in sentences],
    }  # fmt: skip


def entity(identity, description, *sentences, language="en"):
    return {
        "entity_id": identity, "title": "T", "description": description, "description_language": language,
        "description_url": "https://example.org", "sentence_spans": [span(description, part) for part in sentences],
    }  # fmt: skip


SENTENCES = ("Headline\nThe verdict came back for Smith, who left.", "Jones {the clerk} and Smith  met {again.")
ARTICLES = [
    {
        "context": context(TEXT, *SENTENCES),
        "mentions": [mention(TEXT, "Smith", "m1", "Q1"), mention(TEXT, "Smith", "m2", "Q1", after=60)],
    },
    {
        "context": context("Der Fluß.", "Der Fluß.", language="de"),
        "mentions": [mention("Der Fluß.", "Fluß", "m3", "Q2")],
    },
    {
        "context": context("大きな川", "大きな川", language="ja"),
        "mentions": [mention("大きな川", "川", "m4", "Q2")],
    },
]  # fmt: skip
CANDIDATES = [
    entity("Q1", "Smith is a man. He is old.", "Smith is a man.", "He is old."),
    entity("Q2", "Ein Fluß\nist  Wasser.", "Ein Fluß\nist  Wasser.", language="de"),
    entity("Q3", "Une rivière.", "Une rivière.", language="fr"),
    entity("Q4", "Un río.", "Un río.", language="es"),
    entity("Q5", "Nehir.", "Nehir.", language="tr"),
]
PAIRS = [
    {"contextual_mention": {"context": ARTICLES[0]["context"], "mention": each}, "entity": CANDIDATES[0]}
    for each in ARTICLES[0]["mentions"]
]
QUERIES = {
    "m1": "Smith: Headline The verdict came back for { Smith } , who left.",
    # of three spaces (one from the braces, two from the text) two are left, as in the baseline
    "m2": "Smith: Jones (the clerk) and { Smith }  met {again.",
    "m3": "Fluß: Der { Fluß } .",
    "m4": "川: 大きな { 川 }",
}


@pytest.fixture
def read(tmp_path):
    """Write files of JSON rows and read them: ``read(reader, rows, ...)`` with the rows of each file."""

    def write_and_read(reader, *files):
        names = [f"file-{number}.jsonl" for number in range(len(files))]
        for name, rows in zip(names, files, strict=True):
            text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
            (tmp_path / name).write_text(text, encoding="utf-8")
        return list(readers.read(SimpleNamespace(reader=reader, header=None), tmp_path, names))

    return write_and_read


def test_pairs_are_a_mention_in_its_sentence_and_a_description(read):
    assert read("mewslix_pairs", PAIRS) == [
        {"id": "m1", "query": QUERIES["m1"], "text": "Smith is a man. He is old."},
        {"id": "m2", "query": QUERIES["m2"], "text": "Smith is a man. He is old."},
    ]


def test_queries_then_candidates(read):
    rows = read("mewslix", ARTICLES, CANDIDATES)
    queries, candidates = rows[:4], rows[4:]
    assert {row["id"]: row["query"] for row in queries} == QUERIES
    assert [row["part"] for row in queries] == ["en/", "en/", "de/", "ja/"]
    assert [row["keys"] for row in queries] == [["Q1"], ["Q1"], ["Q2"], ["Q2"]]
    assert [row["cluster"] for row in queries] == ["article 0", "article 0", "article 1", "article 2"]
    assert {row["text"] for row in queries} == {row["query"] for row in candidates} == {None}
    # French has no mentions, so that its descriptions are in the part of English
    assert [(row["id"], row["keys"], row["part"], row["text"]) for row in candidates] == [
        ("Q1", ["Q1"], "en/", "Smith is a man. He is old."),
        ("Q2", ["Q2"], "de/", "Ein Fluß ist Wasser."),
        ("Q3", ["Q3"], "en/", "Une rivière."),
        ("Q4", ["Q4"], "es/", "Un río."),
        ("Q5", ["Q5"], "tr/", "Nehir."),
    ]


def test_rows_come_one_by_one(tmp_path):
    """A million candidates are never in memory at once: what stands after a row is not read before it is asked for."""
    (tmp_path / "mentions").write_text(json.dumps(ARTICLES[0]) + "\n")
    (tmp_path / "entities").write_text(json.dumps(CANDIDATES[0]) + "\nnot JSON\n")
    rows = readers.read(SimpleNamespace(reader="mewslix", header=None), tmp_path, ["mentions", "entities"])
    assert [row["id"] for row in itertools.islice(rows, 3)] == ["m1", "m2", "Q1"]
    with pytest.raises(UserError, match="entities:2: not JSON"):
        next(rows)


def test_braces_are_told_apart_from_those_of_the_mention(read):
    """Pairs of braces on one line become parentheses, before and behind the mention; the mention's own stay."""
    text = "{a} {b\n} x {c}{d} }e{"
    rows = [{"context": context(text, text), "mentions": [mention(text, "x", "m1", "Q1")]}]
    assert read("mewslix", rows, CANDIDATES)[0]["query"] == "x: (a) {b } { x } (c)(d) }e{"


def changed(rows, *path_and_value):
    """Return a copy with another value at a path."""
    *path, value = path_and_value
    rows = copy.deepcopy(rows)
    inner = rows
    for part in path[:-1]:
        inner = inner[part]
    inner[path[-1]] = value
    return rows


AT = (0, "mentions", 0, "mention_span")
BAD_ARTICLES = {
    "mention that does not match": (changed(ARTICLES, *AT, "text", "Smyth"),
                                    r"row 1: mention 'Smyth' is not at character 35, where 'Smith' stands"),
    "mention one character on": (changed(ARTICLES, *AT, {"start": 36, "end": 41, "text": "Smith"}),
                                 r"row 1: mention 'Smith' is not at character 36, where 'mith,' stands"),
    "mention beyond the text": (changed(ARTICLES, *AT, "end", 1000), r"row 1: mention_span has 35 to 1000"),
    "negative start": (changed(ARTICLES, *AT, "start", -5), r"row 1: mention_span has -5 to 40"),
    "empty mention": (changed(ARTICLES, *AT, {"start": 3, "end": 3, "text": ""}), r"mention_span has 3 to 3"),
    "start that is true": (changed(ARTICLES, *AT, "start", True), r"start is missing or not of the type int"),
    "start that is a float": (changed(ARTICLES, *AT, "start", 35.0), r"start is missing or not of the type int"),
    "mention over two sentences": (
        changed(ARTICLES, 0, "context", "sentence_spans", [{"start": 0, "end": 38}, {"start": 38, "end": 60}]),
        r"row 1: mention 'Smith' at character 35 is in none of the sentences"),
    "sentence beyond the text": (
        changed(ARTICLES, 1, "context", "sentence_spans", [{"start": 0, "end": 10}]),
        r"row 2: sentence_spans has 0 to 10, which is no part of a text of 9 characters"),
    "no text": (changed(ARTICLES, 1, "context", "text", ""), r"row 2: no text; .*run get-mewsli-x\.sh"),
    "another language": (changed(ARTICLES, 1, "context", "language", "fr"), r"row 2: language 'fr' is none of ar, de,"),
    "mention twice": (changed(ARTICLES, 1, "mentions", 0, "example_id", "m2"),
                      r"row 2: the mention 'm2' stands in an earlier row too"),
    "entity that is no candidate": (changed(ARTICLES, 2, "mentions", 0, "entity_id", "Q9"),
                                    r"row 3: mention 'm4' means the entity 'Q9', which is not in file-1\.jsonl"),
    "mentions that are no list": (changed(ARTICLES, 0, "mentions", {}), r"mentions is missing or not of the type list"),
    "mention that is no object": (changed(ARTICLES, 0, "mentions", ["m"]), r"mentions is not a list of objects"),
    "no context": (changed(ARTICLES, 0, {"mentions": []}), r"row 1: not in Mewsli-X's format: context is missing"),
    "number as an id": (changed(ARTICLES, 0, "mentions", 0, "example_id", 7), r"example_id is missing or not of"),
}  # fmt: skip
BAD_CANDIDATES = {
    "entity twice": (changed(CANDIDATES, 1, "entity_id", "Q1"), r"row 2: the entity 'Q1' stands in an earlier row too"),
    "sentence beyond the description": (
        changed(CANDIDATES, 2, "sentence_spans", [{"start": 5, "end": 13}]),
        r"row 3: sentence_spans has 5 to 13, which is no part of a text of 12"),
    "no language": (changed(CANDIDATES, 2, "description_language", None), r"row 3: .*description_language is missing"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD_ARTICLES)
def test_bad_articles(read, name):
    rows, message = BAD_ARTICLES[name]
    with pytest.raises(UserError, match=message) as error:
        read("mewslix", rows, CANDIDATES)
    assert "file-0.jsonl" in str(error.value)
    assert len(str(error.value).splitlines()) == 1


@pytest.mark.parametrize("name", BAD_CANDIDATES)
def test_bad_candidates(read, name):
    rows, message = BAD_CANDIDATES[name]
    with pytest.raises(UserError, match=message) as error:
        read("mewslix", ARTICLES, rows)
    assert "file-1.jsonl" in str(error.value)


def test_bad_pair(read):
    pairs = changed(PAIRS, 1, "contextual_mention", "mention", "mention_span", "text", "Smyth")
    with pytest.raises(UserError, match=r"file-0\.jsonl, row 2: mention 'Smyth' is not at character"):
        read("mewslix_pairs", pairs)


def test_two_files_are_needed(read):
    with pytest.raises(UserError, match=r"Mewsli-X needs two files \(mentions, candidates\), not 1"):
        read("mewslix", ARTICLES)


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 50) | st.floats(allow_nan=False) | st.text(max_size=3),
    lambda inside: st.lists(inside, max_size=2) | st.dictionaries(st.sampled_from(["start", "text"]), inside),
    max_leaves=4,
)


def places(content, place=()):
    """Return where values stand in nested lists and objects."""
    inside = content.items() if isinstance(content, dict) else enumerate(content) if isinstance(content, list) else ()
    return [place, *itertools.chain.from_iterable(places(value, (*place, key)) for key, value in inside)]


@settings(max_examples=150, deadline=None, derandomize=True,
          suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])  # fmt: skip
@given(st.data(), ANYTHING)
def test_a_value_of_another_type_anywhere(read, data, value):
    """One line that names the file, or all rows with texts where texts belong."""
    reader, files = data.draw(st.sampled_from([("mewslix", [ARTICLES, CANDIDATES]), ("mewslix_pairs", [PAIRS])]))
    number = data.draw(st.integers(0, len(files) - 1))
    place = data.draw(st.sampled_from([place for place in places(files[number]) if place]))
    files = [changed(rows, *place, value) if at == number else rows for at, rows in enumerate(files)]
    try:
        rows = read(reader, *files)
    except UserError as error:
        assert len(str(error).splitlines()) == 1
        assert f"file-{number}.jsonl" in str(error) or "file-0.jsonl" in str(error)
        assert len(str(error)) < 600
        return
    expected = sum(len(row["mentions"]) for row in files[0]) + len(files[1]) if reader == "mewslix" else len(files[0])
    assert len(rows) == expected
    assert all(isinstance(row["query"] or "", str) and isinstance(row["text"] or "", str) for row in rows)


STUDY = """
description: Mewsli-X.
source: mirror
models: [tiny]
targets: {mewslix: LANGUAGES}
limits: {dev_rows: 2}
"""
# an article and a candidate in every language; Q2 is German, and Q.yo in the part of English
EVERYWHERE = [*ARTICLES, *(
    {"context": context("Smith", "Smith", language=language),
     "mentions": [mention("Smith", "Smith", f"m.{language}", "Q2" if language == "en" else "Q.yo")]}
    for language in LANGUAGES
)]  # fmt: skip
POOL = [*CANDIDATES, *(entity(f"Q.{language}", "Ja.", "Ja.", language=language) for language in [*LANGUAGES, "yo"])]


@pytest.fixture
def planned(tmp_path):
    """Return a function that plans and prepares a study on a mirror: the plan, and tables and results by node."""
    folder = tmp_path / "mirror/mewslix"
    folder.mkdir(parents=True)
    files = {
        "wikinews_mentions-test": EVERYWHERE, "candidate_set_entities": POOL, "wikipedia_pairs-train": PAIRS,
        "wikipedia_pairs-dev": PAIRS,
    }  # fmt: skip
    for name, rows in files.items():
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))

    def plan_and_prepare(languages="", limits="{dev_rows: 2}"):
        path = tmp_path / "study.yaml"
        path.write_text(STUDY.replace("LANGUAGES", languages).replace("{dev_rows: 2}", limits))
        known = registry.load()
        plan = make_plan(read_study(path, known), known, Indexes(index_mirror(folder.parent, known, usable.check)))
        prepared = {name: prepare(node.spec, folder.parent, ()) for name, node in named(plan, "prepared").items()}
        return plan, prepared

    return plan_and_prepare


def identities(parts, queries):
    return {
        language: [row["example_id"] for row in table.to_pylist() if (row["query"] is not None) is queries]
        for language, table in parts.items()
    }


def test_every_candidate_stands_once_in_the_pool_of_all_languages(planned):
    _, prepared = planned()
    parts, stated = prepared["mewslix.evaluation"]
    candidates, queries = (identities(parts, which) for which in (False, True))
    assert list(parts) == LANGUAGES
    assert sorted(itertools.chain(*candidates.values())) == sorted(row["entity_id"] for row in POOL)
    assert candidates["en"] == ["Q1", "Q3", "Q.en", "Q.yo"]
    assert candidates["de"] == ["Q2", "Q.de"]
    assert queries["en"] == ["m1", "m2", "m.en"]
    assert queries["pl"] == ["m.pl"]
    # the two mentions of one article make one cluster
    clusters = parts["en"]["cluster_id"].to_pylist()
    assert clusters[0] == clusters[1] and len(set(clusters)) == len(clusters) - 1
    assert stated.splits["en"].official and stated.splits["en"].sample


def test_training_is_on_the_english_pairs(planned):
    plan, prepared = planned()
    parts, _ = prepared["mewslix.training"]
    assert parts["train"]["query"].to_pylist() == [QUERIES["m1"], QUERIES["m2"]]
    assert parts["dev"].num_rows == 2
    target = next(iter(plan.stage("targets").values()))
    assert [task.task for task in target.spec.tasks] == ["mewslix"]


def test_some_languages_are_another_task_than_all(planned):
    _, prepared = planned("{languages: [de, en]}")
    parts, stated = prepared["mewslix.evaluation"]
    assert list(parts) == ["de", "en"]
    assert not stated.splits["de"].official


def test_a_limit_keeps_the_entities_that_are_looked_for(planned):
    """One query of each language; what they look for is in other languages' parts."""
    _, prepared = planned(limits="{dev_rows: 2, test_rows: 1}")
    parts, stated = prepared["mewslix.evaluation"]
    assert {len(names) for names in identities(parts, True).values()} == {1}
    assert "Q.yo" in identities(parts, False)["en"]
    assert stated.splits["en"].sample
    rows = {language: table.to_pylist() for language, table in parts.items()}
    vectors = {language: np.ones((len(own), 2), np.float32) for language, own in rows.items()}
    assert {len(found) for found in retrieval.retrieve(rows, vectors, {}).values()} == {1}


def test_predictions_are_ids_of_entities(planned):
    """As submissions have them: every entity stands once in the pool, so its id says enough."""
    _, prepared = planned()
    rows = {language: table.to_pylist() for language, table in prepared["mewslix.evaluation"][0].items()}
    # every candidate has a direction of its own, and a query that of the entity it means
    axes = {row["entity_id"]: number for number, row in enumerate(POOL)}
    vectors = {
        language: np.eye(len(POOL), dtype=np.float32)[[axes[row["keys"][0]] for row in own]]
        for language, own in rows.items()
    }
    found = retrieval.retrieve(rows, vectors, {})
    number, prediction, gold = found["pl"][0]
    assert rows["pl"][number]["example_id"] == "m.pl"
    assert json.loads(gold) == ["Q.yo"]
    assert json.loads(prediction)[0] == "Q.yo" and len(json.loads(prediction)) == len(POOL)
    assert all(retrieval.statistics(prediction, gold, {})["average_precision"] == 1
               for own in found.values() for _, prediction, gold in own)  # fmt: skip
