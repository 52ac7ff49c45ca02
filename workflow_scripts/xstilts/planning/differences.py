"""Why a node has to be made: which key of which spec differs from the nearest result that exists."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from xstilts.planning.nodes import Plan
from xstilts.store.manifest import MANIFEST
from xstilts.store.specs import to_json

_MISSING = "nothing"
# differences that a line names before it only counts them
_LISTED = 2
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
        return f"{self.key} of {self.stage} is {self.new}, was {self.old}"


@dataclass
class Comparison:
    """Compares specs with those of results that exist.

    Attributes:
        specs: spec as JSON values by node id: those of the plan and those of earlier plans.
        made: ids of the nodes that exist.
        results: these, and those that they were made from, of which some are deleted (``keep_models``).
    """

    specs: Mapping[str, Spec]
    made: frozenset[str]
    results: frozenset[str]
    _memo: dict[tuple[str, str], frozenset[Difference]] = field(default_factory=dict)

    def why(self, node_id: str) -> str:
        """Return a line that says why a node has to be made, or that it is made."""
        if node_id in self.made:
            return f"{node_id}: made"
        if node_id in self.results:
            return f"{node_id}: deleted once nothing needed it any more, and needed again"
        nearest = self.nearest(node_id)
        if nearest is None:
            return f"{node_id}: not made yet, and no other result of its stage is there"
        return f"{node_id}: {in_words(self.between(node_id, nearest))} (nearest: {nearest})"

    def nearest(self, node_id: str) -> str | None:
        """Return the node of the same stage that exists and has the fewest differences; None if there is none."""
        stage = node_id.partition("/")[0]
        others = sorted(name for name in self.results if name.startswith(f"{stage}/"))
        return min(others, key=lambda name: len(self.between(node_id, name)), default=None)

    def between(self, new: str, old: str) -> frozenset[Difference]:
        """Return the differences of two nodes' specs and of those of their parents, each once."""
        if (new, old) not in self._memo:
            self._memo[new, old] = frozenset(self._between(new, old))
        return self._memo[new, old]

    def _between(self, new: str, old: str) -> Iterator[Difference]:
        if new == old:
            return
        specs = [self.specs.get(name, {}) for name in (new, old)]
        stage = new.partition("/")[0]
        values = [dict(_flat({key: value for key, value in spec.items() if key != "parents"})) for spec in specs]
        for key in sorted(values[0].keys() | values[1].keys()):
            first, second = (value.get(key, _MISSING) for value in values)
            # of a task that only one has, its name says it all
            if first != second and not (key.startswith("tasks.") and _MISSING in (first, second)):
                yield Difference(stage, key, first, second)
        parents = [spec.get("parents", {}) for spec in specs]
        for role in sorted(parents[0].keys() & parents[1].keys()):
            yield from self.between(parents[0][role], parents[1][role])
        # a parent that only one has comes with a key of the spec, such as a task; without one it is named itself
        if values[0] == values[1]:
            for role in sorted(parents[0].keys() ^ parents[1].keys()):
                first, second = (each.get(role, _MISSING) for each in parents)
                yield Difference(stage, f"parent {role}", first, second)


def _flat(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Yield the values of a spec by their paths; tasks are named, not numbered."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _flat(inner, f"{path}.{key}".lstrip("."))
    elif isinstance(value, list) and value and all(isinstance(item, dict) and "task" in item for item in value):
        yield path, ", ".join(item["task"] for item in value)
        for item in value:
            yield from _flat({key: inner for key, inner in item.items() if key != "task"}, f"{path}.{item['task']}")
    else:
        yield path, json.dumps(value, ensure_ascii=False)


def in_words(differences: Iterable[Difference]) -> str:
    """Return the main differences in words: those of the earliest stages, and of whole lists before their members."""
    ranked = sorted(differences, key=lambda each: (each.key.count("."), each))
    shown = [str(each) for each in ranked[:_LISTED]]
    more = len(ranked) - len(shown)
    return "; ".join(shown) + (f"; and {more} more" if more else "")


def comparison(plan: Plan, results: Path) -> Comparison:
    """Return the comparison of a plan with the results that exist, by the specs of all plans that ran here."""
    specs: dict[str, Spec] = {}
    for path in sorted((results / "studies").glob("*/*/plan.json")):
        if path.parent.name != "latest":
            nodes = json.loads(path.read_text(encoding="utf-8"))["nodes"]
            specs |= {name: node["spec"] for name, node in nodes.items()}
    specs |= {node.id: to_json(node.spec) for node in plan.nodes.values()}
    made = {name for name in specs if (results / name / MANIFEST).exists()}
    return Comparison(specs, frozenset(made), _with_ancestors(made, specs))


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
    """Return a line for each stage that has to make nodes because something changed; none before anything was made."""
    compared = comparison(plan, results)
    lines = []
    for stage, nodes in plan.by_stage().items():
        missing = [name for name in nodes if name not in compared.results]
        nearest = {name: compared.nearest(name) for name in missing}
        found = Counter(
            difference
            for name, other in nearest.items()
            if other is not None
            for difference in compared.between(name, other)
        )
        if found:
            (commonest, _), *rest = found.most_common()
            more = f"; and {len(rest)} more differences" if rest else ""
            lines.append(f"{stage}: {len(missing)} to make: {commonest}{more}")
    return lines


def between_plans(first: Plan, second: Plan) -> list[str]:
    """Return a line for each stage in which two plans differ: the number of nodes of each, and what differs."""
    specs = {node.id: to_json(node.spec) for plan in (first, second) for node in plan.nodes.values()}
    lines = []
    for stage in dict.fromkeys([*first.by_stage(), *second.by_stage()]):
        left, right = (set(plan.by_stage().get(stage, ())) for plan in (first, second))
        compared = Comparison(specs, frozenset(left), frozenset(left))
        found: Counter[Difference] = Counter()
        for name in sorted(right - left):
            nearest = compared.nearest(name)
            found.update(compared.between(name, nearest) if nearest is not None else ())
        if left != right:
            counts = f"{len(left & right)} in both, {len(left - right)} and {len(right - left)} in one alone"
            lines.append(f"{stage}: {counts}" + (f": {in_words(found)}" if found else ""))
    return lines
