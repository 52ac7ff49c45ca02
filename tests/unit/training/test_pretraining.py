"""Phase 0: a tokenizer and a model made from text, and a control with random weights that shares its tokens."""

from dataclasses import replace

import pytest
import torch
import transformers
from safetensors.torch import load_file
from xstilts import schema
from xstilts.hardware import Hardware
from xstilts.models.distributed import Group
from xstilts.planning import registry
from xstilts.planning.plan import make_plan
from xstilts.planning.sourcing import Indexes
from xstilts.planning.study import read_study
from xstilts.training import pretraining

from tests.builders.plans import make_stages, name_of, node_of

MADE = {
    "text": {"languages": ["en", "de"], "dev_rows": 8},
    "tokenizer": {"vocabulary_size": 200, "positions": 40},
    "shape": {"layers": 1, "hidden_size": 16, "heads": 2, "intermediate_size": 32},
    "steps": 30,
    "phase": {"batch_size": 16, "max_length": 32, "learning_rate": 1e-2},
}
STUDY = """
{description: x, source: tiny, models: [made, control], targets: {xnli: }, languages: [en, de], seeds: [1],
 mixtures: {none: , two: [{task: text, languages: [en, de]}]},
 recipes: {short: {intermediate: {max_length: 32}, target: {max_length: 32}}}}
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A plan, and results with what pretraining reads."""
    folder = tmp_path_factory.mktemp("pretraining")
    (folder / "study.yaml").write_text(STUDY)
    entries = {"made": {"pretrained": MADE}, "control": {"pretrained": {**MADE, "steps": 0}}}
    known = registry.load()
    known = replace(known, models={**known.models, **schema.check(entries, "models.yaml", "test")})
    plan = make_plan(read_study(folder / "study.yaml", known), known, Indexes(None, {}))
    results = folder / "results"
    make_stages(plan, results, ("data", "prepared", "tokenizers", "tokens"))
    return plan, results


def model_of(made, name, folder):
    """Pretrain a model into a folder; return its node and what the manifest states."""
    plan, results = made
    node = node_of(plan, "pretrained", name)
    (folder / "work").mkdir(parents=True)
    (folder / "out").mkdir()
    stated = pretraining.pretrain(node.spec, results, folder / "out", folder / "work", Hardware(), Group())
    return node, stated


def test_models_share_tokenizer_and_tokens(made):
    plan, _ = made
    assert len(plan.stage("tokenizers")) == 1 and len(plan.stage("pretrained")) == 2
    # both languages as one task, for pretraining and for the mixture; then xnli's training and evaluation data
    assert len(plan.stage("tokens")) == 4
    (intermediate,) = [node for node in plan.stage("intermediate").values() if name_of(plan, node).startswith("made.")]
    (tokens,) = [name for role, name in intermediate.spec.parents.items() if role.startswith("tokens.")]
    members = plan.nodes[plan.nodes[tokens].spec.parents["prepared"]].spec.members
    assert list(members) == ["text", "text@de"]


def test_pretrained_model_is_whole_and_has_learnt(made, tmp_path):
    """With its language-model head, tied, as a model from the hub; its dev loss is the one that training measured."""
    _, stated = model_of(made, "made", tmp_path / "made")
    out = tmp_path / "made/out"
    files = {path.name for path in out.iterdir()}
    assert files == {"config.json", "history.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"}
    model, report = transformers.AutoModelForMaskedLM.from_pretrained(out, output_loading_info=True)
    assert not report["missing_keys"] and not report["unexpected_keys"]
    assert model.get_output_embeddings().weight is model.get_input_embeddings().weight
    model_of(made, "control", tmp_path / "control")
    control = load_file(tmp_path / "control/out/model.safetensors")
    assert control.keys() == load_file(out / "model.safetensors").keys()
    again, _ = model_of(made, "made", tmp_path / "again")
    assert (tmp_path / "again/out/model.safetensors").read_bytes() == (out / "model.safetensors").read_bytes()
    # the head of the end, not that of the start
    trained = load_file(out / "model.safetensors")
    changed = [key for key, value in trained.items() if not torch.equal(value, control[key])]
    assert "lm_head.bias" in changed and "lm_head.dense.weight" in changed
    assert again.spec.sampling.steps == 30 and stated.steps == 30
    # below a uniform guess among the tokens
    assert stated.run.dev["text"].scores["loss"] < torch.log(torch.tensor(float(model.config.vocab_size))).item() - 0.5
