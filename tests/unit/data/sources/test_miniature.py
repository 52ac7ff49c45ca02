"""The miniature world: its files are read as real ones are, splits share nothing, and no shortcut solves a task."""

import hashlib
import json
import re
from collections import Counter

import pytest
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression
from xstilts.data.prepare import prepare
from xstilts.data.sources import Place, miniature
from xstilts.data.sources.miniature import concepts
from xstilts.data.sources.miniature.languages import languages, table
from xstilts.data.sources.miniature.maker import Maker
from xstilts.errors import UserError
from xstilts.planning import registry
from xstilts.planning.plan import make_plan
from xstilts.planning.sourcing import Indexes
from xstilts.planning.study import read_study

from tests.builders.plans import named

NINE = ["anli_plus", "mnli", "qqp", "squad_v1", "squad_v2", "hellaswag", "ccg", "cosmosqa", "commonsenseqa"]
TARGETS = [
    "xnli", "pawsx", "udpos", "panx", "xquad", "mlqa", "tydiqa", "xcopa", "tatoeba", "bucc", "lareqa", "mewslix",
    "lm_loss",
]  # fmt: skip
STUDY = f"""
description: Everything that the miniature world has.
source: miniature
world: 0
models: [tiny]
mixtures:
  none:
  all: [{", ".join(NINE)}, text, copa]
  other: [mnli@qab, squad_v1@qad, pawsx@qae, tydiqa@qag, text@qae]
targets: {{{", ".join(f"{name}: " for name in TARGETS if name != "xcopa")}, xcopa: {{trained_on: [copa]}}}}
"""
KNOWN = registry.load().of("miniature")
FOREIGN = [code for code in table() if code != "en"]
WITHOUT_ENGLISH = ("tatoeba", "bucc", "xcopa")
PLACE = Place(None, offline=True)


@pytest.fixture(scope="module")
def plan(tmp_path_factory):
    path = tmp_path_factory.mktemp("study") / "study.yaml"
    path.write_text(STUDY)
    return make_plan(read_study(path, registry.load()), registry.load(), Indexes())


@pytest.fixture(scope="module")
def prepared(plan, tmp_path_factory):
    """Tables by split, and what the manifest states, of every prepared node that is no union, by its name."""
    found = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(miniature, "TEXT_ROWS", 1000)
        for name, node in named(plan, "prepared").items():
            if node.spec.kind != "union":
                folder = tmp_path_factory.mktemp("raw")
                miniature.fetch_data(plan.nodes[node.spec.parents["data"]].spec.source, folder, PLACE)
                found[name] = prepare(node.spec, folder, ())
    return found


def rows_of(prepared, name):
    parts, _ = prepared[name]
    return {part: table.to_pylist() for part, table in parts.items()}


def english(name, seed=0):
    return miniature.file_text(Maker(seed), name)


def test_every_task_is_there_in_every_language(plan, prepared):
    assert plan.notes == []
    for name in TARGETS:
        _, stated = prepared[f"{name}.evaluation"]
        assert list(stated.splits) == (FOREIGN if name in WITHOUT_ENGLISH else list(table())), name
        assert all(split.rows >= 100 and not split.sample for split in stated.splits.values()), name
    members = ["snli", "mnli", "anli"]
    assert {f"{name}.training" for name in [*NINE[1:], *members, "text", "copa", "udpos", "mnli@qab"]} <= set(prepared)
    assert all(stated.left_out.get("no gold label", 0) == 0 for _, stated in prepared.values())


def test_what_the_world_has_not_is_refused():
    assert not miniature.makes("text/qaz.txt")
    assert not miniature.makes("xnli/test-de.tsv")
    assert not miniature.makes("mlqa/test-context-qab-question-qad.json")
    with pytest.raises(UserError, match=r"no file text/qaz\.txt; leave out its task, or the language"):
        miniature.file_text(Maker(0), "text/qaz.txt")


@pytest.mark.parametrize("name", [
    "xnli/dev-qad.tsv", "squad/dev-v2.0.json", "panx/dev-qae.tsv", "copa/val-en.jsonl", "bucc2018/qag-en.dev.gold",
    "hellaswag/hellaswag_val.jsonl", "mewslix/wikipedia_pairs-dev.jsonl",
])  # fmt: skip
def test_a_seed_is_a_world(name):
    """The same seed gives the same bytes, another one another world of the same structure."""
    first, other = english(name), english(name, seed=1)
    assert first == english(name)
    assert first != other or name.endswith("gold")
    assert len(first.splitlines()) == pytest.approx(len(other.splitlines()), rel=0.25)


def test_files_of_a_version(monkeypatch):
    """Where these change, `miniature.VERSION` is raised, so that results of the files before are not taken for new."""
    monkeypatch.setattr(miniature, "TEXT_ROWS", 200)
    names = ("text/qab.txt", "mnli/multinli_1.0_train.jsonl", "xquad/xquad.qad.json", "pawsx/test-qag.tsv",
             "udpos/test-qae.tsv", "xcopa/test.qab.jsonl")  # fmt: skip
    content = "".join(miniature.file_text(Maker(0), name) for name in names)
    digest = hashlib.sha256(content.encode()).hexdigest()[:16]
    assert (miniature.VERSION, digest) == (2, "2fcd84e14d35fae9")


def test_languages_do_not_clash_with_real_ones():
    assert set(table()) & set(registry.load().languages) == {"en"}
    assert {stated.name for stated in table().values()}.isdisjoint(
        stated["name"] for stated in registry.load().languages.values()
    )
    assert [stated.distance for stated in table().values()] == list(range(7))
    assert [code for code, stated in table().items() if not stated.text] == ["qaz", "qao"]


@pytest.mark.parametrize("seed", [0, 1])
def test_words_are_shared_by_cognates_alone(seed):
    made = languages(seed)
    words = {
        code: {key: language.forms[key].lower() for key in language.forms if key not in (*concepts.HOURS, *".?,")}
        for code, language in made.items()
    }
    for code, own in words.items():
        for other, theirs in words.items():
            if code < other:
                shared = {own[key] for key in own if key in theirs and own[key] == theirs[key]}
                assert set(own.values()) & set(theirs.values()) == shared
                cognates = made[code].shared & made[other].shared
                assert {key for key in own if own[key] == theirs.get(key)} <= cognates
    for code, stated in table().items():
        found = len(made[code].shared & set(concepts.CONTENT)) / len(concepts.CONTENT)
        assert found == pytest.approx(stated.cognates, abs=0.01), code
        assert code == "en" or made[code].shared.isdisjoint((*concepts.NAMES, *concepts.HOUSES))


def test_some_words_have_two_meanings_other_ones_in_each_language():
    pairs = {}
    for code, language in languages(0).items():
        keys = {}
        for key in concepts.CONTENT:
            keys.setdefault(language.forms[key], set()).add(key)
        pairs[code] = {frozenset(both) for both in keys.values() if len(both) > 1}
        assert len({frozenset(concepts.TAGS[key] for key in both) for both in pairs[code]}) >= 2
    assert all(len(found) >= 5 for found in pairs.values())
    assert pairs["qab"] != pairs["qag"]


def test_splits_share_no_example(prepared):
    """Nothing that is scored stands in training data of the same form, in that language or in another."""
    fields = {
        "classification": ("text_a", "text_b"), "multiple_choice": ("context", "question", "choices"),
        "tagging": ("words",), "span": ("context",),
    }  # fmt: skip
    for form, names in fields.items():
        seen = {"train": set(), "scored": set()}
        for name, (parts, _) in prepared.items():
            if KNOWN.tasks[re.split(r"[.@]", name)[0]].form == form:
                for part, rows in parts.items():
                    found = {json.dumps([row[field] for field in names]) for row in rows.to_pylist()}
                    seen["train" if part in ("train", "dev") and ".training" in name else "scored"] |= found
        assert len(seen["train"]) > 1000 < len(seen["scored"])
        assert seen["train"].isdisjoint(seen["scored"]), form


def test_train_and_dev_files_share_no_example():
    files = {
        "mnli/multinli_1.0_{}.jsonl": ("train", "dev_matched"), "snli/snli_1.0_{}.jsonl": ("train", "dev"),
        "anli/anli_v1.0/R3/{}.jsonl": ("train", "dev"), "commonsenseqa/{}_rand_split.jsonl": ("train", "dev"),
        "hellaswag/hellaswag_{}.jsonl": ("train", "val"), "copa/{}-en.jsonl": ("train", "val"),
    }  # fmt: skip
    ignored = ("uid", "id", "idx", "ind")
    for template, splits in files.items():
        rows = [
            [{key: item for key, item in json.loads(line).items() if key not in ignored} for line in
             english(template.format(split)).splitlines()]
            for split in splits
        ]  # fmt: skip
        texts = [{json.dumps(row) for row in part} for part in rows]
        assert texts[0].isdisjoint(texts[1]), template
        assert len(texts[0]) == len(rows[0]), template


def test_translated_training_data_are_of_training_propositions_and_no_test_set_is_their_translation(prepared):
    """The exact translation of a training set is none of a test set: in one language, both have nothing in common."""
    train = {(row["text_a"], row["text_b"]) for row in rows_of(prepared, "mnli@qab.training")["train"]}
    test = {(row["text_a"], row["text_b"]) for row in rows_of(prepared, "xnli.evaluation")["qab"]}
    assert len(train) > 4000
    assert train.isdisjoint(test)
    contexts = {row["context"] for row in rows_of(prepared, "squad_v1@qad.training")["train"]}
    assert contexts.isdisjoint(row["context"] for row in rows_of(prepared, "xquad.evaluation")["qad"])


def test_a_translated_training_set_is_the_same_row_by_row():
    rows = english("mnli/multinli_1.0_train.jsonl").splitlines()
    other = english("mnli/multinli.train.qad.tsv").splitlines()[1:]
    labels = [json.loads(row)["gold_label"] for row in rows]
    assert [row.split("\t")[2].replace("contradictory", "contradiction") for row in other] == labels


def test_parallel_test_sets_have_the_same_labels(prepared):
    for name in ("xnli", "pawsx", "xcopa"):
        labels = [[row["label"] for row in rows] for rows in rows_of(prepared, f"{name}.evaluation").values()]
        assert all(found == labels[0] for found in labels), name


def test_text_is_never_parallel(monkeypatch):
    """No document of one language stands in the same line of another; hardly one is that of another at all."""
    monkeypatch.setattr(miniature, "TEXT_ROWS", 2000)
    shapes = {}
    for code in ("en", "qab", "qad"):
        forms = languages(0)[code].forms
        back = {word.lower(): forms["the"].lower() == word.lower() and "the" or word for word in forms.values()}
        lines = miniature.file_text(Maker(0), f"text/{code}.txt").lower().splitlines()
        keys = {}
        for key, word in forms.items():
            keys.setdefault(word.lower(), key)
        assert len(lines) == 2000
        shapes[code] = [" ".join(keys.get(word, back.get(word, word)) for word in line.split(" ")) for line in lines]
    same = sum(one == other for one, other in zip(shapes["en"], shapes["qad"], strict=True))
    assert same <= 2
    long = {code: {line for line in lines if line.count(" ") > 14} for code, lines in shapes.items()}
    assert len(long["en"] & long["qad"]) <= 0.02 * len(long["en"])


def test_labels_are_balanced(prepared):
    for name in ("mnli.training", "snli.training", "anli.training", "pawsx.training", "qqp.training"):
        counts = Counter(row["label"] for row in rows_of(prepared, name)["train"])
        assert max(counts.values()) < 1.05 * min(counts.values()), name
    for name in ("xnli.evaluation", "pawsx.evaluation", "xcopa.evaluation"):
        counts = Counter(row["label"] for row in rows_of(prepared, name)["qab"])
        assert max(counts.values()) <= 1.15 * min(counts.values()), name


def test_every_text_stands_with_every_label(prepared):
    """Neither the premise nor the hypothesis nor a word of theirs says anything of the label."""
    rows = rows_of(prepared, "xnli.evaluation")["en"]
    for field in ("text_a", "text_b"):
        counts = Counter((row[field], row["label"]) for row in rows)
        for text in {row[field] for row in rows}:
            assert len({counts[text, label] for label in range(3)}) == 1
    words = Counter((word, row["label"]) for row in rows for word in set(row["text_b"].split(" ")))
    for word in ("not", "never", "no", "every", "some"):
        assert len({words[word, label] for label in range(3)}) == 1
    assert words["not", 0] > 20 < words["never", 0]


def test_negation_antonyms_and_quantifiers_are_in_all_labels(prepared):
    rows = rows_of(prepared, "mnli.training")["train"]
    for label in range(3):
        texts = [(row["text_a"], row["text_b"]) for row in rows if row["label"] == label]
        assert sum("not " in both[1] or "never " in both[1] for both in texts) > 0.2 * len(texts)
        assert sum(any(re.search(r"\b(no|every|some)\b", text, re.I) for text in both) for both in texts) > 50


def accuracy(train, test, text):
    """Return the accuracy of a logistic regression on single words and pairs of words, in percent."""
    words = CountVectorizer(token_pattern=r"\S+", ngram_range=(1, 2))
    model = LogisticRegression(max_iter=200, C=0.3)
    model.fit(words.fit_transform(map(text, train)), [row["label"] for row in train])
    return 100 * model.score(words.transform(map(text, test)), [row["label"] for row in test])


@pytest.mark.parametrize(("train", "test", "chance_level"), [("mnli", "xnli", 100 / 3), ("pawsx", "pawsx", 50)])
def test_no_bag_of_words_solves_a_pair(prepared, train, test, chance_level):
    learnt = rows_of(prepared, f"{train}.training")["train"]
    scored = rows_of(prepared, f"{test}.evaluation")["en"]
    both = lambda row: " ".join([*(f"1:{w}" for w in row["text_a"].split()), row["text_b"]])  # noqa: E731
    for text in (lambda row: row["text_b"], lambda row: row["text_a"], both):
        assert accuracy(learnt, scored, text) == pytest.approx(chance_level, abs=3)


def test_no_alternative_is_right_by_itself(prepared):
    for part in (rows_of(prepared, "copa.training")["train"], rows_of(prepared, "xcopa.evaluation")["qad"]):
        right = Counter(row["choices"][row["label"]] for row in part)
        wrong = Counter(row["choices"][1 - row["label"]] for row in part)
        assert sum((right & wrong).values()) > 0.9 * len(part)


def test_a_quarter_of_the_causes_is_in_no_training_data():
    maker = Maker(0)
    feeling = maker.world.feeling
    assert len(maker.known_rules & set(feeling)) == pytest.approx(0.75 * len(feeling), abs=2)
    verbs = [
        {word for line in english(name).splitlines() for text in ("premise", "choice1", "choice2")
         for word in json.loads(line)[text].split(" ") if word in feeling}
        for name in ("copa/train-en.jsonl", "xcopa/test.en.jsonl")
    ]  # fmt: skip
    assert len(verbs[0]) < 0.85 * len(verbs[1])


def test_answers_are_spans_and_mostly_one_word(prepared):
    for name in ("squad_v1.training", "xquad.evaluation", "mlqa.evaluation", "tydiqa.evaluation"):
        for rows in rows_of(prepared, name).values():
            for row in rows:
                (answer,) = row["answers"]
                assert row["context"][answer["start"] :].startswith(answer["text"])
                assert len(answer["text"].split(" ")) <= 2
    unanswerable = [not row["answers"] for row in rows_of(prepared, "squad_v2.training")["train"]]
    assert sum(unanswerable) / len(unanswerable) == pytest.approx(1 / 3, abs=0.05)


def test_tagging_needs_words_and_suffixes_that_are_in_no_training_data(prepared):
    learnt = {word.lower() for row in rows_of(prepared, "udpos.training")["train"] for word in row["words"]}
    scored = [word.lower() for row in rows_of(prepared, "udpos.evaluation")["en"] for word in row["words"]]
    assert 0.1 < sum(word not in learnt for word in scored) / len(scored) < 0.35
    text = set(" ".join(english("squad/train-v1.1.json").lower().split('"')).split())
    made = {word for word in scored if word.endswith(("ily", "edly", "ner", "per")) and word not in learnt | text}
    assert made


def test_words_of_two_parts_of_speech(prepared):
    tags = {}
    for row in rows_of(prepared, "udpos.evaluation")["en"]:
        for word, tag in zip(row["words"], row["tags"], strict=True):
            tags.setdefault(word.lower(), set()).add(tag)
    assert {word for word, found in tags.items() if len(found) > 1} >= {"orange", "light", "well", "ground"}


def test_names_have_forms_of_their_own_and_half_of_them_is_new(prepared):
    rows = rows_of(prepared, "panx.evaluation")
    names = {
        code: {word for row in part for word, tag in zip(row["words"], row["tags"], strict=True) if tag != 6}
        for code, part in rows.items()
    }
    assert all(names["en"].isdisjoint(found) for code, found in names.items() if code != "en")
    learnt = {word for row in rows_of(prepared, "panx.training")["train"] for word in row["words"]}
    assert len(names["en"] - learnt) > 0.3 * len(names["en"])
    found = Counter(KNOWN.tasks["panx"].labels[tag] for row in rows["qae"] for tag in row["tags"])
    assert min(found[tag] for tag in ("B-LOC", "B-ORG", "B-PER", "I-ORG", "I-PER")) > 20


def test_retrieval_has_no_names_and_no_shared_words(prepared):
    shared = {".", "?", ","}
    for code in FOREIGN:
        sides = [Counter(), Counter()]
        for row in rows_of(prepared, "tatoeba.evaluation")[code]:
            for side, text in zip(sides, (row["text"], row["translation"]), strict=True):
                side.update(text.lower().split(" "))
        assert set(sides[0]) & set(sides[1]) <= shared
        bucc = rows_of(prepared, "bucc.evaluation")[code]
        words = {
            side: {word for row in bucc if row["side"] == side for word in row["text"].lower().split(" ")}
            for side in ("foreign", "english")
        }
        assert words["foreign"] & words["english"] <= shared
        assert {name.lower() for name in concepts.NAMES}.isdisjoint(words["english"])
    pool = {
        code: {word for row in rows for text in (row["query"], row["text"]) if text for word in text.lower().split(" ")}
        for code, rows in rows_of(prepared, "lareqa.evaluation").items()
    }
    for code in FOREIGN:
        assert pool[code] & pool["en"] <= shared


def test_translations_are_one_to_one(prepared):
    for code in FOREIGN:
        rows = rows_of(prepared, "tatoeba.evaluation")[code]
        assert len({row["text"] for row in rows}) == len({row["translation"] for row in rows}) == len(rows)


def test_mentions_share_their_name_with_other_candidates(prepared):
    parts = rows_of(prepared, "mewslix.evaluation")
    candidates = [row for rows in parts.values() for row in rows if row["text"] is not None]
    assert len({key for row in candidates for key in row["keys"]}) == len(candidates)
    names = Counter(row["query"].partition(":")[0] for row in parts["en"] if row["query"])
    assert len(names) == len(concepts.PERSONS)
    assert min(names.values()) > 5


def test_sources_of_the_world(plan):
    contents = [node.spec.source for node in plan.stage("data").values()]
    assert all(content.kind == "miniature" and content.seed == 0 for content in contents)
