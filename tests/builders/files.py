"""Texts of raw files by hand."""


def conllu(*words):
    """Return a sentence: (id, form, tag, head) or (id, form, tag, head, enhanced dependencies) a word."""
    lines = []
    for identity, form, tag, head, *enhanced in words:
        lines.append("\t".join([identity, form, "_", tag, "_", "_", head, "_", *(enhanced or ["_"]), "_"]))
    return "\n".join(lines) + "\n\n"


# Made-up lines in the format of the manual of LDC2005T13, D.2
TITLE = "ID=made_0001.1 PARSER=GOLD NUMPARSE=1\n"
DERIVATION = (
    "(<T S[dcl] 0 2> (<T S[dcl] 1 2> (<L NP NNS NNS Bees NP>) (<T S[dcl]\\NP 0 2> (<L (S[dcl]\\NP)/NP VBP VBP like "
    "(S[dcl]\\NP_1)/NP_2>) (<T NP 0 1> (<L N NN NN -LRB-honey-RRB- N>) ) ) ) (<L . . . . .>) )"
)


def squad(context="Rome is old. It is in Italy.", **paragraph):
    answer = {"text": "Italy", "answer_start": 22}
    questions = [
        {"id": "q1", "question": "Where?", "answers": [answer, answer]},
        {"id": "q2", "question": "When?", "is_impossible": True, "answers": [], "plausible_answers": [answer]},
    ]
    first = {"context": context, "qas": questions, **paragraph}
    second = {"context": "So.", "qas": [{"id": 3, "question": "How?", "answers": []}]}
    return {"version": "1", "data": [{"title": "Rome", "paragraphs": [first]}, {"paragraphs": [second, second]}]}


RETRIEVED = {"sentences": ["Rome is old.", "It is in Italy."], "sentence_breaks": [[0, 12], [13, 28]]}
NODE = ("1", "a", "X", "0")
