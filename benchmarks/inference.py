"""Time of prediction in order of length against batches in the data's order, over XNLI's dev sets of a mirror.

Run:  XSTILTS_MIRROR=<raw data sets> XSTILTS_MODEL=<encoder's folder> python benchmarks/inference.py [--rows 2490]

A round is a language: ours (``prediction.predict``), then the same model and the same code with batches in the data's
order, padded to their own longest sequence: once of as many instances as ours have on average, once of eight, the
default of transformers' Trainer. The order of the three turns from round to round. Both sides have as many threads as
OMP_NUM_THREADS says, by default one. Predictions have to be identical. Bar: 1.5x of batches of as many instances.
"""

import argparse
import csv
import os
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from unittest import mock

THREADS = int(os.environ.setdefault("OMP_NUM_THREADS", "1"))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "workflow_scripts"))

import numpy as np  # noqa: E402 (the number of threads has to be set before)
import torch  # noqa: E402
from xstilts.evaluation import prediction  # noqa: E402
from xstilts.forms import classification  # noqa: E402
from xstilts.models.backbone import load_backbone  # noqa: E402
from xstilts.models.model import Model, make_head  # noqa: E402
from xstilts.planning import registry  # noqa: E402
from xstilts.store.specs.models import EvaluatedSpec  # noqa: E402
from xstilts.tokenization.tokenizer import ModelTokenizer  # noqa: E402
from xstilts.tokenization.tokens import Tokens  # noqa: E402

EVALUATION_BATCH = 8
Batching = Callable[[Tokens], list[np.ndarray]]


def languages_of(mirror: Path) -> dict[str, Path]:
    """Return the dev files of the task's languages that the mirror has."""
    languages = registry.load().tasks["xnli"].languages
    files = {language: mirror / f"xnli/dev-{language}.tsv" for language in languages}
    return {language: path for language, path in files.items() if path.exists()}


def part_of(path: Path, labels: list[str], tokenizer: ModelTokenizer, count: int) -> SimpleNamespace:
    """Return rows and tokens of the first rows of a dev file, as ``dataset.Split`` has them."""
    with open(path, encoding="utf-8", newline="") as lines:
        records = list(csv.reader(lines, delimiter="\t", quoting=csv.QUOTE_NONE))[:count]
    rows = [{"text_a": one, "text_b": other, "label": labels.index(label)} for one, other, label in records]
    tokens = Tokens(classification.encode(rows, tokenizer, {"max_length": 256}), tokenizer.pad, tokenizer.segment_end)
    return SimpleNamespace(rows=rows, tokens=tokens)


def in_order(size: int) -> Batching:
    """Return a function that gives all instances in the data's order, so many in a batch."""
    return lambda tokens: np.array_split(np.arange(len(tokens)), range(size, len(tokens), size))


def positions(tokens: Tokens, batching: Batching) -> int:
    """Return how many positions are computed, padding included."""
    return sum(len(instances) * int(tokens.lengths[instances].max()) for instances in batching(tokens))


def main() -> None:
    """Run the benchmark and write its figures to standard output."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=240, help="rows of each language; a dev set has 2490")
    count = parser.parse_args().rows
    mirror, folder = (Path(os.environ[name]) for name in ("XSTILTS_MIRROR", "XSTILTS_MODEL"))
    torch.set_num_threads(THREADS)
    tokenizer, backbone = ModelTokenizer(folder), load_backbone(folder)
    labels = registry.load().tasks["xnli"].labels
    task = EvaluatedSpec(task="xnli", form="classification", labels=labels, decoding={}, scoring="squad")
    model = Model(backbone, {"xnli": make_head(task, backbone, 1, None)}).eval()
    ratios = {"as many": [], "eight": []}
    sys.stdout.write(f"{count} rows a language, {THREADS} thread(s); seconds, and positions computed for each token\n")
    sys.stdout.write("language  instances  by length     as many       eight         ratios\n")
    for number, (language, path) in enumerate(languages_of(mirror).items()):
        part = part_of(path, labels, tokenizer, count)
        ours = prediction.batches
        size = round(len(part.tokens) / len(ours(part.tokens)))
        ways = {"ours": ours, "as many": in_order(size), "eight": in_order(EVALUATION_BATCH)}
        tokens = int(part.tokens.lengths.sum())
        padded = {name: positions(part.tokens, batching) / tokens for name, batching in ways.items()}
        seconds, predictions = {}, {}
        turned = [*ways][number % 3 :] + [*ways][: number % 3]
        for name in turned:
            with mock.patch.object(prediction, "batches", ways[name]):
                started = time.perf_counter()
                predictions[name] = prediction.predict(model, task, part, torch.device("cpu"))
                seconds[name] = time.perf_counter() - started
        assert predictions["ours"] == predictions["as many"] == predictions["eight"], f"{language}: other predictions"
        for name, found in ratios.items():
            found.append(seconds[name] / seconds["ours"])
        cells = "  ".join(f"{seconds[name]:5.1f} s {padded[name]:.2f}" for name in ways)
        last = " ".join(f"{found[-1]:.2f}" for found in ratios.values())
        sys.stdout.write(f"{language:8}  {size:5}  {cells}  {last}\n")
        sys.stdout.flush()
    for name, found in ratios.items():
        row = f"{min(found):.2f} {statistics.median(found):.2f} {max(found):.2f}"
        sys.stdout.write(f"ratio to {name} instances in the data's order, min median max of {len(found)}: {row}\n")


if __name__ == "__main__":
    main()
