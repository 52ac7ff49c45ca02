"""The bibliography: every task, model, benchmark and tool has its entries, and files that are wrong are refused."""

import re

import pytest
from xstilts.errors import UserError
from xstilts.planning import bibliography, registry

ENTRIES = registry.load().bibliography
NAMED = registry.load().bibtex
BOOK = "@book{one,\n  title = {One}\n}\n"


@pytest.mark.parametrize("name", NAMED)
def test_everything_that_papers_cite_has_an_entry(name):
    assert NAMED[name] and set(NAMED[name]) <= set(ENTRIES)


def test_every_entry_is_of_something():
    assert set(ENTRIES) == {key for keys in NAMED.values() for key in keys}


@pytest.mark.parametrize("key", ENTRIES)
def test_entries_are_whole(key):
    """An author, a title and a year, braces in pairs, and nothing that LaTeX takes for something else."""
    entry = ENTRIES[key]
    assert {"author", "title", "year"} <= set(re.findall(r"^  (\w+) *= \{", entry, re.M))
    assert entry.count("{") == entry.count("}") and entry.isascii()
    assert not re.search(r"(?<!\\)[&%#_]", entry)
    assert entry.count(" = {") == len(re.findall(r"\},?$", entry.removesuffix("\n}"), re.M))


def plain(text):
    return re.sub(r"[{}\\'\"]", "", text).lower()


def field(key, name):
    return plain(re.search(rf"^  {name} *= (.*?),?$", ENTRIES[key], re.M)[1])


CITATIONS = {f"task {name}": task.citation for name, task in registry.load().tasks.items()}
CITATIONS |= {f"model {name}": model["citation"] for name, model in registry.load().models.items()}
CITATIONS |= {f"benchmark {name}": benchmark.citation for name, benchmark in registry.load().benchmarks.items()}
BY_PAPER = [
    name for name, text in CITATIONS.items() if re.match(r".* (19|20)\d\d, [A-Z]", text) and "made by" not in text
]


@pytest.mark.parametrize("name", BY_PAPER)
def test_entries_agree_with_citations(name):
    """The first author's name, the year and the title of the line that data cards print are those of an entry."""
    who, year, title = re.match(r"(.*?) ((?:19|20)\d\d), (.*?)(?: \(|; |, in |$)", CITATIONS[name]).groups()
    surname = re.split(r" et al\.| and | Team", plain(who))[0]
    found = [key for key in NAMED[name] if surname in field(key, "author").split(" and ")[0]]
    assert any(field(key, "year") == year and field(key, "title").startswith(plain(title)) for key in found)


def test_entries_are_read(tmp_path):
    path = tmp_path / "a.bib"
    path.write_text("% a comment\n\n" + BOOK + "\n@misc{two:2,\n  title = {{T}wo}\n}\n")
    assert bibliography.read(path) == {"one": BOOK.strip(), "two:2": "@misc{two:2,\n  title = {{T}wo}\n}"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (BOOK + BOOK, "two entries have the key 'one'"),
        ("@book{one,\n title = {One}\n\n" + BOOK, "one: no closing brace at the start of a line"),
        (BOOK + "\nOne, a book\n", "a.bib:5: 'One, a book' is no part of an entry"),
        ("@book{one, title = {One}}\n", "a.bib:1: '@book{one, title = {One}}' is no part"),
    ],
)
def test_wrong_files_are_refused(tmp_path, text, message):
    path = tmp_path / "a.bib"
    path.write_text(text)
    with pytest.raises(UserError, match=re.escape(message)):
        bibliography.read(path)


def test_a_key_without_entry_is_refused():
    with pytest.raises(UserError, match="task mine: bibtex: bibliography.bib has no entry 'too'; did you mean 'two'"):
        bibliography.check({"task mine": ["one", "too"]}, {"one": "", "two": ""})
