"""What a plan is made of: nodes with specs and names, the cells of a study, and the folder of its outputs."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import Any, TypedDict

from xstilts.data.sources.made_up import MADE_UP
from xstilts.planning import labels
from xstilts.planning.study import Study
from xstilts.store import address, specs, study_plan
from xstilts.store.documentation import Documentation
from xstilts.store.files import digest
from xstilts.store.specs.base import MODEL, Spec
from xstilts.store.specs.evaluation import EmbeddingsSpec, PredictionsSpec
from xstilts.store.stages import STAGES
from xstilts.store.study_plan import (
    NONE,
    Cell,
    Corpus,
    FewShotCell,
    PlannedLanguage,
    PlannedNode,
    PlannedTarget,
    StudyPlan,
)


@dataclass(frozen=True)
class Node:
    """One node of the DAG.

    Attributes:
        label: what its spec says in a few words.
        spec: everything that decides the result; its ``parents`` map a role to the id of another node.
        digest: SHA-256 of the spec's canonical JSON, with the parents' digests in place of their ids.
        content: the spec as JSON values.
    """

    label: str
    spec: Spec
    digest: str
    content: Mapping[str, Any]

    @property
    def stage(self) -> str:
        """Its stage, a key of STAGES."""
        return self.spec.stage

    @property
    def node(self) -> str:
        """The wildcard: label and twelve hex digits."""
        return f"{self.label}-{self.digest[: address.DIGITS]}"

    @property
    def id(self) -> str:
        """Stage and wildcard, a path below the results folder."""
        return f"{self.stage}/{self.node}"

    @property
    def parents(self) -> tuple[str, ...]:
        """Ids of the nodes that this one reads."""
        return tuple(self.spec.parents.values())


class Frame(TypedDict):
    """What every spec has."""

    version: int
    parents: dict[str, str]


@dataclass
class Nodes:
    """The nodes of a plan by id, and under which names the study knows each."""

    by_id: dict[str, Node] = field(default_factory=dict)
    names: dict[str, list[str]] = field(default_factory=dict)

    def frame(self, stage: str, parents: Mapping[str, Node]) -> Frame:
        """Return version and parents for the spec of a stage."""
        return {"version": STAGES[stage].version, "parents": {role: node.id for role, node in parents.items()}}

    def add(self, name: str, spec: Spec) -> Node:
        """Return the node of a spec, the same one for the same spec.

        Args:
            name: what the study calls it.
            spec: the spec, whose parents are nodes already.
        """
        parents = {role: self.by_id[node] for role, node in spec.parents.items()}
        content = specs.to_json(spec)
        digests = {role: node.digest for role, node in parents.items()}
        made = Node(labels.label(spec, parents), spec, address.spec_digest(content, digests), content)
        return self.know(name, made)

    def know(self, name: str, node: Node) -> Node:
        """Return a node under a name, the one that is there for the same spec."""
        names = self.names.setdefault(node.id, [])
        if name not in names:
            names.append(name)
        return self.by_id.setdefault(node.id, node)


@dataclass
class Plan:
    """All that a study needs.

    Attributes:
        study: the study.
        made: its nodes.
        cells: one for each combination of the axes.
        few_shot: the same after a training on a few rows of a language.
        targets: task, form, headline metric and source language of each target.
        urls: where the files of a data node can be downloaded: they decide no result.
        distance: the declared rank of a language's distance from the source language, where it has one.
        languages: what the registry says of the targets' languages.
        corpora: the text that published models were pretrained on, by model.
        notes: for the user, what was left out and why.
        documentation: what the registry knows of what the study uses.
        unlabelled: by node of a cell that with the same model's predictions for an official test without labels.
    """

    study: Study
    made: Nodes = field(default_factory=Nodes)
    cells: list[Cell] = field(default_factory=list)
    few_shot: list[FewShotCell] = field(default_factory=list)
    targets: dict[str, PlannedTarget] = field(default_factory=dict)
    urls: dict[str, dict[str, list[str]]] = field(default_factory=dict)
    distance: Mapping[str, int] = field(default_factory=dict)
    languages: Mapping[str, PlannedLanguage] = field(default_factory=dict)
    corpora: Mapping[str, Corpus] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    documentation: Documentation = Documentation()
    unlabelled: dict[str, str] = field(default_factory=dict)

    @property
    def nodes(self) -> dict[str, Node]:
        """The nodes by id, parents first."""
        return self.made.by_id

    def stage(self, stage: str) -> dict[str, Node]:
        """Return the nodes of a stage by their wildcard."""
        return self._stages.get(stage, {})

    @cached_property
    def _stages(self) -> dict[str, dict[str, Node]]:
        stages: dict[str, dict[str, Node]] = {}
        for node in self.nodes.values():
            stages.setdefault(node.stage, {})[node.node] = node
        return stages

    def by_stage(self) -> dict[str, list[str]]:
        """Return the ids of the nodes by stage."""
        return {stage: [node.id for node in nodes.values()] for stage, nodes in self._stages.items()}

    def with_parents(self, ids: Iterable[str]) -> frozenset[str]:
        """Return the ids of nodes, and of all that these stand on."""
        found: set[str] = set()
        queue = list(ids)
        while queue:
            name = queue.pop()
            if name not in found:
                found.add(name)
                queue += self.nodes[name].parents
        return frozenset(found)

    def named(self) -> Iterator[tuple[str, Node]]:
        """Yield every name that the study has for a node, with the node."""
        for node in self.nodes.values():
            for name in self.made.names[node.id]:
                yield name, node

    @cached_property
    def few_shot_nodes(self) -> frozenset[str]:
        """The ids of all trainings on a few rows of a language, and of what is predicted with their models."""
        predicted = {few.cell.node for few in self.few_shot}
        return frozenset(predicted | {self.nodes[name].spec.parents[MODEL] for name in predicted})

    @cached_property
    def predicted_with(self) -> dict[str, list[Node]]:
        """The nodes of predictions and of vectors, by the id of the model that gives them."""
        found: dict[str, list[Node]] = {}
        for stage in (PredictionsSpec.stage, EmbeddingsSpec.stage):
            for node in self.stage(stage).values():
                found.setdefault(node.spec.parents[MODEL], []).append(node)
        return found

    @cached_property
    def swept(self) -> bool:
        """Whether all layers of a model are scored."""
        found = (node.spec for node in self.stage("embeddings").values())
        return any(isinstance(spec, EmbeddingsSpec) and spec.pooling.sweep for spec in found)

    @cached_property
    def tables(self) -> tuple[str, ...]:
        """Names of the tables: beside the first two, those of what the study has."""
        more = {
            "benchmark": self.study.benchmark,
            "layers": self.swept,
            "answer": self.study.answer,
            "contrasts": self.study.contrasts,
            "claims": self.study.claims,
            "worlds": len(self.study.worlds) > 1 and (self.study.answer or self.study.contrasts),
            "distance": self.distance and NONE in self.study.mixtures,
            "few_shot": self.few_shot,
        }
        return ("main", "by_language", *(name for name, there in more.items() if there))

    @cached_property
    def score_tables(self) -> tuple[str, ...]:
        """Names of the tables of scores: beside the first, that of few-shot scores where the study has some."""
        return ("scores", *(["few_shot_scores"] if self.few_shot else []))

    @cached_property
    def digest(self) -> str:
        """Digest of the study's outputs."""
        return study_plan.outputs_digest(self.study_plan)

    @cached_property
    def documentation_digest(self) -> str:
        """Digest of what the report alone reads, so that a change of it writes the report again and nothing else."""
        shown = asdict(self.documentation)
        del shown["works"]
        return digest(shown)

    @cached_property
    def works_digest(self) -> str:
        """Digest of what the paper alone reads, so that a changed citation writes the paper again and nothing else."""
        return digest(asdict(self.documentation.works))

    @property
    def folder(self) -> str:
        """Folder of the study's outputs, below the results folder."""
        return study_plan.outputs_folder(self.study.name, self.digest)

    def predictions(self) -> list[str]:
        """Return the ids of the nodes that the study's scores are computed from, each once."""
        few_shot = (few.cell for few in self.few_shot)
        return list(dict.fromkeys(cell.node for cell in (*self.cells, *few_shot)))

    @cached_property
    def study_plan(self) -> StudyPlan:
        """The content of plan.json: what the commands of rules read."""
        nodes = {
            name: PlannedNode(node.digest, tuple(self.made.names[name]), node.content)
            for name, node in self.nodes.items()
        }
        study = self.study
        references = {
            name: tuple(member.task for member in mixture.tasks) if mixture else ()
            for name, mixture in study.mixtures.items()
        }
        return StudyPlan(
            study=study.name,
            description=study.description,
            made_up=study.source in MADE_UP,
            figures=study.figures,
            targets=self.targets,
            benchmark=study.benchmark,
            tables=self.tables,
            swept=self.swept,
            contrasts=study.contrasts,
            answer=study.answer,
            claims=study.claims,
            distance=self.distance,
            languages=self.languages,
            corpora=self.corpora,
            mixtures=references,
            notes=tuple(self.notes),
            cells=tuple(self.cells),
            few_shot=tuple(self.few_shot),
            unlabelled=self.unlabelled,
            nodes=nodes,
            documentation=self.documentation,
        )

    def as_table(self) -> str:
        """Return the text of index.tsv: the study's name of every node, and the path of its manifest."""
        return study_plan.index(self.study_plan)
