"""Every error of a reader names file and line."""

import json
from types import SimpleNamespace

import pyarrow
import pyarrow.parquet
import pytest
from xstilts.data import readers
from xstilts.errors import UserError

from tests.builders.files import DERIVATION, NODE, TITLE, conllu, squad

ERRORS = {
    # reader, header, contents, message
    "empty": ("tsv", None, [""], r"/a: empty; fetch"),
    "a byte-order mark alone": ("lines", None, ["\ufeff"], r"/a: empty; fetch"),
    "latin-1": ("tsv", None, ["gr\u00fcn".encode("latin-1")], r"/a: not UTF-8 at byte 2"),
    "latin-1 far on": ("lines", None, [b"x", b"x" * 30_000 + b"\xff"], r"/b: not UTF-8 at byte 30000"),
    "UTF-16": ("text", None, ["word".encode("utf-16")], r"/a: not UTF-8 at byte 0"),
    "UTF-16 without a mark": ("text", None, ["word".encode("utf-16-le")], r"/a:1: a NUL character; is the file UTF-16"),
    "latin-1 in JSON": ("squad", None, ['{"data": "\u00fc"}'.encode("latin-1")], r"/a: not UTF-8 at byte 10"),
    "few columns": ("tsv", None, ["a\tb\n1\t2\n1\n"], r"/a:3: 1 columns where 2 \(a, b\) belong: '1'"),
    "a name twice": ("tsv", None, ["a\ta\n"], r"/a:1: a name stands twice in the header 'a, a'"),
    "CSV's columns": ("csv", None, ['a,b\n"1\n2",3\n1,2,3\n'], r"/a:4: 3 columns where 2 \(a, b\) belong"),
    "CSV that is cut": ("csv", None, ['a,b\n1,2\n1,"3\n4\n'], r"/a:3: not CSV .*truncated"),
    "CSV after a quote": ("csv", None, ['a,b\n"1"2,3\n'], r"/a:2: not CSV"),
    "CSV's empty line": ("csv", None, ["a,b\n\n"], r"/a:2: 0 columns where 2"),
    "unequal lines": ("lines", None, ["1\n2\n", "1\n"], r"/a: 2 lines, but b has 1"),
    "three files of lines": ("lines", None, ["1", "1", "1"], r"/a: lines are read from one file or from two"),
    "two of BUCC's files": ("bucc", None, ["x-1\ta", "en-1\tb"], r"/a: BUCC needs three files .* not 2"),
    "an id that repeats": ("bucc", None, ["x-1\ta\nx-1\tb", "en-1\tb", "x-1\ten-1"], r"/a:2: the id 'x-1' stands on"),
    "a gold id without text": ("bucc", None, ["x-1\ta", "en-1\tb", "x-1\ten-2"], r"/c:1: 'en-2' is not in b"),
    "gold sides exchanged": ("bucc", None, ["x-1\ta", "en-1\tb", "en-1\tx-1"], r"/c:1: 'en-1' is not in a"),
    "two partners": ("bucc", None, ["x-1\ta\nx-2\ta", "e\tb", "x-1\te\nx-2\te"], r"/c:2: 'e' stands in an earlier"),
    "BUCC without text": ("bucc", None, ["x-1", "en-1\tb", "x-1\ten-1"], r"/a:1: not an id, a tab and a text"),
    "no tag": ("tagged", None, ["a\tX\nb\n"], r"/a:2: 1 columns where 2 \(words, tags\) belong: 'b'"),
    "an empty tag": ("tagged", None, ["a\t\n"], r"/a:1: no tags: 'a\\t'"),
    "an empty word": ("tagged", None, ["\tX\n"], r"/a:1: no words: '\\tX'"),
    "tabs alone": ("tagged", None, ["\t\n"], r"/a:1: no words"),
    "no names": ("conll", None, ["a\tb\n"], r"/a: the reader conll needs the names of all columns"),
    "a column more": ("conll", ("words",), ["a\n#\tb\n"], r"/a:2: 2 columns where 1 \(words\) belong"),
    "CoNLL-U's columns": ("conllu", None, ["1\ta\n"], r"/a:1: 2 columns where CoNLL-U has 10"),
    "a gap": ("conllu", None, [conllu(NODE, ("3", "b", "X", "1"))], r"/a:2: id '3' where word 2 belongs"),
    "a word twice": ("conllu", None, [conllu(NODE, NODE)], r"/a:2: id '1' where word 2 belongs"),
    "an empty node elsewhere": ("conllu", None, [conllu(("1.1", "b", "X", "1"))], r"/a:1: id '1.1' where word 1"),
    "a huge id": ("conllu", None, [conllu(("9" * 5000, "b", "X", "1"))], r"/a:1: id '9+\.\.\.' where word 1"),
    "a range backwards": ("conllu", None, [conllu(("1-1", "b", "_", "_"), NODE)], r"/a:1: id '1-1' where word 1"),
    "a range too long": ("conllu", None, [conllu(("1-2", "b", "_", "_"), NODE)], r"/a:3: .* token 1-2 goes beyond"),
    "a range alone": ("conllu", None, [conllu(("1-2", "b", "_", "_"))], r"/a:2: .* token 1-2 goes beyond"),
    "overlapping ranges": (
        "conllu", None, [conllu(("1-2", "b", "_", "_"), NODE, ("2-3", "c", "_", "_"))], r"/a:3: .*2-3 overlaps",
    ),
    "no form": ("conllu", None, [conllu(("1", "\u200c", "X", "0"))], r"/a:1: no form"),
    "no universal tag": ("conllu", None, [conllu(("1", "a", "", "0"))], r"/a:1: no tag"),
    "no title": ("ccg_auto", None, [DERIVATION], r"/a:1: a line that begins with ID= belongs here, not '\(<T S"),
    "no derivation": ("ccg_auto", None, [TITLE + TITLE], r"/a:2: the derivation of line 1 belongs here, not 'ID="),
    "nothing follows": ("ccg_auto", None, [TITLE], r"/a:1: no derivation follows"),
    "a cut derivation": ("ccg_auto", None, [TITLE + DERIVATION[:-1]], r"/a:2: not a derivation .*truncated"),
    "a leaf that lacks a cell": ("ccg_auto", None, [TITLE + "(<T N 0 1> (<L N NN a N>) )"], r"/a:2: not a derivation"),
    "two trees": ("ccg_auto", None, [TITLE + "(<L N NN NN a N>) (<L N NN NN b N>)"], r"/a:2: not a derivation"),
    "no JSON": ("jsonl", None, ['{"a": 1}\n{"a": '], r"/a:2: not JSON .*truncated"),
    "no object": ("jsonl", None, ["[]"], r"/a:1: not a JSON object"),
    "NaN": ("jsonl", None, ['{"a": NaN}'], r"/a:1: not JSON \(NaN is not a number of JSON\)"),
    "a key twice": ("json_rows", None, ['{"0": {}, "1": {}, "0": {}}'], r"/a: not JSON \(the key '0' stands twice"),
    "half a surrogate pair": ("jsonl", None, ['{"a": "\\ud83d"}'], r"/a:1: half a surrogate pair"),
    "a huge integer": ("jsonl", None, ['{"a": ' + "9" * 5000 + "}"], r"/a:1: not JSON \(Exceeds the limit"),
    "nested too deeply": ("json_rows", None, ["[" * 100_000], r"/a: not a data file: its JSON is nested too deeply"),
    "no rows": ("json_rows", None, ['{"0": []}'], r"/a: not an object of rows"),
    "two lists of rows": ("json_rows", None, ['{"0": [{}], "1": [{}]}'], r"/a: not an object of rows"),
    "no Parquet": ("parquet", None, ["PAR1 and no more"], r"/a: not a readable Parquet file"),
}  # fmt: skip


@pytest.mark.parametrize("case", ERRORS)
def test_errors_name_file_and_line(read, case):
    reader, header, contents, message = ERRORS[case]
    with pytest.raises(UserError, match=message) as error:
        read(reader, *contents, header=header)
    assert len(str(error.value).splitlines()) == 1


SQUAD_ERRORS = {
    "another format": (lambda content: content.pop("data"), r"/a: not in SQuAD's format: data is missing"),
    "no list": (lambda content: content.update(data={}), r"/a: not in SQuAD's format: data is missing or not of the"),
    "no object": (lambda content: content["data"].append(1), r"/a: not in SQuAD's format: data 3 is not an object"),
    "no context": (
        lambda content: content["data"][1]["paragraphs"][1].pop("context"), r"/a, data 2, paragraphs 2: .*context is",
    ),
    "no answers": (
        lambda content: content["data"][0]["paragraphs"][0]["qas"][0].pop("answers"),
        r"/a, data 1, paragraphs 1, qas 1: .*answers is missing",
    ),
    "a start that is no number": (
        lambda content: content["data"][0]["paragraphs"][0]["qas"][0]["answers"][0].update(answer_start=True),
        r"/a, data 1, paragraphs 1, qas 1, answers 1: .*answer_start is missing or not of the type int",
    ),
    "an id that is none": (
        lambda content: content["data"][0]["paragraphs"][0]["qas"][1].update(id=None), r"qas 2: .*type str or int",
    ),
    "impossible as a text": (
        lambda content: content["data"][0]["paragraphs"][0]["qas"][1].update(is_impossible="false"),
        r"qas 2: .*is_impossible is missing or not of the type bool",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", SQUAD_ERRORS)
def test_squad_errors_name_the_place(read, case):
    change, message = SQUAD_ERRORS[case]
    content = squad()
    content["data"][1]["paragraphs"][1] = dict(content["data"][1]["paragraphs"][1])
    change(content)
    with pytest.raises(UserError, match=message):
        read("squad", json.dumps(content))


@pytest.mark.parametrize(
    ("sentences", "breaks", "message"),
    [
        (["Rome is old."], [[0, 12], [13, 28]], "1 sentences, but 2 sentence_breaks"),
        (["Rome is old.", "It is in Italy."], [[0, 12], [12, 28]], "sentence 2 is not what its sentence_breaks cut"),
        (["Rome is old.", "It is in Italy."], [[0, 12], [13, None]], "sentence 2 is not what its sentence_breaks cut"),
        (["Rome is old."], [[-28, 12]], "sentence 1 is not what its sentence_breaks cut"),
        (["Rome is old."], None, "sentence_breaks is missing or not of the type list"),
    ],
)
def test_sentences_must_be_what_their_breaks_cut(read, sentences, breaks, message):
    with pytest.raises(UserError, match=f"/a, data 1, paragraphs 1: .*{message}"):
        read("squad", json.dumps(squad(sentences=sentences, sentence_breaks=breaks)))


def test_parquet_errors(read, tmp_path):
    text = pyarrow.array(["a"])
    pyarrow.parquet.write_table(pyarrow.Table.from_arrays([text, text], ["x", "x"]), tmp_path / "twice")
    with pytest.raises(UserError, match=r"/a: two columns have the same name"):
        read("parquet", (tmp_path / "twice").read_bytes())
    latin = pyarrow.Array.from_buffers(
        pyarrow.string(), 1, [None, pyarrow.py_buffer(b"\0\0\0\0\1\0\0\0"), pyarrow.py_buffer(b"\xfc")]
    )
    pyarrow.parquet.write_table(pyarrow.table({"x": latin}), tmp_path / "latin")
    with pytest.raises(UserError, match=r"/a: a text that is not UTF-8"):
        read("parquet", (tmp_path / "latin").read_bytes())


def test_files_that_cannot_be_opened(tmp_path, monkeypatch):
    source = SimpleNamespace(reader="tsv", header=None)
    with pytest.raises(UserError, match=r"/a: no such file"):
        list(readers.read(source, tmp_path, ["a"]))
    (tmp_path / "a").write_text("x")

    def refuse(path, **_):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr("builtins.open", refuse)
    with pytest.raises(UserError, match=r"/a: cannot be read \(Permission denied\)"):
        list(readers.read(source, tmp_path, ["a"]))
