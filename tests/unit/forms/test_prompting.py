"""Prompts: templates that a form can fill, the tokens of context and answer, examples drawn by a seed."""

import numpy as np
import pytest
from xstilts import forms
from xstilts.forms import prompting
from xstilts.store.specs.data import Prompt
from xstilts.tokenization.tokenizer import ModelTokenizer
from xstilts.tokenization.tokens import Tokens

from tests.builders.models import LABELS, rows_of

CLASSES = Prompt(context="{text_a} ?", answer=" {answer} {text_b}", words=["the", "a", "not"])
CHOICES = Prompt(context="{context} {question} A {choices_1} B {choices_2}", answer=" {answer}")
SPANS = Prompt(context="{context} {question} :", answer=" {answer}")


def encoded(folder, form, prompt, rows=None, examples=(), **lengths):
    """Return the tokenizer of a model, and the tokens of a form's rows as prompts."""
    tokenizer = ModelTokenizer(folder)
    arrays = prompting.encode(
        rows_of(form) if rows is None else rows, forms.get(form), tokenizer, prompt, {"max_length": 512, **lengths},
        examples,
    )  # fmt: skip
    return tokenizer, Tokens(arrays, tokenizer.pad)


def texts(tokenizer, tokens):
    """Return the texts of context and answer of each sequence."""
    (flags,) = {"answer", "decoder"} & set(tokens.arrays)
    found = []
    for start, stop in zip(tokens.arrays["starts"][:-1], tokens.arrays["starts"][1:], strict=True):
        ids, is_answer = tokens.arrays["ids"][start:stop], tokens.arrays[flags][start:stop] == 1
        found.append((tokenizer.text(ids[~is_answer]), tokenizer.text(ids[is_answer])))
    return found


def test_a_label_is_worded_and_stands_behind_its_context(families):
    row = {"text_a": "a cat", "text_b": "the dog", "label": 2}
    tokenizer, tokens = encoded(families["qwen"], "classification", CLASSES, [row])
    expected = [("a cat ?", f" {word} the dog") for word in ("the", "a", "not")]
    assert texts(tokenizer, tokens) == expected
    assert tokens.arrays["instances"].tolist() == [0, 3]
    assert tokens.arrays["characters"].tolist() == [len(answer.strip()) for _, answer in expected]


def test_choices_are_fields_and_answers(families):
    row = {"context": "who", "question": "is", "choices": ["red", "old"], "label": 0}
    tokenizer, tokens = encoded(families["qwen"], "multiple_choice", CHOICES, [row])
    assert texts(tokenizer, tokens) == [("who is A red B old", " red"), ("who is A red B old", " old")]


def test_text_of_a_row_is_no_template(families):
    row = {"text_a": "{text_b} {answer}", "text_b": None, "label": 0}
    tokenizer, tokens = encoded(families["qwen"], "classification", CLASSES, [row])
    assert texts(tokenizer, tokens)[0] == ("{text_b} {answer} ?", " the ")


def test_white_space_goes_over_to_the_answer(families):
    """A tokenizer has tokens that begin with a space, and none for a space before a word."""
    row = {"text_a": "cat", "text_b": None, "label": 0}
    prompt = Prompt(context="{text_a} ", answer="{answer}", words=["the", "a", "not"])
    tokenizer, tokens = encoded(families["qwen"], "classification", prompt, [row])
    assert texts(tokenizer, tokens)[0] == ("cat", " the")


@pytest.mark.parametrize(("name", "first"), [("llama", "<bos>"), ("qwen", "<eos>")])
def test_an_answer_without_a_context_stands_behind_a_first_token(families, tmp_path, name, first):
    prompt = Prompt(context="", answer="{text_a} {answer}", words=["the", "a", "not"])
    folder = tmp_path / name
    folder.mkdir()
    (folder / "tokenizer.json").write_text((families[name] / "tokenizer.json").read_text())
    (folder / "config.json").write_text((families[name] / "config.json").read_text())
    if name == "qwen":
        with pytest.raises(ValueError, match="no token to begin with"):
            encoded(folder, "classification", prompt)
    (folder / "tokenizer_config.json").write_text('{"eos_token": "<eos>"}')
    tokenizer, tokens = encoded(folder, "classification", prompt)
    starts = tokens.arrays["starts"][:-1]
    assert {tokenizer._tokenizer.id_to_token(int(token)) for token in tokens.arrays["ids"][starts]} == {first}
    assert not tokens.arrays["answer"][starts].any() and tokens.arrays["answer"].sum() == len(
        tokens.arrays["ids"]
    ) - len(starts)


def test_an_encoder_decoder_reads_the_context_and_writes_the_answer(families):
    row = {"text_a": "a cat", "text_b": "the dog", "label": 1}
    tokenizer, tokens = encoded(families["mt5"], "classification", CLASSES, [row])
    inputs, targets = prompting.batch(tokens, np.array([0]), 0)
    end = tokenizer.suffix[0]
    assert (inputs["ids"][:, -1] == end).all() and tokenizer.text(inputs["ids"][0, :-1]) == "a cat ?"
    written = zip(inputs["decoder_ids"], inputs["decoder_mask"], strict=True)
    assert [tokenizer.text(ids[mask == 1]) for ids, mask in written] == ["the the dog", "a the dog", "not the dog"]
    assert np.array_equal(targets["labels"] != -100, inputs["labelled"]) and targets["sequences"].tolist() == [3]


def test_too_long_a_prompt_is_cut_at_its_start(families):
    row = {"text_a": "a cat sees the dog near the house", "text_b": "x", "label": 0}
    tokenizer, whole = encoded(families["llama"], "classification", CLASSES, [row])
    _, cut = encoded(families["llama"], "classification", CLASSES, [row], max_length=12)
    ids = cut.arrays["ids"][: cut.arrays["starts"][1]]
    longer = whole.arrays["ids"][: whole.arrays["starts"][1]]
    assert len(ids) == 12 and ids[0] == tokenizer.prefix[0] and np.array_equal(ids[1:], longer[-11:])
    assert whole.arrays["cut"].tolist() == [0] and cut.arrays["cut"].tolist() == [1]
    with pytest.raises(ValueError, match="an answer has .* tokens"):
        encoded(families["llama"], "classification", CLASSES, [row], max_length=2)


@pytest.mark.parametrize("name", ["llama", "mt5"])
def test_prompts_that_are_cut_are_marked(families, name):
    """A row's, if that of one of its answers is."""
    rows = [{"text_a": text, "text_b": None, "label": 0} for text in ("a cat", "a cat sees the dog", "a")]
    prompt = Prompt(context="{text_a}", answer=" {answer}", words=["the", "the dog near", "a"])
    _, tokens = encoded(families[name], "classification", prompt, rows)
    assert not tokens.arrays["cut"].any()
    # an encoder reads no answer
    read = tokens.arrays["decoder"] == 0 if name == "mt5" else np.ones_like(tokens.arrays["ids"], dtype=bool)
    longest = np.add.reduceat(read, tokens.arrays["starts"][:-1]).max()
    _, tokens = encoded(families[name], "classification", prompt, rows, max_length=longest - 1)
    assert tokens.arrays["cut"].tolist() == [0, 1, 0]


def test_a_decoder_keeps_room_for_what_it_writes(families):
    _, tokens = encoded(families["llama"], "span", SPANS, max_length=20, max_answer_tokens=8)
    assert tokens.sequence_lengths.max() == 12
    assert not tokens.arrays["answer"].any()


def test_a_masked_model_is_refused(families):
    with pytest.raises(ValueError, match="cannot be prompted"):
        encoded(families["xlm-r"], "classification", CLASSES)


def test_examples_stand_first_each_with_its_answer(families):
    rows = rows_of("span")
    tokenizer, tokens = encoded(families["qwen"], "span", SPANS, [rows[2]], rows[3:5])
    worded = [f"{row['context']} {row['question']} : {row['answers'][0]['text']}\n\n" for row in rows[3:5]]
    assert texts(tokenizer, tokens) == [("".join(worded) + f"{rows[2]['context']} {rows[2]['question']} :", "")]


def test_the_seed_alone_draws_examples():
    form, rows = forms.get("span"), [*rows_of("span"), *rows_of("span")]
    drawn = {
        seed: prompting.draw(rows, form, Prompt(context="", answer="", examples=3, seed=seed)) for seed in range(20)
    }
    assert all(len(found) == 3 and all(row["answers"] for row in found) for found in drawn.values())
    again = prompting.draw(rows, form, Prompt(context="{question}", answer="x", examples=3, seed=7))
    assert again == drawn[7]
    assert len({str(found) for found in drawn.values()}) > 15
    more = prompting.draw(rows, form, Prompt(context="", answer="", examples=4, seed=7))
    assert more[:3] == drawn[7]
    with pytest.raises(ValueError, match="11 examples, but only 10 rows with an answer"):
        prompting.draw(rows, form, Prompt(context="", answer="", examples=11, seed=1))


def test_the_likeliest_answer_is_chosen_or_that_of_the_likeliest_character():
    arrays = {"instances": np.array([0, 2, 4]), "characters": np.array([1, 10, 3, 3])}
    tokens = Tokens(arrays, 0)
    assert prompting.choose(tokens, [[-2.0, -5.0], [-1.0, -1.0]], False) == [0, 0]
    assert prompting.choose(tokens, [[-2.0, -5.0], [-2.0, -1.0]], True) == [1, 1]


@pytest.mark.parametrize(
    ("form", "change", "said"),
    [("classification", {"context": "{text}"}, "context: no field {text}; known: {text_a}, {text_b}"),
     ("classification", {"context": "{answer}"}, "context: no field {answer}"),
     ("classification", {"context": "{text_a!r}"}, "a brace that is of no {field}"),
     ("classification", {"answer": "{text_a}"}, "answer: needs {answer} once"),
     ("classification", {"words": {"yes": "Yes"}}, "words: needs a word for each label, yes, no, maybe"),
     ("multiple_choice", {"context": "{choices_4}"}, "no field {choices_4}"),
     ("span", {"answer": "so {answer}"}, "answer: what a model writes is {answer} alone"),
     ("tagging", {}, "cannot answer for tasks of this form")],
)  # fmt: skip
def test_a_template_that_cannot_be_filled_is_refused(form, change, said):
    prompt = {"context": "", "answer": " {answer}", "words": None, **change}
    with pytest.raises(ValueError) as error:
        prompting.check(forms.FORMS[form], prompt, LABELS)
    assert said in str(error.value)
