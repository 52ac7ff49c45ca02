"""Readers of treebanks."""

import logging

import pytest

from tests.builders.files import DERIVATION, TITLE, conllu

DAMELO = [("1-3", "dámelo", "_", "_"), ("1", "da", "VERB", "0"), ("2", "me", "PRON", "1"), ("3", "lo", "PRON", "1")]
IM_HAUS = [("1-2", "im", "_", "_"), ("1", "in", "ADP", "3"), ("2", "dem", "DET", "3"), ("3", "Haus", "NOUN", "0")]
# Italian: a copula and a clitic on the same predicate
ESSERLO = [("1-2", "esserlo", "_", "_"), ("1", "esser", "AUX", "3"), ("2", "lo", "PRON", "3"), ("3", "sì", "ADV", "0")]
# the enhanced graph has one more ancestor for the second word than the basic one
ENHANCED = [
    ("1-2", "ab", "_", "_"),
    ("1", "a", "DET", "3"),
    ("2", "b", "NOUN", "3", "3:x|4:y"),
    ("3", "c", "VERB", "0"),
]
FUSED = {
    "the word nearest to the root": (DAMELO, "x", ["dámelo"], ["VERB"]),
    "of equals, by precedence": (IM_HAUS, "x", ["im", "Haus"], ["ADP", "NOUN"]),
    "another precedence": (ESSERLO, "x", ["esserlo", "sì"], ["PRON", "ADV"]),
    "Italian's precedence": (ESSERLO, "it_isdt-ud-dev.conllu", ["esserlo", "sì"], ["AUX", "ADV"]),
    "enhanced dependencies count": (ENHANCED, "x", ["ab", "c"], ["DET", "VERB"]),
}


@pytest.mark.parametrize("case", FUSED)
def test_conllu_fused_forms_take_the_tag_that_xtreme_takes(read, case):
    sentence, name, words, tags = FUSED[case]
    assert read("conllu", conllu(*sentence), names=(name,)) == [{"words": words, "tags": tags}]


def test_conllu_forms_and_nodes(read):
    content = "# text = ...\n" + conllu(
        ("1", "می\u200cرود", "VERB", "0"), ("1.1", "left", "VERB", "_"), ("2", "3 500", "NUM", "1"),
        ("3-4", "du", "_", "_"), ("3", "de", "ADP", "1"), ("4", "le", "SYM", "1"),
        ("5-6", "au", "_", "_"), ("5", "à", "SYM", "1"), ("6", "le", "_", "1"),
    )  # fmt: skip
    words, tags = ["میرود", "3500", "du", "au"], ["VERB", "NUM", "ADP", "SYM"]
    assert read("conllu", content) == [{"words": words, "tags": tags}]


def test_conllu_sentences_without_their_text_are_left_out_and_logged(read, caplog):
    hidden = conllu(("1", "_", "DET", "2"), ("2", "_", "NOUN", "0"), ("3", ".", "PUNCT", "2"))
    shown = conllu(("1", "_", "SYM", "2"), ("2", "a", "NOUN", "0"), ("3", ".", "PUNCT", "2"))
    with caplog.at_level(logging.WARNING):
        assert [row["words"] for row in read("conllu", hidden + shown + hidden)] == [["_", "a", "."]]
    assert "2 sentences without their text (_) are left out" in caplog.text


def test_ccg_auto(read):
    assert read("ccg_auto", f"{TITLE}{DERIVATION}\n{TITLE}(<L N NN NN Yes N>)\n") == [
        {"words": ["Bees", "like", "-LRB-honey-RRB-", "."], "tags": ["NP", "(S[dcl]\\NP)/NP", "N", "."]},
        {"words": ["Yes"], "tags": ["N"]},
    ]
