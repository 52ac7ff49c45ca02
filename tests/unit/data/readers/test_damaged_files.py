"""Fuzzed input: one line that names the file, or the right number of rows; no traceback, no silent wrong count."""

import io
import itertools
import json
import logging
import re
from types import SimpleNamespace

import pyarrow
import pyarrow.parquet
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from xstilts.data import readers
from xstilts.data.readers import conllu
from xstilts.errors import UserError

# The same examples at every run: a test that fails fails again.
FUZZ = settings(max_examples=120, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("fuzz")


def rows_or_error(folder, reader, contents, header=None):
    """Write and read files: rows that can be written as UTF-8, or None after an error of one line that names a file."""
    names = [f"file-{number}" for number in range(len(contents))]
    for name, content in zip(names, contents, strict=True):
        # a new file: some file systems wait for the disk where an old one is cut and written again
        (folder / name).unlink(missing_ok=True)
        (folder / name).write_bytes(content)
    try:
        rows = list(readers.read(SimpleNamespace(reader=reader, header=header), folder, names))
        json.dumps(rows, ensure_ascii=False, default=repr).encode()
        return rows
    except UserError as error:
        message = str(error)
        assert len(message.splitlines()) == 1, message
        assert any(str(folder / name) in message for name in names), message
        assert len(message) < 600, message
        return None


def lines_of(content):
    lines = content.decode().removeprefix("\ufeff").split("\n")
    return [line.removesuffix("\r") for line in (lines if lines[-1] else lines[:-1])]


def count_blocks(lines):
    return sum(filled for filled, _ in itertools.groupby(lines, key=lambda line: bool(line.strip(" "))))


def count_conll(content):
    comment = re.compile("#[^\t]*($| [^\t]*\t)")
    return count_blocks([line for line in lines_of(content) if not comment.match(line)])


def count_csv(content, delimiter=","):
    """Count the line ends outside quotes; a quote counts only in a cell that starts with one."""
    text = content.decode().removeprefix("\ufeff").replace("\r\n", "\n")
    rows, quoted, start = 0, False, None
    for character in text if text.endswith("\n") else text + "\n":
        if not quoted and character in f"{delimiter}\n":
            rows, start = rows + (character == "\n"), None
            continue
        start = start or character
        if start == character == '"':
            quoted = not quoted
    return rows - 1


def paragraphs_of(content):
    articles = json.loads(content.decode("utf-8-sig"))["data"]
    return [paragraph for article in articles for paragraph in article["paragraphs"]]


def count_questions(content):
    return sum(len(paragraph["qas"]) for paragraph in paragraphs_of(content))


def count_answerable(content):
    questions = [question for paragraph in paragraphs_of(content) for question in paragraph["qas"]]
    return sum(not question.get("is_impossible") and len(question["answers"]) > 0 for question in questions)


def count_questions_and_sentences(content):
    asked = [paragraph for paragraph in paragraphs_of(content) if paragraph["qas"]]
    return sum(len(paragraph["qas"]) + len(paragraph["sentence_breaks"]) for paragraph in asked)


def parquet_file(rows):
    file = io.BytesIO()
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), file)
    return file.getvalue()


ROWS = [{"text": f"text {number} \u00fc\u4e2d", "label": number, "nested": {"a": ["x"]}} for number in range(5)]
QUESTION = {"id": "q", "question": "Where?", "answers": [{"text": "Rome", "answer_start": 0}], "is_impossible": False}
PARAGRAPH = {
    "context": "Rome is old. So.", "qas": [QUESTION, QUESTION],
    "sentences": ["Rome is old.", "So."], "sentence_breaks": [[0, 12], [13, 16]],
}  # fmt: skip
SQUAD = {"data": [{"title": "t", "paragraphs": [PARAGRAPH, PARAGRAPH]}, {"title": "u", "paragraphs": [PARAGRAPH]}]}
CONLLU = (
    "# text = im Haus\n1-2\tim\t_\t_\t_\t_\t_\t_\t_\t_\n1\tin\tin\tADP\t_\t_\t3\tcase\t_\t_\n"
    "2\tdem\tder\tDET\t_\t_\t3\tdet\t3:det\t_\n3\tHaus\tHaus\tNOUN\t_\t_\t0\troot\t_\t_\n3.1\tist\t_\t_\t_\t_\t_\t_\t_\t_\n\n"
    "1\tja\tja\tINTJ\t_\t_\t0\troot\t_\t_\n\n"
)
AUTO = (
    "ID=made_0001.1 PARSER=GOLD NUMPARSE=1\n(<T S[dcl] 0 2> (<L NP NNS NNS Bees NP>) (<L S[dcl]\\NP VBP VBP fly x>) )\n"
)
# reader: (header, valid files, how to count their rows)
FORMATS = {
    "tsv": (None, ["a\tb\n1\t2\n\u00fc\t\u4e2d\n5\t6\n"], lambda one: len(lines_of(one)) - 1),
    "csv": (None, ['a,b\r\n1,"2 ""x"""\r\n"\u00fc\n,",\u4e2d\r\n5,6\r\n'], count_csv),
    "tsv_quoted": (
        None, ['a\tb\r\n1\t"2 ""x"""\r\n"\u00fc\t"\t\u4e2d\r\n5\t6\r\n'], lambda one: count_csv(one, "\t"),
    ),
    "text": (
        None, ["One \u00fc.\n\nTwo \u4e2d.\nThree.\n"], lambda one: sum(bool(line.strip()) for line in lines_of(one)),
    ),
    "lines": (None, ["eins\nzw\u00f6lf\ndrei\n", "one\ntwelve\nthree\n"], lambda one, _: len(lines_of(one))),
    "bucc": (
        None, ["d-1\teins\nd-2\tzw\u00f6lf\n", "e-1\tone\ne-2\ttwelve\ne-3\tno\n", "d-1\te-1\nd-2\te-2\n"],
        lambda one, other, _: len(lines_of(one)) + len(lines_of(other)),
    ),
    "tagged": (None, ["Der\tDET\nB\u00e4r\tNOUN\n\nja\tINTJ\n\n\n#\tSYM\n"], lambda one: count_blocks(lines_of(one))),
    "conll": (
        ("words", "x", "tags"), ["# raw sent = B\u00e4r #\nB\u00e4r\tx\tn\n#\tx\tn\n\n# c\nja\tx\tn\n\n"], count_conll,
    ),
    "conllu": (None, [CONLLU + CONLLU], lambda one: sum(line.startswith("1\t") for line in lines_of(one))),
    "ccg_auto": (None, [AUTO * 3], lambda one: sum(line.startswith("ID=") for line in lines_of(one))),
    "jsonl": (
        None, ["".join(json.dumps(row) + "\n" for row in ROWS)],
        lambda one: sum(bool(line.strip(" \t\r")) for line in lines_of(one)),
    ),
    "json_rows": (
        None, [json.dumps(dict(enumerate(ROWS)))],
        lambda one: len(json.loads(one.decode("utf-8-sig"), object_pairs_hook=list)),
    ),
    "squad": (None, [json.dumps(SQUAD, ensure_ascii=False)], count_questions),
    "squad_sentences": (None, [json.dumps(SQUAD)], count_answerable),
    "xquad_r": (None, [json.dumps(SQUAD)], count_questions_and_sentences),
    "parquet": (None, [parquet_file(ROWS)], lambda one: len(ROWS)),
}  # fmt: skip
JUNK = [
    b"\0", b"\xff", b"\xc3", b"\xef\xbb\xbf", b"\r", b"\r\n", b"\n", b"\n\n", b" ", b"\t", b'"', b'""', b",", b"#",
    b"_", b"\\", b"\\ud800", b"\\u0000", b"\x1c", b"\x1b[0m", b"\x7f", "\x85\u2028\u00a0\u200c\ufeff".encode(),
    b"null", b"{}", b"[]", b"NaN", b"-Infinity", b"1e999", b"9" * 5000, b"x" * 150_000, b"[" * 50_000,
    b'{"a":' * 50_000, b"ID=", b"1-2\t", b"(<L ", b"d-1", b"../../etc/passwd",
]  # fmt: skip
ENCODINGS = ["utf-16", "utf-16-le", "utf-32", "latin-1", "utf-8-sig", "cp1252"]
# functions of the content, two places in it, and junk
DAMAGES = [
    lambda content, first, last, junk: content[:first],
    lambda content, first, last, junk: content[:first] + content[last:],
    lambda content, first, last, junk: content[:last] + content[first:],
    lambda content, first, last, junk: content[last:] + content[first:last] + content[:first],
    lambda content, first, last, junk: content[:first] + junk + content[first:],
    lambda content, first, last, junk: content[:first] + junk + content[first + len(junk) :],
    lambda content, first, last, junk: b"".join(sorted(content.splitlines(keepends=True))),
    lambda content, first, last, junk: b"".join(content.splitlines(keepends=True)[::-1]),
    lambda content, first, last, junk: content.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n"),
    lambda content, first, last, junk: content.replace(junk, b"") if junk else content,
    *(
        lambda content, first, last, junk, name=name: content.decode(errors="replace").encode(name, errors="replace")
        for name in ENCODINGS
    ),
]


@st.composite
def damaged(draw, contents):
    """Draw the files with a few places damaged."""
    contents = list(contents)
    for _ in range(draw(st.integers(1, 3))):
        number = draw(st.integers(0, len(contents) - 1))
        first, last = sorted(draw(st.integers(0, len(contents[number]))) for _ in range(2))
        damage, junk = draw(st.sampled_from(DAMAGES)), draw(st.sampled_from(JUNK) | st.binary(max_size=3))
        contents[number] = damage(contents[number], first, last, junk)
    return contents


@pytest.fixture
def check(folder):
    """What reads damaged files and compares the number of rows; sentences that a reader leaves out are in the log."""
    hidden = []
    handler = logging.Handler()
    handler.emit = lambda record: hidden.append(record.args[1])
    conllu.log.addHandler(handler)

    def compare(reader, contents):
        hidden.clear()
        header, _, count = FORMATS[reader]
        rows = rows_or_error(folder, reader, contents, header)
        assert rows is None or len(rows) + sum(hidden) == count(*contents)
        return rows

    yield compare
    conllu.log.removeHandler(handler)


def valid(reader):
    return [content if isinstance(content, bytes) else content.encode() for content in FORMATS[reader][1]]


@pytest.mark.parametrize("reader", FORMATS)
def test_valid_files_are_read(check, reader):
    """The files that are damaged below are right before."""
    assert len(check(reader, valid(reader))) > 1


@pytest.mark.parametrize("reader", FORMATS)
def test_junk_anywhere(check, reader):
    """Every kind of junk at places over each file, and after its first lines."""
    for number, content in enumerate(valid(reader)):
        spread = range(0, len(content) + 1, max(len(content) // 5, 1))
        ends = [match.end() for match in re.finditer(b"\n", content)][:3]
        for junk, place in itertools.product(JUNK, [*spread, *ends]):
            contents = valid(reader)
            contents[number] = content[:place] + junk + content[place:]
            check(reader, contents)


@pytest.mark.parametrize("reader", FORMATS)
def test_damaged_files(check, reader):
    @FUZZ
    @given(damaged(valid(reader)))
    def damage(contents):
        check(reader, contents)

    damage()


def test_parquet_with_a_changed_byte(check):
    """Every byte in turn."""
    (content,) = valid("parquet")
    for place, byte in enumerate(content):
        check("parquet", [content[:place] + bytes([byte ^ 1 << place % 8]) + content[place + 1 :]])


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.just(10**4000),
    lambda inside: st.lists(inside, max_size=3) | st.dictionaries(st.sampled_from(["text", "qas", "x"]), inside),
    max_leaves=5,
)


def places(content, place=()):
    """Return where values stand in nested lists and objects."""
    inside = content.items() if isinstance(content, dict) else enumerate(content) if isinstance(content, list) else ()
    return [place, *itertools.chain.from_iterable(places(value, (*place, key)) for key, value in inside)]


def replaced(content, place, value):
    if not place:
        return value
    copy = content.copy()
    copy[place[0]] = replaced(content[place[0]], place[1:], value)
    return copy


@pytest.mark.parametrize("reader", ["squad", "squad_sentences", "xquad_r"])
def test_squad_with_a_value_of_another_type(check, reader):
    @FUZZ
    @given(st.sampled_from(places(SQUAD)), ANYTHING)
    def replace(place, value):
        content = json.dumps(replaced(SQUAD, place, value)).encode()
        for row in check(reader, [content]) or ():
            assert all(isinstance(row[field], str) for field in ("context", "question") if reader == "squad")

    replace()


# What is written is what is read, whatever the text.
TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0\t\n"), max_size=20).map(
    lambda text: text.rstrip("\r")
)
WORD = TEXT.filter(lambda text: text.strip(" ") and not text.startswith("\ufeff"))


@FUZZ
@given(st.lists(st.tuples(TEXT, TEXT), min_size=1), st.sampled_from(["\n", "\r\n"]), st.booleans())
def test_tsv_gives_back_what_was_written(folder, rows, end, last):
    content = end.join(f"{one}\t{other}" for one, other in [("a", "b"), *rows]) + end * last
    expected = [{"a": one, "b": other} for one, other in rows]
    assert rows_or_error(folder, "tsv", [content.encode()]) == expected


@FUZZ
@given(st.lists(st.tuples(*[st.text(st.characters(codec="utf-8", exclude_characters="\0\r"))] * 2)), st.booleans())
def test_csv_gives_back_what_was_written(folder, rows, mark):
    quoted = [",".join('"' + cell.replace('"', '""') + '"' for cell in row) for row in [("a", "b"), *rows]]
    content = "\ufeff" * mark + "\r\n".join(quoted)
    assert rows_or_error(folder, "csv", [content.encode()]) == [{"a": one, "b": other} for one, other in rows]


@FUZZ
@given(st.lists(st.lists(st.tuples(WORD, WORD), min_size=1, max_size=3), min_size=1, max_size=4), st.integers(1, 3))
def test_tagged_gives_back_what_was_written(folder, sentences, between):
    blocks = ["".join(f"{word}\t{tag}\n" for word, tag in sentence) for sentence in sentences]
    expected = [
        {"words": [word for word, _ in sentence], "tags": [tag for _, tag in sentence]} for sentence in sentences
    ]
    assert rows_or_error(folder, "tagged", [("\n" * between).join(blocks).encode()]) == expected


@FUZZ
@given(st.lists(st.tuples(WORD, WORD), min_size=1))
def test_lines_give_back_what_was_written(folder, rows):
    contents = ["\n".join(side).encode() for side in zip(*rows, strict=True)]
    assert rows_or_error(folder, "lines", contents) == [{"first": one, "second": other} for one, other in rows]


@FUZZ
@given(*[st.dictionaries(WORD, WORD, min_size=1, max_size=4)] * 2, st.data())
def test_bucc_gives_back_what_was_written(folder, foreign, english, data):
    pairs = list(
        zip(data.draw(st.permutations(list(foreign))), data.draw(st.permutations(list(english))), strict=False)
    )
    contents = [
        "".join(f"{one}\t{other}\n" for one, other in side) for side in (foreign.items(), english.items(), pairs)
    ]
    matches = dict(pairs) | {"": None}
    backwards = {other: one for one, other in pairs}
    expected = [
        *({"id": key, "text": text, "side": "foreign", "match": matches.get(key)} for key, text in foreign.items()),
        *({"id": key, "text": text, "side": "english", "match": backwards.get(key)} for key, text in english.items()),
    ]
    assert rows_or_error(folder, "bucc", [content.encode() for content in contents]) == expected


NUMBERS = st.integers(-(10**20), 10**20) | st.floats(allow_nan=False, allow_infinity=False)
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | st.text(st.characters(codec="utf-8")),
    lambda inside: st.lists(inside, max_size=3) | st.dictionaries(TEXT, inside, max_size=2),
    max_leaves=4,
)


@FUZZ
@given(st.lists(st.dictionaries(TEXT, VALUES, max_size=3), min_size=1, max_size=3), st.booleans())
def test_json_gives_back_what_was_written(folder, rows, escaped):
    lines = "\n".join(json.dumps(row, ensure_ascii=escaped) for row in rows)
    assert rows_or_error(folder, "jsonl", [lines.encode()]) == rows
    content = json.dumps({str(number): row for number, row in enumerate(rows)}, ensure_ascii=escaped)
    assert rows_or_error(folder, "json_rows", [content.encode()]) == rows
