"""Every family, form and tuning: trains a step, is saved, and reads back equal; and what each family's vectors are."""

import itertools
import json

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest
import torch
import transformers
from families import FAMILIES, write
from xstilts import forms
from xstilts.data.dataset import Split
from xstilts.data.sources import tiny
from xstilts.errors import UserError
from xstilts.evaluation import prediction
from xstilts.models import adapters
from xstilts.models.backbone import load_backbone
from xstilts.models.distributed import Group
from xstilts.models.model import Model, load_model, make_head, save_model, tensors
from xstilts.tokenization import masking
from xstilts.tokenization.tokenizer import ModelTokenizer
from xstilts.tokenization.tokens import Tokens
from xstilts.training.step import Batch, make_optimiser, take_step

CPU = torch.device("cpu")
LABELS = ["yes", "no", "maybe"]
LENGTHS = {"max_length": 32, "stride": 4, "max_question_length": 8, "max_query_length": 16, "mask_rate": 0.15}
OPTIMISER = {"weight_decay": 0.01, "adam_beta2": 0.999, "adam_epsilon": 1e-8}
METHODS = {
    "full": {"name": "full"},
    "lora": {"name": "lora", "rank": 2, "alpha": 4, "dropout": 0.0, "modules": "all-linear"},
    "prompt": {"name": "prompt", "prompt_length": 3},
    "prefix": {"name": "prefix", "prompt_length": 3},
}
# a part of a family's model, and the whole
MODELS = [*FAMILIES, "mt5-encoder"]
# what has no keys and values that could come from outside, and what has no language-model head
NO_PREFIX, NO_HEAD = {"modernbert", "mt5-encoder"}, {"mt5-encoder"}


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    made = {}
    for family in FAMILIES:
        made[family] = tmp_path_factory.mktemp(family)
        write(family, made[family])
    made["mt5-encoder"] = made["mt5"]
    return made


def part_of_model(name):
    return "encoder" if name.endswith("-encoder") else None


def numerics(name, dtype="float32", precision="float32"):
    return {"submodel": part_of_model(name), "dtype": dtype, "precision": precision}


def rows_of(form):
    """Return rows of a form, more than one length among them."""
    rng = np.random.default_rng(1)

    def text(words):
        return " ".join(rng.choice(tiny.LEXICON[:-2], words))

    rows = []
    for number in range(6):
        words = tiny.LEXICON[number : number + 4 + number]
        context = " ".join(words)
        rows.append({
            "classification": {"text_a": text(4 + number), "text_b": text(3) if number % 2 else None,
                               "label": number % 3},
            "tagging": {"words": words, "tags": [place % 3 for place in range(len(words))]},
            "multiple_choice": {"context": text(4), "question": text(3), "choices": [text(2), text(3), text(1)],
                                "label": number % 3},
            "span": {"context": context, "question": text(3),
                     "answers": [{"text": words[1], "start": context.index(words[1])}] if number else []},
            "mlm": {"text": text(6 + number)},
            "retrieval": {"query": text(3), "text": text(4), "context": text(3) if number % 2 else None,
                          "keys": [str(number)]},
        }[form] | {"language": "en", "example_id": str(number)})  # fmt: skip
    return rows


@pytest.fixture(scope="module")
def parts(folders, tmp_path_factory):
    """Return by family and form the tokens with their rows."""
    place = tmp_path_factory.mktemp("parts")
    made = {}
    for name, form in itertools.product(MODELS, TRAINED):
        rows, tokenizer = rows_of(form), ModelTokenizer(folders[name])
        path = place / f"{form}.parquet"
        pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), path)
        arrays = forms.get(form).encode(rows, tokenizer, LENGTHS)
        made[name, form] = Split(Tokens(arrays, tokenizer.pad, tokenizer.segment_end), path, "")
    return made


TRAINED = [name for name, form in forms.FORMS.items() if form.trained]


def entry_of(form):
    decoding = {"n_best": 5, "max_answer_length": 5} if form == "span" else {}
    return {"task": "task", "form": form, "labels": LABELS, "decoding": decoding, "scoring": None}


def step(model, form, part, number=0, rate=1e-2):
    """Take one training step and return its loss."""
    trained = [one for one in model.parameters() if one.requires_grad]
    optimiser = make_optimiser(model, OPTIMISER)
    assert sum(len(group["params"]) for group in optimiser.param_groups) == len(trained)
    instances = np.arange(len(part.tokens))
    module = forms.get(form)
    inputs, targets = module.batch(part.tokens, instances, number)
    batch = Batch(0, [(inputs, targets, len(instances), module.terms(targets, len(instances)))], number)
    return take_step(model.train(), optimiser, entry_of(form), batch, rate, 1.0, Group(), CPU)


def outputs(model, form, part):
    instances = np.arange(len(part.tokens))
    inputs = tensors(forms.get(form).batch(part.tokens, instances, 0)[0], CPU)
    with torch.inference_mode():
        return model.eval()("task", inputs, len(instances))


def fresh(folders, name, form, method, precision="float32"):
    """Return a model before its first step."""
    reduced = precision == "bfloat16" and method != "full"
    settings = numerics(name, "bfloat16" if reduced else "float32", precision)
    backbone = adapters.load([folders[name]], settings["submodel"], settings["dtype"])
    adapters.inject(backbone, METHODS[method], 1)
    model = Model(backbone, {"task": make_head(entry_of(form), backbone, 1, folders[name])}, precision)
    adapters.freeze(model.backbone, model.heads, False)
    return model, settings


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("name", MODELS)
def test_every_form_trains_a_step_and_reads_back_equal(folders, parts, tmp_path, name, method):
    if method == "prefix" and name in NO_PREFIX:
        backbone = adapters.load([folders[name]], part_of_model(name), "float32")
        with pytest.raises(UserError, match="a prefix needs a model whose layers take keys and values"):
            adapters.inject(backbone, METHODS[method], 1)
        return
    for form in TRAINED:
        if form == "mlm" and name in NO_HEAD:
            with pytest.raises(UserError, match="has no language-model head"):
                fresh(folders, name, form, method)
            continue
        part = parts[name, form]
        model, settings = fresh(folders, name, form, method)
        before = {key: value.clone() for key, value in model.state_dict().items()}
        first = step(model, form, part)
        assert np.isfinite(first)
        changed = {key for key, value in model.state_dict().items() if not torch.equal(value, before[key])}
        named = list(model.named_parameters(remove_duplicate=False))
        trained = {key for key, value in named if value.requires_grad}
        adapter = {key for key in trained if key.startswith("backbone.")}
        # what is trained changes and nothing else does; of a model with an adapter that is the adapter and fresh heads
        assert changed <= trained and adapter & changed
        assert method == "full" or all("lora" in key or "prompt" in key for key in adapter)
        second = step(model, form, part)
        assert second != first
        folder = tmp_path / form
        folder.mkdir()
        save_model(model, folder, Group())
        assert adapters.is_adapter(folder) == (method != "full")
        below = [folders[name]] if method != "full" else []
        again = load_model([folder, *below], [entry_of(form)], settings, folders[name])
        assert torch.equal(outputs(model, form, part), outputs(again, form, part)), form
        # a second run from here: what is saved is what a later phase starts from
        assert prediction.evaluate(again, entry_of(form), part, CPU)[0]


@pytest.mark.parametrize("name", MODELS)
def test_bfloat16_holds_what_is_not_trained(folders, parts, tmp_path, name):
    part = parts[name, "classification"]
    model, settings = fresh(folders, name, "classification", "lora", "bfloat16")
    kinds = {parameter.requires_grad: set() for parameter in model.parameters()}
    for parameter in model.parameters():
        kinds[parameter.requires_grad].add(parameter.dtype)
    assert kinds == {True: {torch.float32}, False: {torch.bfloat16}}
    step(model, "classification", part)
    save_model(model, tmp_path, Group())
    again = load_model([tmp_path, folders[name]], [entry_of("classification")], settings, None)
    one, other = outputs(model, "classification", part), outputs(again, "classification", part)
    assert torch.equal(one, other) and one.dtype == torch.float32


@pytest.mark.parametrize("name", MODELS)
def test_padding_changes_nothing(folders, parts, name):
    """The vectors of a text are the same alone and beside a longer one."""
    part = parts[name, "classification"]
    backbone = load_backbone(folders[name], part_of_model(name)).eval()
    order = np.argsort(part.tokens.lengths)
    with torch.inference_mode():
        together = backbone(tensors(part.tokens.inputs(order), CPU))
        alone = backbone(tensors(part.tokens.inputs(order[:1]), CPU))
    length = alone.hidden_states.shape[1]
    assert length < together.hidden_states.shape[1]
    torch.testing.assert_close(together.hidden_states[:1, :length], alone.hidden_states, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(together.pooled[:1], alone.pooled, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("name", "family", "first"),
    [("xlm-r", "masked", True), ("bert", "masked", True), ("modernbert", "masked", True),
     ("mt5", "encoder_decoder", False), ("mt5-encoder", "encoder", False),
     ("llama", "decoder", False), ("qwen", "decoder", False), ("gemma", "decoder", False)],
)  # fmt: skip
def test_sentence_vector_by_family(folders, parts, name, family, first):
    """The first position's of a masked model; of the others the last one's that is no padding."""
    backbone = load_backbone(folders[name], part_of_model(name)).eval()
    assert backbone.family == family
    tokens = parts[name, "classification"].tokens
    inputs = tensors(tokens.inputs(np.arange(len(tokens))), CPU)
    with torch.inference_mode():
        states = backbone(inputs)
    places = [0 if first else length - 1 for length in inputs["mask"].sum(1).tolist()]
    assert torch.equal(states.pooled, states.hidden_states[torch.arange(len(places)), places])
    assert backbone.depth == 2 and backbone.width == 16 and len(backbone.layers(inputs)) == 3


@pytest.mark.parametrize("name", MODELS)
def test_no_answer_is_scored_by_the_sentence(folders, parts, name):
    """At the first position, by the sentence's vector, which in a decoder is another one; elsewhere by their own."""
    part = parts[name, "span"]
    model, _ = fresh(folders, name, "span", "full")
    inputs = tensors(part.tokens.inputs(np.arange(len(part.tokens))), CPU)
    head = model.heads["task"]
    with torch.inference_mode():
        states = model.eval().backbone(inputs)
        scores = model("task", inputs, len(part.tokens))
        torch.testing.assert_close(scores[:, 0], head.out(states.pooled))
        torch.testing.assert_close(scores[:, 1:], head.out(states.hidden_states[:, 1:]))


def test_decoder_of_an_encoder_decoder_reads_the_text_moved_by_one(folders, parts):
    tokens = parts["mt5", "classification"].tokens
    inputs = tensors(tokens.inputs(np.arange(1)), CPU)
    backbone = load_backbone(folders["mt5"]).eval()
    direct = transformers.MT5Model.from_pretrained(folders["mt5"]).eval()
    moved = torch.cat([torch.zeros(1, 1, dtype=torch.int64), inputs["ids"][:, :-1]], dim=1)
    with torch.inference_mode():
        expected = direct(input_ids=inputs["ids"], attention_mask=inputs["mask"], decoder_input_ids=moved)
        assert torch.equal(backbone(inputs).hidden_states, expected.last_hidden_state)
        for one, other in zip(
            backbone.layers(inputs),
            expected.encoder_hidden_states
            or direct.encoder(
                input_ids=inputs["ids"], attention_mask=inputs["mask"], output_hidden_states=True
            ).hidden_states,
            strict=True,
        ):
            assert torch.equal(one, other)  # fmt: skip


def test_bert_is_told_the_second_segment(folders, parts):
    """As transformers' tokenizer of BERT has it: 1 from after the first [SEP] on, 0 in padding."""
    tokens = parts["bert", "classification"].tokens
    inputs = tokens.inputs(np.arange(len(tokens)))
    for ids, segments in zip(inputs["ids"].tolist(), inputs["segments"].tolist(), strict=True):
        pair = ids.count(2) == 2
        first = ids.index(2)
        end = len(ids) - ids[::-1].index(2)
        assert segments == [int(pair and first < place < end) for place in range(len(ids))]
    backbone = load_backbone(folders["bert"]).eval()
    with torch.inference_mode():
        told = backbone(tensors(inputs, CPU)).hidden_states
        untold = backbone(tensors({key: inputs[key] for key in ("ids", "mask")}, CPU)).hidden_states
    pairs = [number for number, ids in enumerate(inputs["ids"].tolist()) if ids.count(2) == 2]
    assert len(pairs) == 3
    assert [number for number in range(len(told)) if not torch.equal(told[number], untold[number])] == pairs
    assert "segments" not in parts["xlm-r", "classification"].tokens.inputs(np.arange(2))


@pytest.mark.parametrize("name", ["llama", "qwen", "gemma"])
def test_byte_level_tokenizers(folders, name):
    """Words have their space, two texts a line break between them, and what is missing nobody needs."""
    tokenizer = ModelTokenizer(folders[name])
    encoding = tokenizer.words([["cat", "helps", "dog"]])[0]
    assert encoding.ids == tokenizer.tokenize(["cat helps dog"])[0].ids
    assert encoding.word_ids[0] == 0 and encoding.word_ids[-1] == 2
    assert tokenizer.middle == tokenizer.tokenize(["\n"])[0].ids
    assert tokenizer.objective == masking.CAUSAL and tokenizer.mask is None


# Language modelling by family


@pytest.mark.parametrize("name", sorted(set(MODELS) - NO_HEAD))
def test_language_model_loss_is_that_of_transformers(folders, parts, name):
    """The mean over all positions to be told, of the model's own class with the same inputs and labels."""
    part = parts[name, "mlm"]
    instances = np.arange(len(part.tokens))
    inputs, targets = forms.get("mlm").batch(part.tokens, instances, 3)
    direct = getattr(transformers, FAMILIES[name][1]).from_pretrained(folders[name]).eval()
    arguments = {"input_ids": inputs["ids"], "attention_mask": inputs["mask"]}
    if "segments" in inputs:
        arguments["token_type_ids"] = inputs["segments"]
    arguments = {key: torch.from_numpy(value) for key, value in arguments.items()}
    right = torch.from_numpy(targets["labels"])
    if name == "mt5":
        arguments["labels"] = right
        expected = direct(**arguments, decoder_attention_mask=torch.from_numpy(inputs["decoder_mask"])).loss
    else:
        logits = direct(**arguments).logits
        chosen = right != -100
        expected = torch.nn.functional.cross_entropy(logits[chosen].float(), right[chosen])
    model, _ = fresh(folders, name, "mlm", "full")
    with torch.inference_mode():
        raw = model.eval()("task", tensors(inputs, CPU), len(instances))
        loss = forms.get("mlm").loss(raw, tensors(targets, CPU))
    assert float(loss) == pytest.approx(expected.item(), rel=1e-5)
    assert forms.get("mlm").terms(targets, len(instances)) == len(raw)


def test_causal_tells_the_next_piece(parts):
    tokens = parts["qwen", "mlm"].tokens
    inputs, targets = masking.causal(tokens, np.arange(2), 0)
    for row in range(2):
        length = int(inputs["mask"][row].sum())
        assert targets["labels"][row, : length - 1].tolist() == inputs["ids"][row, 1:length].tolist()
        assert (targets["labels"][row, length - 1 :] == -100).all()


def test_spans_put_together_again_are_the_text(parts):
    """Sentinels in order; the spans of the targets put in their place give the text; 15 % of it, at least a token."""
    tokens = parts["mt5", "mlm"].tokens
    first, last = 2, 101
    for key in range(20):
        inputs, targets = masking.spans(tokens, np.arange(len(tokens)), key)
        for unit in range(len(tokens)):
            text = tokens.arrays["ids"][tokens.arrays["starts"][unit] : tokens.arrays["starts"][unit + 1]].tolist()
            read = inputs["ids"][unit][inputs["mask"][unit] == 1].tolist()
            told = inputs["decoder_ids"][unit][inputs["decoder_mask"][unit] == 1].tolist()
            assert read[-1] == told[-1] == text[-1] == 1
            lost, sentinel = {}, None
            for token in told[:-1]:
                if first <= token <= last:
                    sentinel = token
                    lost[sentinel] = []
                else:
                    lost[sentinel].append(token)
            # extra_id_0 has the highest number
            assert list(lost) == [last - place for place in range(len(lost))]
            whole = [word for token in read[:-1] for word in lost.get(token, [token])]
            assert whole == text[:-1]
            assert sum(map(len, lost.values())) == max(1, round(0.15 * (len(text) - 1)))
    once, _ = masking.spans(tokens, np.arange(len(tokens)), 3)
    alone, _ = masking.spans(tokens, np.array([4]), 3)
    width = alone["ids"].shape[1]
    assert (once["ids"][4, :width] == alone["ids"][0]).all()
    others = [masking.spans(tokens, np.array([4]), key)[0]["ids"].tolist() for key in range(20)]
    assert len({str(ids) for ids in others}) > 5


@pytest.mark.parametrize(
    ("length", "share", "lost", "number"),
    [(1, 0.15, 1, 1), (2, 0.15, 1, 1), (20, 0.15, 3, 1), (40, 0.15, 6, 2), (200, 0.15, 30, 10), (200, 0.3, 60, 20)],
)
def test_number_of_spans(length, share, lost, number):
    tokens = np.arange(1000, 1000 + length)
    read, told = masking._with_sentinels(tokens, np.arange(100)[::-1], share, masking._rng(1, 2))
    assert int((told >= 1000).sum()) == lost
    assert int((read < 1000).sum()) == int((told < 1000).sum()) == number


# From one phase to the next


def tuned(folders, name, form, method, part, start=None):
    """Return a model after two steps, from a fresh one or from folders."""
    backbone = adapters.load(start or [folders[name]], part_of_model(name), "float32")
    adapters.inject(backbone, METHODS[method], 2)
    model = Model(backbone, {"task": make_head(entry_of(form), backbone, 2, folders[name])})
    adapters.freeze(model.backbone, model.heads, False)
    for number in range(2):
        step(model, form, part, number)
    return model


@pytest.mark.parametrize(("before", "after"), [("lora", "lora"), ("lora", "full"), ("lora", "prompt"), ("full", "lora"),
                                               ("prompt", "prompt"), ("prefix", "prefix")])  # fmt: skip
@pytest.mark.parametrize("name", ["xlm-r", "qwen", "mt5"])
def test_second_phase_starts_from_the_first(folders, parts, tmp_path, name, before, after):
    part = parts[name, "classification"]
    one, two = tmp_path / "one", tmp_path / "two"
    one.mkdir()
    two.mkdir()
    model = tuned(folders, name, "classification", before, part)
    save_model(model, one, Group())
    start = [one, folders[name]] if before != "full" else [one]
    # what the second phase starts from gives the first one's vectors, though a LoRA adapter is part of the weights now
    inputs = tensors(part.tokens.inputs(np.arange(len(part.tokens))), CPU)
    backbone = adapters.load(start, None, "float32")
    adapters.inject(backbone, METHODS["full" if before != after else after], 2)
    with torch.inference_mode():
        expected, found = model.eval().backbone(inputs).hidden_states, backbone.eval()(inputs).hidden_states
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)
    later = tuned(folders, name, "classification", after, part, start)
    if after == "full":
        assert all(parameter.requires_grad for parameter in later.parameters())
    save_model(later, two, Group())
    chain = [two, *start] if after != "full" else [two]
    again = load_model(chain, [entry_of("classification")], numerics(name), None)
    assert torch.equal(outputs(later, "classification", part), outputs(again, "classification", part))


def test_fresh_adapters_depend_on_the_seed_alone(folders):
    states = itertools.count()

    def adapter(method, seed):
        torch.manual_seed(next(states))
        backbone = adapters.load([folders["xlm-r"]], None, "float32")
        adapters.inject(backbone, METHODS[method], seed)
        return {key: value for key, value in backbone.state_dict().items() if "lora_A" in key or "prompt" in key}

    for method in ("lora", "prompt", "prefix"):
        first, again, other = adapter(method, 1), adapter(method, 1), adapter(method, 2)
        assert first and all(torch.equal(first[key], again[key]) for key in first)
        assert any(not torch.equal(first[key], other[key]) for key in first)


def test_a_fresh_prompt_is_made_of_pieces(folders):
    backbone = adapters.load([folders["xlm-r"]], None, "float32")
    adapters.inject(backbone, METHODS["prompt"], 1)
    prompt = backbone.transformer.prompt_encoder["default"].embedding.weight
    tokens = backbone.transformer.get_input_embeddings().weight
    assert all((tokens == vector).all(1).any() for vector in prompt)


def test_fresh_lora_changes_no_output(folders, parts):
    part = parts["xlm-r", "classification"]
    inputs = tensors(part.tokens.inputs(np.arange(3)), CPU)
    plain = load_backbone(folders["xlm-r"]).eval()
    adapted = load_backbone(folders["xlm-r"])
    adapters.inject(adapted, METHODS["lora"], 1)
    with torch.inference_mode():
        assert torch.equal(plain(inputs).hidden_states, adapted.eval()(inputs).hidden_states)


def test_saved_adapter_is_peft_s_and_says_nothing_of_this_machine(folders, parts, tmp_path):
    import peft

    model = tuned(folders, "xlm-r", "classification", "lora", parts["xlm-r", "classification"])
    save_model(model, tmp_path, Group())
    text = (tmp_path / adapters.CONFIGURATION).read_text()
    assert str(folders["xlm-r"]) not in text and json.loads(text)["r"] == 2
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "adapter_config.json", "adapter_model.safetensors", "heads.safetensors"
    ]  # fmt: skip
    inputs = tensors(parts["xlm-r", "classification"].tokens.inputs(np.arange(3)), CPU)
    plain = transformers.AutoModel.from_pretrained(folders["xlm-r"])
    by_peft = peft.PeftModel.from_pretrained(plain, tmp_path).eval()
    with torch.inference_mode():
        expected = by_peft(input_ids=inputs["ids"], attention_mask=inputs["mask"]).last_hidden_state
        torch.testing.assert_close(model.eval().backbone(inputs).hidden_states, expected)


def test_adapter_has_no_room_beside_a_long_text(folders):
    backbone = adapters.load([folders["xlm-r"]], None, "float32")
    adapters.inject(backbone, METHODS["prompt"], 1)
    ids = torch.full((1, 62), 9)
    with pytest.raises(UserError, match="62 tokens and the 3 of the adapter are more than the 64 positions"):
        backbone({"ids": ids, "mask": torch.ones_like(ids)})


def test_frozen_embeddings_stay(folders, parts):
    part = parts["xlm-r", "classification"]
    model, _ = fresh(folders, "xlm-r", "classification", "full")
    adapters.freeze(model.backbone, model.heads, True)
    before = model.backbone.transformer.get_input_embeddings().weight.clone()
    step(model, "classification", part)
    assert torch.equal(model.backbone.transformer.get_input_embeddings().weight, before)
