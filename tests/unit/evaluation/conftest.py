"""A device on which evaluation lacks memory."""

from collections.abc import Mapping

import pytest
import torch
from xstilts.models.language_model import LanguageModel
from xstilts.models.model import Model

COMPUTING = [(Model, "forward"), (Model, "layers"), (LanguageModel, "forward"), (LanguageModel, "write")]


@pytest.fixture
def little_memory(monkeypatch):
    """Let models compute at most so many positions at once; return those of each try, and whether it had memory."""

    def limit(positions):
        seen = []

        def limited(real):
            def method(self, *given):
                size = next(each for each in given if isinstance(each, Mapping))["ids"].numel()
                seen.append((size, size <= positions))
                if size > positions:
                    raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB\nmore")
                return real(self, *given)

            return method

        for owner, name in COMPUTING:
            monkeypatch.setattr(owner, name, limited(getattr(owner, name)))
        return seen

    return limit
