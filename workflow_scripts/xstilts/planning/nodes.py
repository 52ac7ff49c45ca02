"""What a plan is made of: nodes with specs and addresses, the cells of a study, and the study's own outputs."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import Any

from xstilts.data.sources.made_up import MADE_UP
from xstilts.planning.mixtures import NONE
from xstilts.planning.study import Study
from xstilts.store.manifest import MANIFEST, digest
from xstilts.store.stages import VERSIONS


@dataclass(frozen=True)
class Node:
    """One node of the DAG.

    Attributes:
        stage: a key of VERSIONS, and the folder in ``results/``.
        name: the readable axes.
        spec: everything that decides the result; ``spec["parents"]`` maps a role to the id of another node.
        digest: SHA-256 of the canonical spec, with the parents' digests in place of their ids.
    """

    stage: str
    name: str
    spec: Mapping[str, Any]
    digest: str

    @property
    def node(self) -> str:
        """The wildcard: readable name and eight hex digits."""
        return f"{self.name}-{self.digest[:8]}"

    @property
    def id(self) -> str:
        """Stage and wildcard, a path below the results folder."""
        return f"{self.stage}/{self.node}"

    @property
    def parents(self) -> tuple[str, ...]:
        """Ids of the nodes that this one reads."""
        return tuple(self.spec["parents"].values())


@dataclass(frozen=True)
class Cell:
    """One combination of the study's axes, and the node whose predictions answer it."""

    model: str
    recipe: str
    method: str
    mixture: str
    seed: int
    target: str
    node: str


@dataclass
class Plan:
    """All that a study needs.

    Attributes:
        study: the study.
        nodes: nodes by id.
        cells: one for each combination of the axes.
        targets: task, form, headline metric and source language of each target.
        benchmark: the benchmark whose score the tables have, with its name.
        urls: where the files of a data node can be downloaded: no part of what decides a result.
        distance: the declared rank of a language's distance from the source language, where it has one.
        notes: for the user, what was left out and why.
    """

    study: Study
    nodes: dict[str, Node] = field(default_factory=dict)
    cells: list[Cell] = field(default_factory=list)
    targets: dict[str, dict[str, str]] = field(default_factory=dict)
    benchmark: Mapping[str, Any] | None = None
    urls: dict[str, dict[str, list[str]]] = field(default_factory=dict)
    distance: Mapping[str, int] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def stage(self, stage: str) -> dict[str, Node]:
        """Return the nodes of a stage by their wildcard."""
        return self._stages.get(stage, {})

    @cached_property
    def _stages(self) -> dict[str, dict[str, Node]]:
        stages: dict[str, dict[str, Node]] = {}
        for node in self.nodes.values():
            stages.setdefault(node.stage, {})[node.node] = node
        return stages

    @cached_property
    def swept(self) -> bool:
        """Whether all layers of a model are scored."""
        return any(node.spec["pooling"].get("sweep", False) for node in self.stage("embeddings").values())

    @cached_property
    def tables(self) -> tuple[str, ...]:
        """Names of the tables: those of a benchmark, of layers, contrasts and distances where there are such."""
        more = {
            "benchmark": self.benchmark, "layers": self.swept, "contrasts": self.study.contrasts,
            "distance": self.distance and NONE in self.study.mixtures,
        }  # fmt: skip
        return ("main", "by_language", *(name for name, there in more.items() if there))

    @property
    def _contrasts(self) -> dict[str, dict[str, Any]]:
        return {name: asdict(contrast) for name, contrast in self.study.contrasts.items()}

    @cached_property
    def digest(self) -> str:
        """Digest of the study's outputs: what they read and the options they have."""
        cells = [{**asdict(cell), "node": self.nodes[cell.node].digest} for cell in self.cells]
        shown = {"figures": dict(self.study.figures), "description": self.study.description, "notes": self.notes}
        return digest(
            {
                "version": VERSIONS["studies"],
                "cells": cells,
                "targets": self.targets,
                "benchmark": self.benchmark,
                "contrasts": self._contrasts,
                "distance": self.distance,
                **shown,
            }
        )

    @property
    def folder(self) -> str:
        """Folder of the study's outputs, below the results folder."""
        return f"studies/{self.study.name}/{self.digest[:8]}"

    def predictions(self) -> list[str]:
        """Return the ids of the nodes that the study's scores are computed from, each once."""
        return list(dict.fromkeys(cell.node for cell in self.cells))

    def as_json(self) -> str:
        """Return the text of plan.json: what the collecting rules and the reader need."""
        nodes = {node.id: {"digest": node.digest, "spec": node.spec} for node in self.nodes.values()}
        content = {
            "study": self.study.name,
            "description": self.study.description,
            "made_up": self.study.source in MADE_UP,
            "figures": dict(self.study.figures),
            "targets": self.targets,
            "benchmark": self.benchmark,
            "tables": self.tables,
            "swept": self.swept,
            "contrasts": self._contrasts,
            "distance": self.distance,
            "mixtures": {
                name: [member.task for member in mixture.tasks] if mixture else []
                for name, mixture in self.study.mixtures.items()
            },
            "notes": self.notes,
            "cells": [asdict(cell) for cell in self.cells],
            "nodes": nodes,
        }
        return json.dumps(content, ensure_ascii=False, indent=1) + "\n"

    def as_table(self) -> str:
        """Return the text of index.tsv: every node and its address."""
        rows = ["stage\tname\taddress"]
        rows += [f"{node.stage}\t{node.name}\t{node.id}/{MANIFEST}" for node in self.nodes.values()]
        return "\n".join(rows) + "\n"
