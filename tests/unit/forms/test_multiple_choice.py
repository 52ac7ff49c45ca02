"""Multiple choice: choices stand together, and the best of them is the prediction."""

import numpy as np
import pytest
import torch
from xstilts.data.sources import tiny
from xstilts.evaluation import prediction
from xstilts.forms import multiple_choice
from xstilts.models.backbone import load_backbone
from xstilts.models.model import Model

from tests.builders.models import CPU, encode, split_of, task_of


@pytest.mark.parametrize("count", [2, 3, 4, 5])
def test_multiple_choice_with_any_number_of_choices(model_folder, tokenizer, tmp_path, count):
    """The prediction is the choice whose own sequence scores best, whatever stands beside it in the batch."""
    labels, rng = list("ABCDE")[:count], np.random.default_rng(count)
    rows = []
    for number in range(12):
        choices = [" ".join(rng.choice(tiny.LEXICON, 1 + number % 4)) for _ in range(count)]
        record = {"context": "the cat .", "question": "where ?", "choices": choices, "label": number % count}
        rows.append({**multiple_choice.normalise(record, labels), "language": "en"})
    split = split_of("multiple_choice", rows, tokenizer, tmp_path / "dev.parquet", max_length=32)
    backbone = load_backbone(model_folder)
    torch.manual_seed(0)
    head = multiple_choice.head(backbone.width, labels, 0.0)
    torch.nn.init.normal_(head.out.weight)
    torch.nn.init.normal_(head.dense.weight)
    model = Model(backbone, {"task": head}).eval()
    task = task_of("multiple_choice", labels=labels)
    expected = []
    for row in rows:
        scores = []
        for choice in row["choices"]:
            ids = tokenizer.pair(*(tokenizer.tokenize([text])[0].ids for text in ("the cat . where ?", choice)))
            with torch.inference_mode():
                states = backbone({"ids": torch.tensor([ids]), "mask": torch.ones(1, len(ids), dtype=torch.int64)})
                scores.append(float(head.out(torch.tanh(head.dense(states.hidden_states[:, 0])))))
        expected.append(labels[int(np.argmax(scores))])
    assert len(set(expected)) > 1
    assert prediction.predict(model, task, split, CPU) == expected
    gold = [multiple_choice.gold(row, labels) for row in rows]
    assert gold == [labels[number % count] for number in range(12)]
    accuracy = 100 * sum(one == other for one, other in zip(expected, gold, strict=True)) / 12
    assert prediction.evaluate(model, task, split, CPU)[0]["accuracy"] == pytest.approx(accuracy)


def test_multiple_choice_groups_its_choices(tokenizer):
    row = {"context": "", "question": "where ?", "choices": ["city", "river", "old garden"], "label": 2}
    tokens = encode("multiple_choice", [row, row], tokenizer, max_length=32)
    assert len(tokens) == 2
    assert tokens.sequences(np.array([1])).tolist() == [3, 4, 5]
    assert tokens.inputs(np.array([1]))["ids"].shape[0] == 3
