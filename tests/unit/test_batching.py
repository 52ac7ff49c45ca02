"""How much padding batches hold, counted, for lengths as those of MNLI's pairs and SQuAD's windows."""

import json

import numpy as np
import pytest
import torch
from xstilts.data import sampler
from xstilts.data.sampler import Schedule
from xstilts.evaluation import prediction
from xstilts.forms import span
from xstilts.store.sampling import Sampling, TaskShare
from xstilts.tokenization.tokens import Tokens

BATCH_SIZE, EPOCHS = 32, 3
# share of the computed positions that may be padding
LIMIT = 0.05
# XLM-R's tokens a word of English text, about; special tokens of a pair
PIECES_A_WORD, SPECIAL = 1.4, 4


def made_up_mnli(rng: np.random.Generator) -> np.ndarray:
    """Lengths of 20,000 pairs: lognormal with mean 40 and deviation 20, between 8 and 256 tokens."""
    variance = np.log(1 + (20 / 40) ** 2)
    lengths = rng.lognormal(np.log(40) - variance / 2, variance**0.5, size=20_000)
    return lengths.round().clip(8, 256).astype(np.int64)


def made_up_squad(rng: np.random.Generator) -> np.ndarray:
    """Lengths of 20,000 windows: mean 170, and a spike at the limit of 384 tokens."""
    lengths = rng.lognormal(np.log(150), 0.45, size=20_000)
    lengths[rng.random(len(lengths)) < 0.03] = 384
    return lengths.round().clip(24, 384).astype(np.int64)


def real_mnli(mirror) -> np.ndarray:
    rows = json.loads((mirror / "mnli/train.json").read_text(encoding="utf-8")).values()
    return np.array([tokens(row["text_a"]) + tokens(row["text_b"]) + SPECIAL for row in rows])


def real_squad(mirror) -> np.ndarray:
    articles = json.loads((mirror / "squad_v2/dev-v2.0.json").read_text(encoding="utf-8"))["data"]
    lengths = []
    for paragraph in (paragraph for article in articles for paragraph in article["paragraphs"]):
        context = tokens(paragraph["context"])
        for question in paragraph["qas"]:
            around = min(tokens(question["question"]), 64) + SPECIAL
            room = 384 - around
            lengths += [around + min(room, context - start) for start in span._window_starts(context, room, 128)]
    return np.array(lengths)


def tokens(text: str) -> int:
    return round(PIECES_A_WORD * len(text.split()))


@pytest.fixture(params=["made-up MNLI", "made-up SQuAD", "MNLI", "SQuAD"], scope="module")
def lengths(request) -> np.ndarray:
    """Tokens of each training unit."""
    task = request.param.removeprefix("made-up ")
    if task != request.param:
        return {"MNLI": made_up_mnli, "SQuAD": made_up_squad}[task](np.random.default_rng(0))
    return {"MNLI": real_mnli, "SQuAD": real_squad}[task](request.getfixturevalue("mirror"))


def epochs(lengths: np.ndarray, seed: int) -> list[list[np.ndarray]]:
    """Return the batches of each epoch."""
    share = TaskShare("task", np.arange(len(lengths)), lengths, len(lengths), 1.0, EPOCHS, BATCH_SIZE)
    schedule = Schedule([share], Sampling(), seed)
    batches = [schedule.batch(step)[1] for step in range(schedule.steps)]
    each = schedule.steps // EPOCHS
    return [batches[start : start + each] for start in range(0, schedule.steps, each)]


def padding(lengths: np.ndarray, batches: list[np.ndarray]) -> float:
    """Return the share of the computed positions that are padding."""
    return 1 - sum(lengths[instances].sum() for instances in batches) / sum(
        len(instances) * lengths[instances].max() for instances in batches
    )


def test_little_padding_in_every_epoch(lengths):
    shares = [padding(lengths, batches) for seed in (1, 2) for batches in epochs(lengths, seed)]
    assert len(shares) == 2 * EPOCHS
    assert max(shares) <= LIMIT


def test_every_unit_once_and_in_another_order(lengths):
    orders = [np.concatenate(batches) for seed in (1, 2) for batches in epochs(lengths, seed)]
    for order in orders:
        assert np.array_equal(np.sort(order), np.arange(len(lengths)))
    # two random orders agree in a few places of thousands
    for number, order in enumerate(orders):
        assert all((order == before).mean() < 0.01 for before in orders[:number])


def test_batches_come_in_no_order_of_length(lengths):
    """Units are grouped by length, but a step does not tell how long they are."""
    longest = np.array([lengths[instances].max() for instances in epochs(lengths, 1)[0]])
    halves = np.array_split(longest, 2)
    spread = longest.std() * (2 / len(halves[0])) ** 0.5
    assert abs(halves[0].mean() - halves[1].mean()) < 4 * spread
    assert abs(np.corrcoef(longest[1:], longest[:-1])[0, 1]) < 4 / len(longest) ** 0.5


def test_a_batch_is_not_the_same_company_twice(lengths):
    """Who is in a batch with whom changes from epoch to epoch."""
    first, second = epochs(lengths, 1)[:2]
    batch_of = np.empty(len(lengths), np.int64)
    for number, instances in enumerate(second):
        batch_of[instances] = number
    most_again = [np.bincount(batch_of[instances]).max() for instances in first if len(instances) == BATCH_SIZE]
    assert np.mean(most_again) < 0.75 * BATCH_SIZE


def test_padding_of_each_task_of_a_mixture():
    rng = np.random.default_rng(0)
    tasks = [made_up_mnli(rng), made_up_squad(rng)]
    shares = [
        TaskShare(name, np.arange(len(lengths)), lengths, len(lengths), 1.0, 1, BATCH_SIZE)
        for name, lengths in zip(("mnli", "squad"), tasks, strict=True)
    ]
    schedule = Schedule(shares, Sampling(), seed=3)
    batches = [[], []]
    for task, instances in map(schedule.batch, range(schedule.steps)):
        batches[task].append(instances)
    assert all(padding(*pair) <= LIMIT for pair in zip(tasks, batches, strict=True))


def sequences(lengths: np.ndarray) -> Tokens:
    """Return tokens whose instances are one sequence each, of these lengths."""
    numbers = np.arange(len(lengths) + 1)
    starts = np.concatenate([[0], np.cumsum(lengths)])
    return Tokens({"starts": starts, "instances": numbers, "examples": numbers[:-1].astype(np.int32)}, pad=1)


def test_inference_batches(lengths):
    tokens = sequences(lengths)
    batches = prediction.batches(tokens)
    assert np.array_equal(np.sort(np.concatenate(batches)), np.arange(len(lengths)))
    assert padding(lengths, batches) <= LIMIT
    most = prediction._BATCH_TOKENS["cuda" if torch.cuda.is_available() else "cpu"]
    assert all(len(instances) * lengths[instances].max() <= most for instances in batches)
    longest = [int(lengths[instances].max()) for instances in batches]
    assert longest == sorted(longest, reverse=True)


def test_a_window_of_one_batch_pads_more():
    """Without windows of many batches the limit is not kept: the test above can fail."""
    lengths = made_up_mnli(np.random.default_rng(0))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sampler, "_WINDOW", 1)
        assert padding(lengths, epochs(lengths, 1)[0]) > 0.4
