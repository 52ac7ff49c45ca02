"""Readers of texts, tables and lines."""

import pytest
from xstilts.errors import UserError


def test_tsv_is_unquoted_and_only_a_line_feed_ends_a_line(read):
    content = 'premise\tlabel\n"Yes", he said\t0\nfirst\u2028second\x85third\t1\r\na\rb\t2'
    assert read("tsv", content) == [
        {"premise": '"Yes", he said', "label": "0"},
        {"premise": "first\u2028second\x85third", "label": "1"},
        {"premise": "a\rb", "label": "2"},
    ]
    assert read("tsv", "a\tb\n", header=("x", "y")) == [{"x": "a", "y": "b"}]


def test_quoted_tsv_has_quotes_where_a_cell_has_one(read):
    content = 'NS\t"El ""Cementerio Macpelah"""\t0\r\nhe\'s 5 feet\tshe is\t1\r\n'
    assert read("tsv_quoted", content, header=("one", "other", "label")) == [
        {"one": "NS", "other": 'El "Cementerio Macpelah"', "label": "0"},
        {"one": "he's 5 feet", "other": "she is", "label": "1"},
    ]
    assert read("tsv_quoted", '"a ""b"""\tc\n', header=("one", "other", "label")) == [{"one": 'a "b"', "other": "c"}]
    with pytest.raises(UserError, match=r":1: not TSV whose cells with a quote are quoted"):
        read("tsv_quoted", '"Rang" is a film\tc\t1\n', header=("one", "other", "label"))


def test_csv_has_quotes_commas_and_lines_in_cells(read):
    content = 'context,label\r\n"He said ""no"",\r\nand left.",e\r\nplain 5" nail,n'
    assert read("csv", content) == [
        {"context": 'He said "no",\nand left.', "label": "e"},
        {"context": 'plain 5" nail', "label": "n"},
    ]
    assert read("csv", "a,b\n", header=("x", "y")) == [{"x": "a", "y": "b"}]
    assert read("csv", f"x\n{'y' * 200_000}\n") == [{"x": "y" * 200_000}]


def test_text_has_a_paragraph_a_line(read):
    assert read("text", "One.\n\n  \nTwo. \n") == [{"text": "One."}, {"text": "Two. "}]


def test_lines_of_one_file_and_of_two(read):
    assert read("lines", "eins\n\nzwei\n") == [{"first": "eins"}, {"first": ""}, {"first": "zwei"}]
    assert read("lines", "eins\nzwei\n", "one\r\ntwo") == [
        {"first": "eins", "second": "one"}, {"first": "zwei", "second": "two"},
    ]  # fmt: skip


def test_bucc_gives_both_sides_and_the_gold_partner(read):
    rows = read("bucc", "de-1\teins\nde-2\tzwei\n", "en-1\ttwo\nen-2\tthree\nen-3\ta\tb\n", "de-2\ten-1\n")
    assert rows == [
        {"id": "de-1", "text": "eins", "side": "foreign", "match": None},
        {"id": "de-2", "text": "zwei", "side": "foreign", "match": "en-1"},
        {"id": "en-1", "text": "two", "side": "english", "match": "de-2"},
        {"id": "en-2", "text": "three", "side": "english", "match": None},
        {"id": "en-3", "text": "a\tb", "side": "english", "match": None},
    ]


def test_a_byte_order_mark_at_the_start_is_no_text(read):
    mark = "\ufeff"
    assert read("tsv", f"{mark}a\tb\n1\t{mark}2\n") == [{"a": "1", "b": f"{mark}2"}]
    assert read("jsonl", mark + '{"a": 1}') == [{"a": 1}]
    assert read("json_rows", mark + '{"0": {"a": 1}}') == [{"a": 1}]


def test_all_rows_of_a_file_may_lack_the_last_column(read):
    for reader in ("tsv", "tagged"):
        assert all(set(row) == {"a"} for row in read(reader, "x\ny\n", header=("a", "b")))
        with pytest.raises(UserError, match=r":2: 2 columns where 1 \(a\) belong"):
            read(reader, "x\ny\tz\n", header=("a", "b"))
