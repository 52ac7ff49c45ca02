"""Time and memory of preparing and tokenising every file of a mirror of raw data, without limits.

Run:  XSTILTS_MIRROR=<raw data sets> XSTILTS_TOKENIZER=<folder with tokenizer.json> python benchmarks/preparing.py

Makes a study of all intermediate tasks and all targets that the mirror has, with a model of random weights that has
this tokenizer, and runs `snakemake tokens` on two cores in a folder of its own. Bars: 4 minutes, 2 GB a job.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pandas as pd
import yaml

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "workflow_scripts"))

from xstilts.data import usable  # noqa: E402
from xstilts.errors import UserError  # noqa: E402
from xstilts.planning import (  # noqa: E402
    index,  # noqa: E402
    mirror_index,
    registry,  # noqa: E402
)
from xstilts.planning.plan import make_plan  # noqa: E402
from xstilts.planning.sourcing import Indexes  # noqa: E402
from xstilts.planning.study import read_study  # noqa: E402


def model_folder(tokenizer: Path, folder: Path) -> None:
    """Write a one-layer model for a tokenizer: only its tokenizer and its number of positions matter here."""
    import transformers

    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copyfile(tokenizer / name, folder / name)
    config = transformers.XLMRobertaConfig(
        vocab_size=1000, hidden_size=8, num_hidden_layers=1, num_attention_heads=1, intermediate_size=8,
        max_position_embeddings=514, pad_token_id=1,
    )  # fmt: skip
    transformers.XLMRobertaModel(config).save_pretrained(folder)


def study(mirror: dict, folder: Path) -> Path:
    """Write a study of every task that the mirror has, each tried alone."""
    known = registry.load()
    models = {"xlm-roberta-large": {"model.safetensors": {"sha256": "0" * 64}}}
    whole = {"description": "All data.", "source": "mirror", "models": list(models), "recipes": {"xtreme": None}}
    training, targets = [], {}
    for name, task in known.tasks.items():
        parts = {"mixtures": {name: [name]}, "targets": {"tatoeba": None}}, {"targets": {name: {"trained_on": []}}}
        for part, place in zip(parts, (training, targets), strict=True):
            path = folder / "trial.yaml"
            trial = {**whole, "seeds": [1], **part}
            if place is targets and task.trained_on != []:
                trial["targets"] = {name: {"trained_on": _any_training(name, known)}}
            path.write_text(yaml.safe_dump(trial))
            try:
                make_plan(read_study(path, known), known, Indexes(mirror, models))
            except UserError:
                continue
            place.append(name) if place is training else place.update(trial["targets"])
    path = folder / "study.yaml"
    content = {**whole, "seeds": [1], "mixtures": {"none": None, "all": training}, "targets": targets}
    path.write_text(yaml.safe_dump(content))
    return path


def _any_training(name: str, known: registry.Registry) -> list[str]:
    """Return a training set that a target can have, whatever it is: only its evaluation data counts here."""
    own = {"pawsx": ["qqp"], "xcopa": ["copa"]}
    task = known.tasks[name]
    return own.get(name, list(task.trained_on) if task.trained_on else [name])


def main() -> None:
    """Run the benchmark and write its figures to standard output."""
    mirror, tokenizer = (Path(os.environ[name]) for name in ("XSTILTS_MIRROR", "XSTILTS_TOKENIZER"))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "model").mkdir()
        model_folder(tokenizer, folder / "model")
        start = time.monotonic()
        files = mirror_index.index_mirror(mirror, registry.load(), usable.check)
        indexed = time.monotonic() - start
        path = study(files, folder)
        for key, value in {"mirror": files, "model": index.index_model(folder / "model")}.items():
            index.write(mirror if key == "mirror" else folder / "model", f"{key}.yaml", folder / "results", value)
        config = {
            "study": str(path), "mirror": str(mirror), "results": str(folder / "results"),
            "model_folders": {"xlm-roberta-large": str(folder / "model")},
        }  # fmt: skip
        (folder / "config.yaml").write_text(yaml.safe_dump(config))
        command = [sys.executable, "-m", "snakemake", "-s", str(ROOT / "Snakefile"), "--cores", "2", "tokens"]
        start = time.monotonic()
        subprocess.run([*command, "--keep-going"], cwd=folder, check=False, capture_output=True)
        wall = time.monotonic() - start
        jobs = {
            path.relative_to(folder / "results/benchmarks").as_posix(): pd.read_csv(path, sep="\t").iloc[0]
            for path in (folder / "results/benchmarks").rglob("*.tsv")
        }
        # a mirror may hold files that are refused, such as those with placeholders in place of answers
        for log in (folder / "results/logs").rglob("*.log"):
            for line in log.read_text(encoding="utf-8").splitlines():
                if " error: " in line:
                    sys.stdout.write(f"refused: {line.partition(' error: ')[2]}\n")
        largest = max(jobs, key=lambda job: float(jobs[job]["max_rss"] if jobs[job]["max_rss"] != "NA" else 0))
        sys.stdout.write(
            f"index {indexed:.0f} s; {len(jobs)} jobs in {wall:.0f} s; "
            f"the largest has {float(jobs[largest]['max_rss']):.0f} MB: {largest}\n"
        )


if __name__ == "__main__":
    main()
