"""The stages of the DAG, and what each means."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Stage:
    """One stage.

    Attributes:
        version: raised when the same spec would give another result; its nodes, and all below them, move.
        trains: whether a model is trained.
        computes: whether a job computes with a model, so that it needs a GPU where there is one.
        deleted_under: the values of `keep_models` under which its nodes are deleted once nothing needs them.
    """

    version: int
    trains: bool = False
    computes: bool = False
    deleted_under: tuple[str, ...] = ()


STAGES = {
    "data": Stage(1),
    "models": Stage(2),
    "prepared": Stage(2),
    # 3: arrays have other names
    "tokens": Stage(3),
    "tokenizers": Stage(2),
    "pretrained": Stage(1, trains=True, computes=True),
    "learning_rates": Stage(1, trains=True, computes=True),
    "intermediate": Stage(3, trains=True, computes=True, deleted_under=("none",)),
    "merged": Stage(1, deleted_under=("none",)),
    "targets": Stage(3, trains=True, computes=True, deleted_under=("intermediate", "none")),
    "predictions": Stage(2, computes=True),
    "embeddings": Stage(2, computes=True),
    "retrieval": Stage(2),
}
# version of a study's own outputs: tables, figures, report; 2: intervals are over runs and examples; 3: gains have
# intervals, and means are without control languages; 4: estimates have the differences behind the analyses, and other
# figures, whose options are in no digest; 5: more analyses and figures; 6: no verdict where nothing varies, and figures
# without data are left out
STUDIES = "studies"
STUDIES_VERSION = 6
COMPUTING = tuple(name for name, stage in STAGES.items() if stage.computes)
