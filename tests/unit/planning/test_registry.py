"""The registry's files: what they name must exist, and what they state must be so where the data is at hand."""

import re

import pytest
import yaml
from xstilts.data import readers
from xstilts.forms import FORMS
from xstilts.planning import registry
from xstilts.planning.tasks import read_task
from xstilts.store.files import file_sha256

from tests.builders.plans import file_groups

LANGUAGES = registry.load().languages
TASKS = {path.stem: read_task(path, LANGUAGES) for path in sorted((registry.FOLDER / "tasks").glob("*.yaml"))}
CHECKSUMS = registry.load().checksums
INTERMEDIATE = [
    "anli_plus", "mnli", "qqp", "squad_v1", "squad_v2", "hellaswag", "ccg", "cosmosqa", "commonsenseqa",
]  # fmt: skip
# what a form cannot do without, in training and in evaluation
NEEDED = {
    "classification": {"text_a", "label"}, "multiple_choice": {"question", "choices", "label"},
    "span": {"id", "context", "question", "answers"}, "tagging": {"words", "tags"}, "bitext": {"text", "translation"},
    "mining": {"id", "text", "side", "match"}, "retrieval": {"query", "text"}, "mlm": {"text"},
}  # fmt: skip
FIELDS = {
    **NEEDED,
    "classification": {"id", "cluster", "text_a", "text_b", "label"},
    "multiple_choice": {"id", "cluster", "context", "question", "choices", "label"},
    "retrieval": {"id", "query", "text", "context", "keys", "cluster"},
}
EVERY_SOURCE = [
    pytest.param(task, source, id=f"{task.name}-{number}")
    for task in TASKS.values()
    for number, source in enumerate(task.sources)
]
# files of the mirror that are parts of their data sets, by task
SAMPLES = {
    "anli": {"train"}, "cosmosqa": {"train"}, "hellaswag": {"train"}, "mnli": {"train"}, "qqp": {"train"},
    "squad_v1": {"train"}, "squad_v2": {"train"}, "squad_retrieval": {"train"},
}  # fmt: skip


def languages_of(task, split):
    """Return the languages of a split: those that the split names, or the task's."""
    return split.languages or (tuple(split.files) if isinstance(split.files, dict) else task.languages)


def names_of(task, source):
    """Return all names of files that a source can ask for."""
    templates = [(template, source.training_languages) for template in (*source.training, *source.dev)]
    for split in source.evaluation:
        for language in languages_of(task, split):
            templates += [(template, (language,)) for template in (*split.templates(language), *split.threshold)]
    return {task.file(template, language) for template, languages in templates for language in languages}


def test_the_whole_registry_loads():
    known = registry.load()
    assert set(known.tasks) == set(TASKS)
    assert {"jiant", "xtreme"} <= set(known.recipes)


def test_the_nine_intermediate_tasks_of_the_paper_have_training_data():
    assert [name for name in INTERMEDIATE if not TASKS[name].trains()] == []


def test_every_language_of_every_task_is_known():
    for task in TASKS.values():
        used = {*task.languages, *task.codes}
        used |= {language for rows in task.rows.values() if isinstance(rows, dict) for language in rows}
        for source in task.sources:
            used |= {*source.training_languages}
            used |= {language for split in source.evaluation for language in languages_of(task, split)}
        assert used <= set(LANGUAGES), task.name


def test_text_can_be_had_in_every_language_of_xtreme_r():
    used = {code for entry in registry.load().benchmarks["xtreme_r"].tasks.values() for code in entry.languages}
    assert len(used) == 50
    assert all(set(source.training_languages) == used for source in TASKS["text"].sources)
    unknown = {key: {tag for tag in used if LANGUAGES[tag][key] is None} for key in ("word_order", "cc100", "mc4")}
    assert unknown == {
        "word_order": {"af", "ht", "jv", "kk"}, "cc100": {"ht", "qu", "wo", "yo"}, "mc4": {"qu", "wo"},
    }  # fmt: skip


def test_languages_are_those_of_flores():
    """A script in a tag is the language's own, and the language stands in another script too."""
    of_flores = {row["flores"]: tag for tag, row in LANGUAGES.items() if row["flores"]}
    assert {TASKS["sib200"].codes[tag] for tag in TASKS["sib200"].languages} < set(of_flores)
    assert [of_flores[code] for code in ("swh_Latn", "quy_Latn", "arb_Latn", "zho_Hant", "kas_Deva", "nqo_Nkoo")] == [
        "sw", "quy", "ar-Latn", "zh-Hant", "ks-Deva", "nqo",
    ]  # fmt: skip
    for tag, row in LANGUAGES.items():
        base, _, script = tag.partition("-")
        assert not script or (script == row["script"] != LANGUAGES[base]["script"]), tag
        assert row["family"], tag


def test_text_of_models_in_pretraining_is_that_of_their_papers():
    """Table 6 of XLM-R and of mT5; left out is text that no language here is written in."""
    sizes = {key: {tag: row[key] for tag, row in LANGUAGES.items() if row[key]} for key in ("cc100", "mc4")}
    assert (len(sizes["cc100"]), len(sizes["mc4"])) == (99, 103)
    assert [sizes["cc100"][tag] for tag in ("en", "nb", "zh", "zh-Hant", "hi-Latn", "am")] == [
        300.8, 49, 46.9, 16.6, 0.5, 0.8,
    ]  # fmt: skip
    assert [sizes["mc4"][tag] for tag in ("en", "nb", "he", "tl", "zh-Hant", "yo")] == [2733, 27, 17, 2.1, 39, 0.05]


@pytest.mark.parametrize(("name", "count"), [
    ("xnli", 15), ("pawsx", 7), ("xcopa", 11), ("udpos", 38), ("panx", 48), ("xquad", 12), ("mlqa", 7), ("tydiqa", 9),
    ("bucc", 4), ("tatoeba", 41), ("tatoeba_after_squad", 41), ("mewslix", 11), ("lareqa", 11), ("sib200", 205),
    ("americasnli", 10), ("masakhaner2", 20), ("xstorycloze", 11), ("uner", 11),
    ("belebele", 122), ("afrixnli", 18), ("indicxnli", 11), ("massive", 52), ("global_mmlu", 42), ("include", 44),
])  # fmt: skip
def test_targets_have_the_languages_of_their_papers(name, count):
    assert len(TASKS[name].languages) == count


def test_tasks_of_benchmarks_have_their_languages():
    for name, benchmark in registry.load().benchmarks.items():
        for task, entry in benchmark.tasks.items():
            assert set(entry.languages) <= set(TASKS[task].languages), f"{name}: {task}"


def test_every_task_says_what_it_is():
    for task in TASKS.values():
        assert task.citation, task.name
        assert task.version == 1
        assert task.form in FORMS


@pytest.mark.parametrize(("task", "source"), EVERY_SOURCE)
def test_sources_are_complete(task, source):
    """A hub source has a repository at a commit; columns are those of the form; something is read."""
    if source.union:
        assert not source.training and not source.evaluation
        return
    if source.kind == "hub":
        assert source.repository
        assert re.fullmatch("[0-9a-f]{40}", source.revision)
        assert source.reader == "parquet"
        assert all(name.count("/") == 1 for name in names_of(task, source))
    else:
        assert source.repository is None and source.revision is None
    assert source.training or source.evaluation
    assert NEEDED[task.form] <= set(source.columns) <= FIELDS[task.form]
    if source.labels is not None:
        assert len(source.labels) == len(task.labels)


@pytest.mark.parametrize(("task", "source"), [entry for entry in EVERY_SOURCE if entry.values[1].kind == "files"])
def test_addresses_have_checksums(task, source):
    """An address helps nobody whose files have no checksum; of each task some training data can be had by it."""
    known = names_of(task, source) & set(CHECKSUMS)
    if source.urls:
        assert known
        assert any(
            all(task.file(template, language) in CHECKSUMS for template in (*source.training, *source.dev))
            for language in source.training_languages
        )
        assert all(re.search(r"\{(name|path|file)\}", address) for address in source.urls)


def test_checksums_are_of_files_with_urls():
    named = set()
    for task in TASKS.values():
        for source in task.sources:
            if source.urls:
                named |= names_of(task, source)
    assert set(CHECKSUMS) <= named


def test_tatoeba_is_the_same_data_before_and_after_training():
    before, after = TASKS["tatoeba"], TASKS["tatoeba_after_squad"]
    assert before.sources == after.sources and before.codes == after.codes and before.rows == after.rows
    assert before.trained_on == () and after.trained_on == ("squad_v1",)


def test_tag_names_of_the_hub_are_in_their_order():
    """WikiANN's card: O, B-PER, I-PER, B-ORG, I-ORG, B-LOC, I-LOC are 0 to 6."""
    (hub,) = [source for source in TASKS["panx"].sources if source.kind == "hub"]
    names = dict(zip(hub.labels, TASKS["panx"].labels, strict=True))
    assert [names[number] for number in range(7)] == ["O", "B-PER", "I-PER", "B-ORG", "I-ORG", "B-LOC", "I-LOC"]


def test_rows_for_early_stopping_are_never_scored():
    """A target's own dev files would be, where a study or a mirror without test sets scores the dev split."""
    for task in TASKS.values():
        for source in task.sources:
            scored = {task.file(name, "en") for split in source.evaluation for name in split.templates("en")}
            assert not scored & {task.file(name, "en") for name in source.dev}, task.name


def test_the_example_of_the_documentation_stands_alone():
    """docs/add-a-task.md has one task file, whose first line is its name."""
    text = (registry.FOLDER.parents[2] / "docs/add-a-task.md").read_text()
    (example,) = re.findall(r"^```yaml\n(.*?)^```", text, re.M | re.S)
    assert re.match(r"# \w+\.yaml\n", example)
    assert yaml.safe_load(example)["form"] in FORMS


def groups(mirror, name):
    """Yield split, language, names and source of the groups of a task's files that are all in the mirror."""
    for source, names, split, language in file_groups(TASKS[name]):
        if all((mirror / file).is_file() for file in names):
            yield split, language, names, source


@pytest.mark.parametrize("name", sorted(TASKS))
def test_files_of_the_mirror_have_the_rows_that_are_published(mirror, name):
    """Files that are whole have exactly these; samples have fewer."""
    task = TASKS[name]
    for split, language, names, source in groups(mirror, name):
        rows = sum(1 for _ in readers.read(source, mirror, names))
        published = task.published(split, language)
        if split in SAMPLES.get(name, ()):
            assert 0 < rows < published, names
        elif name == "lareqa":
            # questions, and the sentences of the pool
            assert rows > published == 1190, names
        elif (name, split) == ("udpos", "train"):
            assert rows == 21787  # version 2.7, where 2.5 has the published 21,253
        elif published is not None:
            assert rows == published, names


def test_the_two_layouts_of_udpos_have_the_same_sentences(mirror):
    """Four test sets are in the mirror in XTREME's layout and in that of Universal Dependencies."""
    sentences: dict[str, dict[str, int]] = {}
    for split, language, names, source in groups(mirror, "udpos"):
        if split == "test":
            sentences.setdefault(language, {})[source.reader] = sum(1 for _ in readers.read(source, mirror, names))
    both = {language: counts for language, counts in sentences.items() if len(counts) == 2}
    assert set(both) == {"af", "kk", "mr", "te"}
    assert all(counts["tagged"] == counts["conllu"] for counts in both.values())


def test_files_of_the_mirror_have_their_checksums(mirror):
    """All that the registry knows the checksum of, and CosmosQA's dev set under its own name."""
    found = {name: file_sha256(mirror / name) for name in CHECKSUMS if (mirror / name).is_file()}
    assert len(found) == 94 + 16 + 29
    assert {name for name, checksum in found.items() if checksum != CHECKSUMS[name]} == set()
    assert file_sha256(mirror / "cosmosqa/valid.csv") == CHECKSUMS["cosmosqa/data/valid.csv"]
