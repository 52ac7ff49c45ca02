"""Why a node has to be made: which key of which spec differs from the nearest result that exists."""

import contextlib
import glob
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from xstilts.errors import UserError
from xstilts.planning.nodes import Plan
from xstilts.store import study_plan
from xstilts.store.manifest import MANIFEST, RECORD
from xstilts.store.specs.models import IntermediateSpec, TargetSpec
from xstilts.store.stages import STAGES, STUDIES

_MISSING = "not set"
# differences that a line names before it only counts them, and nodes of a stage that are asked what differs
_LISTED, _ASKED = 2, 5
# with more differences than these a result is nothing like a node
_ALIKE = 20
# characters of a list of names that is written out
_LONGEST = 80
_ORDER = list(STAGES)
# what a run is, whatever its settings
_SEEDS = {(stage, "seed") for stage in (IntermediateSpec.stage, TargetSpec.stage)}
Spec = Mapping[str, Any]


@dataclass(frozen=True, order=True)
class Difference:
    """A key of a spec whose value is another one: its stage, the key, and both values as texts."""

    stage: str
    key: str
    new: str
    old: str

    def __str__(self) -> str:
        """Return it in words."""
        return f"{self.key} of {self.stage} is {_short(self.new, self.old)}, was {_short(self.old, self.new)}"


def _short(names: str, others: str) -> str:
    """Return a list of names; of a long one those that are not in another list, and the number of the rest."""
    if len(names) <= _LONGEST:
        return names
    listed, there = names.split(", "), set(others.split(", "))
    alone = [name for name in listed if name not in there]
    both = f"{len(listed) - len(alone)} in both"
    return f"{', '.join(alone)} and {both}" if alone else both


@dataclass
class Comparison:
    """Compares specs with those of results that exist.

    Attributes:
        specs: spec as JSON values by node id: those of the plan and those of earlier plans.
        made: ids of the nodes that exist.
        unfinished: ids of those that exist but for the manifest, such as predictions that a training has made.
        planned: ids of those of earlier plans.
        results: all these, and those that they were made from, of which some are deleted (``keep_models``).
    """

    specs: Mapping[str, Spec]
    made: frozenset[str]
    unfinished: frozenset[str] = frozenset()
    planned: frozenset[str] = frozenset()
    results: frozenset[str] = field(init=False)
    _values: dict[str, dict[str, str]] = field(init=False, default_factory=dict)
    _all_values: dict[str, frozenset[tuple[str, str, str]]] = field(init=False, default_factory=dict)
    _differences: dict[tuple[str, str], frozenset[Difference]] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        """Find what the nodes that exist were made from."""
        self.results = _with_ancestors(self.made | self.unfinished, self.specs)

    def why(self, node_id: str) -> str:
        """Return a line that says why a node has to be made, or that it is made."""
        if node_id in self.made:
            return f"{node_id}: made"
        if node_id in self.unfinished:
            return f"{node_id}: made but for {MANIFEST}, which its job writes"
        if node_id in self.results:
            return f"{node_id}: deleted after all that needs it was made; it is made again where needed"
        nearest = self.nearest(node_id)
        if nearest is None:
            return f"{node_id}: not made yet, and no other result of its stage is there"
        differences = self.between(node_id, nearest)
        said = in_words(differences) if len(differences) <= _ALIKE else "not made yet, and nothing like it is there"
        before = "planned before, and not made then or deleted since; " if node_id in self.planned else ""
        return f"{node_id}: {before}{said} (nearest: {nearest})"

    def nearest(self, node_id: str, among: frozenset[str] | None = None) -> str | None:
        """Return the result of the same stage that, with its ancestors, differs least from a node; None for none.

        Args:
            node_id: the node.
            among: the results that are looked at; None for all.
        """
        stage, values = node_id.partition("/")[0], self._values_with_ancestors(node_id)
        candidates = self.results if among is None else among
        others = sorted(name for name in candidates if name.startswith(f"{stage}/"))
        return min(others, key=lambda name: len(values ^ self._values_with_ancestors(name)), default=None)

    def between(self, new: str, old: str) -> frozenset[Difference]:
        """Return the differences of two nodes' specs and of those of their parents, each once."""
        if (new, old) not in self._differences:
            self._differences[new, old] = frozenset(self._between(new, old))
        return self._differences[new, old]

    def settings_between(self, pairs: Iterable[tuple[str, str]]) -> str:
        """Return in one line what differs between new and old nodes but for the seeds of runs; empty for nothing."""
        found = {difference for pair in pairs for difference in self.between(*pair)}
        return in_words(difference for difference in found if (difference.stage, difference.key) not in _SEEDS)

    def _between(self, new: str, old: str) -> Iterator[Difference]:
        if new == old:
            return
        stage, first, second = new.partition("/")[0], self._values_of(new), self._values_of(old)
        changed = [key for key in first if key in second and first[key] != second[key]]
        for key in changed:
            yield Difference(stage, key, first[key], second[key])
        for key in first.keys() ^ second.keys():
            # of a task, language or file that only one has, the list of their names says it all
            if not any(key.startswith(f"{listed}.") for listed in changed):
                yield Difference(stage, key, first.get(key, _MISSING), second.get(key, _MISSING))
        parents = [self.specs.get(name, {}).get("parents", {}) for name in (new, old)]
        for role in parents[0].keys() & parents[1].keys():
            yield from self.between(parents[0][role], parents[1][role])
        # a parent that only one has comes with a key of the spec, such as a task; without one it is named itself
        if first == second:
            for role in parents[0].keys() ^ parents[1].keys():
                yield Difference(stage, f"parent {role}", *(each.get(role, _MISSING) for each in parents))

    def _values_of(self, name: str) -> dict[str, str]:
        """Return the values of a spec by key, without its parents."""
        if name not in self._values:
            spec = {key: value for key, value in self.specs.get(name, {}).items() if key != "parents"}
            self._values[name] = dict(_flat(spec))
        return self._values[name]

    def _values_with_ancestors(self, name: str) -> frozenset[tuple[str, str, str]]:
        """Return stage, key and value of all that a node's spec and those of its ancestors say."""
        if name not in self._all_values:
            stage = name.partition("/")[0]
            values = {(stage, key, value) for key, value in self._values_of(name).items()}
            parents = self.specs.get(name, {}).get("parents", {}).values()
            self._all_values[name] = frozenset(values).union(*map(self._values_with_ancestors, parents))
        return self._all_values[name]


def _flat(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Yield the values of a spec by their paths; of tasks, languages and files first their names, in one value."""
    named = _named(value, path)
    if named is not None:
        yield path, ", ".join(named)
    if named is not None or isinstance(value, dict):
        for key, inner in (value if named is None else named).items():
            yield from _flat(inner, f"{path}.{key}".lstrip("."))
    else:
        yield path, json.dumps(value, ensure_ascii=False)


def _named(value: Any, path: str) -> dict[str, Any] | None:
    """Return what stands in a spec by a name that is no key of its own: tasks, languages, files; None for others."""
    if isinstance(value, list) and value and all(isinstance(item, dict) and "task" in item for item in value):
        return {item["task"]: {key: inner for key, inner in item.items() if key != "task"} for item in value}
    if isinstance(value, dict) and value and path:
        files = path.rpartition(".")[2] == "files"
        return value if files or all(isinstance(item, dict) for item in value.values()) else None
    return None


def in_words(differences: Iterable[Difference]) -> str:
    """Return the main differences in words: those of the earliest stages, and of whole lists before their members."""
    ranked = sorted(differences, key=lambda each: (each.key.count("."), _ORDER.index(each.stage), each))
    shown = [str(each) for each in ranked[:_LISTED]]
    more = len(ranked) - len(shown)
    return "; ".join(shown) + (f"; and {more} more" if more else "")


def comparison(plan: Plan, results: Path, studies: str = "*") -> Comparison:
    """Return the comparison of a plan with the results that exist, by the specs of plans that ran here.

    Args:
        plan: the plan.
        results: the results folder.
        studies: the study whose plans these are; of all studies by default.
    """
    specs: dict[str, Spec] = {}
    for path in sorted((results / STUDIES).glob(f"{studies}/*/{study_plan.FILE}")):
        if path.parent.name != "latest":
            # one that another version of the code has written may have another shape
            with contextlib.suppress(UserError):
                specs |= {name: node.content for name, node in study_plan.read(path).nodes.items()}
    planned = frozenset(specs)
    specs |= {node.id: node.content for node in plan.nodes.values()}
    made = frozenset(name for name in specs if (results / name / MANIFEST).exists())
    unfinished = frozenset(name for name in specs if (results / name / RECORD).exists()) - made
    return Comparison(specs, made, unfinished, planned)


def _with_ancestors(made: Iterable[str], specs: Mapping[str, Spec]) -> frozenset[str]:
    """Return nodes and all that they were made from."""
    found: set[str] = set()
    queue = list(made)
    while queue:
        name = queue.pop()
        if name not in found and name in specs:
            found.add(name)
            queue += specs[name]["parents"].values()
    return frozenset(found)


def changes(plan: Plan, results: Path) -> list[str]:
    """Return a line for each stage that has to make nodes because something changed since an earlier plan of the study.

    There is none before anything was made, and none where a run of this very plan goes on. Results of other studies are
    no earlier state of this one.
    """
    if (results / plan.folder / study_plan.FILE).exists():
        return []
    compared = comparison(plan, results, glob.escape(plan.study.name))
    earlier = compared.results & compared.planned
    lines = []
    planned = plan.by_stage()
    for stage in STAGES:
        nodes = planned.get(stage, [])
        missing = [name for name in nodes if name not in compared.results]
        differences = _common(compared, missing, earlier)
        if differences:
            lines.append(f"{stage}: {len(missing)} to make: {_commonest(differences)}")
    return lines


def _common(compared: Comparison, nodes: list[str], among: frozenset[str]) -> Counter[Difference]:
    """Return how often nodes differ from their nearest results in each way; of many nodes some are asked."""
    asked = nodes[:: max(1, len(nodes) // _ASKED)]
    nearest = {name: compared.nearest(name, among) for name in asked}
    return Counter(
        difference
        for name, other in nearest.items()
        if other is not None
        for difference in compared.between(name, other)
    )


def _commonest(differences: Counter[Difference]) -> str:
    if len(differences) > _ALIKE:
        return "nothing like what is there"
    (commonest, _), *rest = differences.most_common()
    return f"{commonest}" + (f"; and {len(rest)} more difference{'s' * (len(rest) > 1)}" if rest else "")


def between_plans(first: Plan, second: Plan) -> list[str]:
    """Return a line for each stage in which two plans differ: the number of nodes of each, and what differs."""
    specs = {node.id: node.content for plan in (first, second) for node in plan.nodes.values()}
    stages = [plan.by_stage() for plan in (first, second)]
    compared = Comparison(specs, frozenset(first.nodes))
    lines = []
    for stage in STAGES:
        left, right = (set(nodes.get(stage, ())) for nodes in stages)
        if left != right:
            counts = f"{len(left & right)} in both, {len(left - right)} and {len(right - left)} in one alone"
            differences = _common(compared, sorted(right - left), compared.results)
            lines.append(f"{stage}: {counts}" + (f": {in_words(differences)}" if differences else ""))
    return lines
