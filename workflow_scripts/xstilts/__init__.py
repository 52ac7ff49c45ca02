"""Intermediate-task training and zero-shot cross-lingual transfer, as a reproducible pipeline."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import os

    from xstilts.reporting.study_results import StudyResults

__version__ = "0.1.0"


def load(folder: str | os.PathLike[str]) -> StudyResults:
    """Return the results of a study as data frames.

    Args:
        folder: the folder of the study's outputs, such as ``results/studies/tiny/latest``.

    Raises:
        UserError: if there is no such folder, or it is not that of a study's outputs.
    """
    from pathlib import Path

    from xstilts.reporting import study_results

    return study_results.load(Path(folder))
