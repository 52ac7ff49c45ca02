"""Nodes made by hand, at the paths of their specs: rows, their tokens, a model, and the predictions that read these."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from xstilts.store import address, lineage, manifest, node
from xstilts.store.files import file_sha256
from xstilts.store.manifest import EvaluationResults, File, PreparedResults, Results, TokensResults, TrainingResults
from xstilts.store.specs import to_json
from xstilts.store.specs.base import Spec
from xstilts.store.specs.data import TokensSpec
from xstilts.store.specs.evaluation import PredictionsSpec
from xstilts.store.specs.models import IntermediateSpec

from tests.builders.predicted import NUMERICS, training_data, training_spec

RESULTS: dict[str, Results] = {
    "prepared": PreparedResults(splits={}, left_out={}),
    "tokens": TokensResults(pad=1, segment_end=None, splits={}),
    "intermediate": TrainingResults(),
}


def evaluated(fingerprint: Mapping[str, str]) -> EvaluationResults:
    """Return what predictions of a model with these weights say of themselves."""
    return EvaluationResults(fingerprint=fingerprint, training={}, collapsed=False, splits={})


@dataclass
class Made:
    """Nodes in a results folder, and the digest of each."""

    results: Path
    digests: dict[str, str] = field(default_factory=dict)

    def id_of(self, spec: Spec) -> str:
        """Return the id of a spec whose parents are made."""
        parents = {role: self.digests[parent] for role, parent in spec.parents.items()}
        digest = address.spec_digest(to_json(spec), parents)
        self.digests[f"{spec.stage}/x-{digest[: address.DIGITS]}"] = digest
        return f"{spec.stage}/x-{digest[: address.DIGITS]}"

    def add(self, spec: Spec, files: Mapping[str, str]) -> str:
        """Make a node with these files, and return its id."""
        node_id = self.id_of(spec)
        with node.making(manifest.path_of(self.results, node_id), spec) as made:
            for name, text in files.items():
                (made.scratch / name).parent.mkdir(exist_ok=True)
                (made.scratch / name).write_text(text)
            made.results = RESULTS.get(spec.stage) or evaluated(lineage.fingerprint(spec, self.results))
        return node_id


def predictions_of(made: Made) -> PredictionsSpec:
    """Make what predictions read, and return their spec."""
    rows = made.add(training_data("mnli", "en"), {"train.parquet": "rows in English", "dev.parquet": "dev rows"})
    tokens = made.add(
        TokensSpec(version=1, parents={"prepared": rows}, form="classification", lengths={"max_length": 8}),
        {"train/ids.npy": "token ids"},
    )
    model = made.add(
        training_spec(IntermediateSpec, [], 1, {"tokens.mnli": tokens}),
        {"model.safetensors": "weights", "config.json": "{}"},
    )
    return PredictionsSpec(
        version=1, parents={"model": model, "tokens": tokens}, form="classification", labels=None, trained_on="mnli",
        decoding={}, scoring=None, numerics=NUMERICS,
    )  # fmt: skip


def restate(folder: Path) -> None:
    """Have a node say of its files what they are now."""
    made = manifest.of_node(folder)
    files = {name: File(sha256=file_sha256(folder / name), bytes=(folder / name).stat().st_size) for name in made.files}
    for name in (manifest.RECORD, manifest.MANIFEST):
        (folder / name).write_text(manifest.text(made.spec, files, made.results))
