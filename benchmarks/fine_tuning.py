"""Sides of the benchmarks of fine-tuning: ours and transformers' Trainer, on real text, taking turns in one process.

===========  =========================================================================================
ours         ``sampler.Schedule``, ``Batches`` and ``take_step``
(a)          the Trainer as ``run_xnli``-style scripts have it: every text padded to the longest allowed
(b)          the Trainer at its best: dynamic padding, batches grouped by length, fused AdamW
===========  =========================================================================================

Both take their batches from our tokens; those of a round are a sample, stratified by length, of the batches that the
side's own sampler makes in an epoch. All have as many threads as OMP_NUM_THREADS says, by default one.
"""

import json
import math
import os
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

THREADS = int(os.environ.setdefault("OMP_NUM_THREADS", "1"))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "workflow_scripts"))

import numpy as np  # noqa: E402 (the number of threads has to be set before)
import torch  # noqa: E402
import transformers  # noqa: E402
from safetensors.torch import load_file  # noqa: E402
from torch import nn  # noqa: E402
from transformers.trainer_pt_utils import LengthGroupedSampler  # noqa: E402
from xstilts import forms  # noqa: E402
from xstilts.data.sampler import Schedule  # noqa: E402
from xstilts.forms import heads  # noqa: E402
from xstilts.hardware import Hardware  # noqa: E402
from xstilts.models import distributed  # noqa: E402
from xstilts.models.backbone import Backbone  # noqa: E402
from xstilts.models.model import Model, make_head  # noqa: E402
from xstilts.phase import Optimisation  # noqa: E402
from xstilts.store.sampling import Sampling, TaskShare  # noqa: E402
from xstilts.store.specs.models import TaskSpec  # noqa: E402
from xstilts.tokenization.tokenizer import ModelTokenizer  # noqa: E402
from xstilts.tokenization.tokens import Tokens  # noqa: E402
from xstilts.training.step import Batches, learning_rate, make_optimiser, take_step  # noqa: E402

ROUNDS = 7
RATE, WARMUP, CLIP, EPSILON = 1e-4, 0.1, 1.0, 1e-8
OPTIMISATION = Optimisation(
    warmup=WARMUP,
    weight_decay=0.0,
    adam_beta2=0.999,
    adam_epsilon=EPSILON,
    gradient_norm=CLIP,
    frozen_embeddings=False,
    compile=False,
)
# the labels of the tasks with pairs of texts
LABELS = {"mnli": ["entailment", "neutral", "contradiction"], "qqp": ["0", "1"]}


@dataclass(frozen=True)
class Task:
    """A task with its training data; ``each`` is how many steps a round has."""

    name: str
    form: str
    tokens: Tokens
    rows: list[dict[str, Any]]
    batch_size: int
    longest: int
    each: int

    @property
    def spec(self) -> TaskSpec:
        """The task as training and prediction know it."""
        return TaskSpec(
            task=self.name,
            form=self.form,
            labels=LABELS.get(self.name),
            metric="accuracy",
            epochs=1,
            batch_size=self.batch_size,
            decoding={},
            scoring="squad",
            weight=1,
        )

    def schedule(self, seed: int) -> Schedule:
        """Return the batches of an epoch."""
        instances = np.arange(len(self.tokens))
        share = TaskShare(self.name, instances, self.tokens.lengths, len(self.rows), 1.0, 1, self.batch_size)
        # windows of a long text are instances too
        return Schedule([share], Sampling(steps=math.ceil(len(instances) / self.batch_size)), seed)


def pairs(name: str, mirror: Path, tokenizer: ModelTokenizer) -> Task:
    """Return MNLI or QQP, with the length of XTREME's scripts."""
    content = json.loads((mirror / f"{name}/train.json").read_text(encoding="utf-8")).values()
    rows = [{**row, "label": LABELS[name].index(row["label"]), "language": "en"} for row in content]
    return encoded(name, "classification", rows, tokenizer, {"max_length": 128}, 32, 4)


def squad(mirror: Path, tokenizer: ModelTokenizer) -> Task:
    """Return SQuAD 2.0's dev set, the largest file of its kind in the mirror, as training data."""
    articles = json.loads((mirror / "squad_v2/dev-v2.0.json").read_text(encoding="utf-8"))["data"]
    rows = [
        {
            "context": paragraph["context"], "question": question["question"], "language": "en",
            "answers": [{"text": answer["text"], "start": answer["answer_start"]} for answer in question["answers"]],
        }
        for article in articles for paragraph in article["paragraphs"] for question in paragraph["qas"]
    ]  # fmt: skip
    lengths = {"max_length": 384, "max_question_length": 64, "stride": 128}
    return encoded("squad", "span", rows, tokenizer, lengths, 16, 2)


def encoded(name: str, form: str, rows: list, tokenizer: ModelTokenizer, lengths: dict, batch: int, each: int) -> Task:
    """Return a task of rows, with so many instances a batch and steps a round."""
    tokens = Tokens(forms.get(form).encode(rows, tokenizer, lengths), tokenizer.pad, tokenizer.segment_end)
    return Task(name, form, tokens, rows, batch, lengths["max_length"], each)


def encoder(folder: Path, layers: int | None, dropout: float, attention: str = "sdpa") -> nn.Module:
    """Return XLM-R's architecture with the weights of the first layers of an encoder that is a BERT by its file."""
    content = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    kept = ("vocab_size", "hidden_size", "num_attention_heads", "intermediate_size", "layer_norm_eps", "pad_token_id")
    config = transformers.XLMRobertaConfig(
        **{key: content[key] for key in kept}, num_hidden_layers=layers or content["num_hidden_layers"],
        max_position_embeddings=content["max_position_embeddings"] + 2, type_vocab_size=1,
        hidden_dropout_prob=dropout, attention_probs_dropout_prob=dropout, attn_implementation=attention,
    )  # fmt: skip
    body = transformers.XLMRobertaModel(config, add_pooling_layer=False)
    weights = load_file(folder / "model.safetensors")
    positions, types = (f"embeddings.{name}_embeddings.weight" for name in ("position", "token_type"))
    # XLM-R's first two positions stand for padding
    weights[positions] = torch.cat([torch.zeros(2, config.hidden_size), weights[positions]])
    weights[types] = weights[types][:1]
    assert not body.load_state_dict(weights, strict=False).missing_keys
    return body


class Ours:
    """Our loop over given steps of a schedule. All that the benchmark knows of the training's internals is here."""

    def __init__(
        self, task: Task, body: nn.Module, schedule: Schedule, steps: Sequence[int], seed: int = 1,
        precision: str = "float32", device: str = "cpu", change: Callable[[Backbone], None] | None = None,
        make_optimiser: Callable[..., torch.optim.Optimizer] = make_optimiser,
    ) -> None:  # fmt: skip
        """Take the model; ``change`` is done to the backbone before training."""
        backbone = Backbone(body)
        if change is not None:
            change(backbone)
        head = make_head(task.spec, backbone, seed, None)
        self.model = Model(backbone, {task.name: head}, precision).to(device).train()
        self._optimiser = make_optimiser(self.model, OPTIMISATION)
        data = [{"train": SimpleNamespace(tokens=task.tokens, rows=task.rows)}]
        group = distributed.Group()
        self._batches = Batches(schedule, [task.spec], data, [1.0], seed, group, Hardware(), device != "cpu")
        self._steps, self._done, self._task, self._device = list(steps), 0, task.spec, torch.device(device)

    def run(self, count: int) -> list[float]:
        """Do the next steps and return their losses."""
        losses = []
        for step in self._steps[self._done : self._done + count]:
            rate = learning_rate(self._done, len(self._steps), RATE, WARMUP)
            losses += take_step(
                self.model,
                self._optimiser,
                [self._task],
                self._batches.at(step),
                rate,
                OPTIMISATION,
                distributed.Group(),
                self._device,
            ).losses
            self._done += 1
        return losses


class _Recorded(transformers.Trainer):
    """The Trainer, which keeps the loss of every step."""

    def training_step(self, *arguments: Any, **settings: Any) -> torch.Tensor:
        loss = super().training_step(*arguments, **settings)
        self.losses.append(loss.item())
        return loss


class _OurSpanLoss(_Recorded):
    """The Trainer with our loss of spans, which looks at the context alone."""

    def compute_loss(self, model: nn.Module, inputs: dict, *_: Any, **__: Any) -> torch.Tensor:
        out = model(inputs["input_ids"], attention_mask=inputs["attention_mask"])
        scores = torch.stack([out.start_logits, out.end_logits], dim=-1)
        return forms.get("span").loss(scores, {name: inputs[name] for name in ("first", "last", "context")})


class _Turns(transformers.TrainerCallback):
    """Lets a Trainer, in a thread of its own, do so many steps, and then wait."""

    def __init__(self) -> None:
        self.left, self.go, self.done = 0, threading.Semaphore(0), threading.Semaphore(0)

    def on_train_begin(self, *_: Any, **__: Any) -> None:
        self.go.acquire()

    def on_step_end(self, *_: Any, **__: Any) -> None:
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        self.left -= 1
        if self.left == 0:
            self.done.release()
            self.go.acquire()


class Theirs:
    """The Trainer over given batches, with the weights of a body and of our fresh head."""

    def __init__(
        self, task: Task, body: nn.Module, batches: Sequence[np.ndarray], seed: int = 1, padded: bool = False,
        same_loss: bool = False, bf16: bool = False, device: str = "cpu",
    ) -> None:  # fmt: skip
        """Take the batches; ``padded`` to the longest allowed, ``same_loss`` for our loss of spans."""
        head = make_head(task.spec, Backbone(body), seed, None)
        self.model = Model(Backbone(body), {task.name: head})
        self._turns = _Turns()
        arguments = transformers.TrainingArguments(
            output_dir=tempfile.gettempdir(), per_device_train_batch_size=task.batch_size, num_train_epochs=1,
            seed=seed, learning_rate=RATE, warmup_steps=WARMUP, adam_epsilon=EPSILON, max_grad_norm=CLIP,
            report_to="none", save_strategy="no", logging_strategy="no", disable_tqdm=True, use_cpu=device == "cpu",
            bf16=bf16, train_sampling_strategy="sequential", optim="adamw_torch_fused", remove_unused_columns=False,
        )  # fmt: skip
        self.trainer = (_OurSpanLoss if same_loss and task.form == "span" else _Recorded)(
            model=_their_model(body, head), args=arguments, train_dataset=np.concatenate(batches).tolist(),
            data_collator=lambda instances: _their_batch(task, np.array(instances), padded, same_loss),
            callbacks=[self._turns],
        )  # fmt: skip
        self.trainer.remove_callback(transformers.PrinterCallback)
        self.trainer.losses = []
        self._future = ThreadPoolExecutor(1).submit(self.trainer.train)
        self._future.add_done_callback(lambda _: self._turns.done.release())

    def run(self, count: int) -> list[float]:
        """Do the next steps and return their losses."""
        before = len(self.trainer.losses)
        self._turns.left = count
        self._turns.go.release()
        self._turns.done.acquire()
        if self._future.done():
            self._future.result()
        return self.trainer.losses[before:]

    def end(self) -> None:
        """Let the Trainer come to its end."""
        self._turns.go.release()
        self._future.result()


def _their_model(body: nn.Module, head: nn.Module) -> nn.Module:
    """Return a model of transformers, whose weights are those of a body and a head of ours."""
    if isinstance(head, heads.SpanHead):
        model = transformers.XLMRobertaForQuestionAnswering(body.config)
        model.qa_outputs = head.out
    else:
        body.config.num_labels = head.out.out_features
        model = transformers.XLMRobertaForSequenceClassification(body.config)
        model.classifier.dense, model.classifier.out_proj = head.dense, head.out
    model.roberta = body
    return model


def _their_batch(task: Task, instances: np.ndarray, padded: bool, ours: bool) -> dict[str, torch.Tensor]:
    """Return the arguments of a model of transformers."""
    inputs, targets = forms.get(task.form).batch(task.tokens, instances, 0)
    more = (task.longest - inputs["ids"].shape[1]) if padded else 0
    ids, mask = (
        np.pad(inputs[name], ((0, 0), (0, more)), constant_values=fill)
        for name, fill in (("ids", task.tokens.pad), ("mask", 0))
    )
    named = {"input_ids": ids, "attention_mask": mask}
    if task.form == "span" and not ours:
        targets = {"start_positions": targets["first"], "end_positions": targets["last"]}
    return {name: torch.from_numpy(array) for name, array in (named | targets).items()}


def grouped(task: Task, seed: int) -> list[np.ndarray]:
    """Return the batches of an epoch as the Trainer groups them by length."""
    rng = torch.Generator().manual_seed(seed)
    order = np.array(list(LengthGroupedSampler(task.batch_size, lengths=task.tokens.lengths.tolist(), generator=rng)))
    return np.split(order, range(task.batch_size, len(order), task.batch_size))


def epoch(schedule: Schedule) -> list[np.ndarray]:
    """Return the batches of a schedule."""
    return [schedule.batches(step)[0][1] for step in range(schedule.steps)]


def sample(task: Task, batches: Sequence[np.ndarray], each: int) -> list[int]:
    """Return the numbers of one batch and of those of all rounds, for each a sample that is stratified by length."""
    whole = [number for number, instances in enumerate(batches) if len(instances) == task.batch_size]
    whole.sort(key=lambda number: int(task.tokens.lengths[batches[number]].max()))
    chosen = [whole[len(whole) // 2]]
    for turn in range(ROUNDS):
        inside = (turn + 0.5) / ROUNDS
        # every second layer is gone through backwards, so that rounds are about equally long
        places = [(layer + (1 - inside if layer % 2 else inside)) / each for layer in range(each)]
        chosen += [whole[int(place * len(whole))] for place in places]
    return chosen


def positions(task: Task, batches: Sequence[np.ndarray], padded: bool = False) -> float:
    """Return how many positions are computed for each token of text."""
    lengths = task.tokens.lengths
    computed = sum(
        len(instances) * (task.longest if padded else int(lengths[instances].max())) for instances in batches
    )
    return computed / int(lengths[np.concatenate(batches)].sum())


def rounds(sides: dict[str, tuple[Any, int]]) -> dict[str, tuple[list[float], list[float]]]:
    """Return seconds of each round, and losses; sides, with their steps a round, take turns in an order drawn anew."""
    measured = {name: ([], []) for name in sides}
    for side, _ in sides.values():
        side.run(1)
    rng = np.random.default_rng(0)
    for _ in range(ROUNDS):
        for name in rng.permutation([*sides]).tolist():
            side, each = sides[name]
            started = time.perf_counter()
            losses = side.run(each)
            measured[name][0].append(time.perf_counter() - started)
            measured[name][1].extend(losses)
    for side, _ in sides.values():
        getattr(side, "end", lambda: None)()
    return measured


def summary(values: Sequence[float]) -> str:
    """Return the median of values, and the smallest and the largest."""
    return f"{statistics.median(values):.2f} ({min(values):.2f} to {max(values):.2f})"
