"""Export of predictions: the table of a target becomes files in XTREME's layout, one for each language."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from xstilts.evaluation import predictions, xtreme_format
from xstilts.evaluation.xtreme_format import Scored
from xstilts.store import manifest
from xstilts.store.files import write_atomically
from xstilts.store.manifest import EvaluatedSplit, EvaluationResults, path_of


@dataclass(frozen=True)
class Export:
    """What is exported of one target, and where to.

    Attributes:
        name: the task's name.
        task: the task.
        results: the results folder.
        node: the node with the predictions.
        languages: the languages that there should be.
        predictions: the folder for the predictions, one for this task.
        labels: that for the gold answers; None where they are not asked for.
    """

    name: str
    task: Scored
    results: Path
    node: str
    languages: Sequence[str]
    predictions: Path
    labels: Path | None

    def write(self) -> list[str]:
        """Write the files, and return lines about what there is, what is missing, and what is not official."""
        path = path_of(self.results, self.node)
        if not path.exists():
            return [f"missing: {self.name}: {path} has not been made yet"]
        frame = predictions.read(self.results / self.node / predictions.FILE)
        for language, rows in frame.groupby("language", sort=False):
            file = xtreme_format.file_name(self.task.form, str(language))
            for column, folder in {"prediction": self.predictions, "gold": self.labels}.items():
                if folder is not None:
                    pairs = zip(rows["example_id"], rows[column], strict=True)
                    write_atomically(folder / file, xtreme_format.text_of(self.task, pairs, column))
        return self._remarks(manifest.results_of(self.results, self.node, EvaluationResults).splits)

    def _remarks(self, splits: Mapping[str, EvaluatedSplit]) -> list[str]:
        lines = [f"{self.name}: {len(splits)} languages in {self.predictions}"]
        unofficial = [f"{language} ({split.split})" for language, split in splits.items() if not split.official]
        sampled = [language for language, split in splits.items() if split.sample]
        absent = [language for language in self.languages if language not in splits]
        if unofficial:
            lines.append(f"{self.name}: not the official split: {', '.join(unofficial)}")
        if sampled:
            lines.append(f"{self.name}: a sample of the rows: {', '.join(sampled)}")
        if absent:
            lines.append(f"missing: {self.name}: {', '.join(absent)}")
        return lines
