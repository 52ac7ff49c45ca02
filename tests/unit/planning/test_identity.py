"""Identity: no name, order or key at its neutral value moves a node; a value or a version moves what depends on it."""

import dataclasses
import json
import types
import typing
from collections.abc import Callable, Iterator, Mapping
from functools import cache, reduce
from operator import or_
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import TypeAdapter
from xstilts.data.sources.made_up import MADE_UP
from xstilts.planning import registry
from xstilts.planning.nodes import Nodes, Plan
from xstilts.planning.plan import make_plan
from xstilts.planning.sourcing import Indexes
from xstilts.planning.study import read_study
from xstilts.store import manifest, node, specs
from xstilts.store.files import canonical, digest
from xstilts.store.manifest import EvaluationResults, Results, TrainingResults
from xstilts.store.specs import to_json
from xstilts.store.specs.base import Spec
from xstilts.store.specs.data import PreparedSpec
from xstilts.store.specs.models import EvaluatedSpec, HeadSpec, TrainingSpec
from xstilts.store.stages import STAGES

from tests.builders.projects import ROOT

STUDIES = {name: ROOT / f"tests/studies/{name}.yaml" for name in ("matrix", "every_stage", "downloads")}
SHIPPED = ("tiny", "miniature", "phang2020", "xtreme_r")
DIGESTS = Path(__file__).with_name("digests.json")
Content = dict[str, Any]
# what a manifest of a stage says at least
LEAST: dict[str, Results] = {
    "prepared": manifest.PreparedResults(splits={}, left_out={}),
    "tokens": manifest.TokensResults(pad=1, segment_end=None, splits={}),
    "learning_rates": manifest.LearningRatesResults(trials=[], best=1e-3),
    "merged": manifest.MergedResults(trained_before={}),
    **{stage: TrainingResults() for stage in ("pretrained", "intermediate", "targets")},
    **{
        stage: EvaluationResults(fingerprint={}, training={}, collapsed=False, splits={})
        for stage in ("predictions", "embeddings", "retrieval")
    },
}


class AnyMirror(dict[str, Any]):
    """An index of raw files that has every file of every task."""

    def get(self, name: str, default: Any = None) -> Any:
        """Return what the index says of a file."""
        return self[name]

    def __getitem__(self, name: str) -> Any:
        return {"sha256": "0" * 64, "tasks": dict.fromkeys(registry.load().tasks, {})}


def content_of(name: str) -> Content:
    """Return the content of one of the studies of the tests."""
    content: Content = yaml.safe_load(STUDIES[name].read_text())
    return content


def plan_of(content: Content, folder: Path, name: str = "study", entries: registry.Registry | None = None) -> Plan:
    """Plan a study from its content, under the name of its file."""
    path = folder / f"{name}.yaml"
    path.write_text(yaml.safe_dump(content, sort_keys=False))
    entries = entries or registry.load()
    return make_plan(read_study(path, entries), entries, Indexes())


def shipped(name: str) -> Plan:
    """Plan a study of the folder ``studies`` as if every file and model that it needs were there."""
    entries = registry.load()
    study = read_study(ROOT / f"studies/{name}.yaml", entries)
    models = {entries.models[model]["weights_of"] or model for model in study.models}
    made = {name for name in models if entries.models[name]["generated"] or entries.models[name]["pretrained"]}
    index = {"config.json": {"sha256": "0" * 64}}
    return make_plan(study, entries, Indexes(AnyMirror(), dict.fromkeys(models - made, index)))


@pytest.fixture(scope="module")
def plans(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Plan]:
    folder = tmp_path_factory.mktemp("plans")
    return {name: plan_of(content_of(name), folder) for name in STUDIES}


def test_the_studies_have_every_stage(plans):
    assert set(plans["every_stage"].by_stage()) | set(plans["matrix"].by_stage()) == set(STAGES)


# names and order


def renamed(content: Content, axis: str, names: Mapping[str, str]) -> Content:
    return content | {axis: {names.get(key, key): value for key, value in content[axis].items()}}


def reversed_keys(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: reversed_keys(value[key]) for key in reversed(value)}
    return [reversed_keys(item) for item in value] if isinstance(value, list) else value


def mixtures(edit: Callable[[Content], Content]) -> Callable[[Content], Content]:
    return lambda content: content | {"mixtures": edit(content["mixtures"])}


SAME = {
    "renamed recipe": lambda content: renamed(content, "recipes", {"quick": "slow", "fast": "slow"}),
    "renamed mixture": lambda content: renamed(content, "mixtures", {"three": "several"}),
    "order of keys": reversed_keys,
    "twin mixture": mixtures(lambda found: {**found, "twin": found["three"]}),
    "mixture written at length": mixtures(lambda found: {**found, "three": {"tasks": found["three"]}}),
    "description": lambda content: content | {"description": "Another one."},
    "default written out": lambda content: content | {"world": 0, "tasks": {}},
}


@pytest.mark.parametrize("name", STUDIES)
@pytest.mark.parametrize("change", SAME)
def test_moves_no_node(change, name, plans, tmp_path):
    changed = plan_of(SAME[change](content_of(name)), tmp_path)
    assert changed.nodes.keys() == plans[name].nodes.keys()


def test_a_mixture_by_leaving_out_a_task_has_the_same_nodes(plans, tmp_path):
    by_leaving_out = {
        "none": None,
        "four": ["mnli", "squad_v1", "commonsenseqa", "udpos"],
        "three": {"leave_one_out": "four"},
    }
    changed = plan_of(content_of("matrix") | {"mixtures": by_leaving_out}, tmp_path)
    assert changed.nodes.keys() > plans["matrix"].nodes.keys()


def test_a_mixture_within_a_mixture_has_the_same_nodes(plans, tmp_path):
    nested = {"none": None, "pair": ["mnli", "squad_v1"], "three": ["pair", "commonsenseqa"]}
    used = {"models": {"tiny": {"mixtures": ["none", "three"]}}}
    changed = plan_of(content_of("matrix") | {"mixtures": nested} | used, tmp_path)
    assert changed.nodes.keys() == plans["matrix"].nodes.keys()


@pytest.mark.parametrize("name", STUDIES)
def test_names_of_study_and_model_move_no_node(name, plans, tmp_path):
    content, entries = content_of(name), registry.load()
    (model,) = content["models"]
    aliased = dataclasses.replace(entries, models={**entries.models, "alias": entries.models[model]})
    changed = plan_of(content | {"models": ["alias"]}, tmp_path, "another-name", aliased)
    assert changed.nodes.keys() == plans[name].nodes.keys()


@pytest.mark.parametrize("name", STUDIES)
def test_equal_mixtures_share_their_nodes_and_both_names_are_there(name, tmp_path):
    plan = plan_of(SAME["twin mixture"](content_of(name)), tmp_path)
    ids: dict[tuple[int, str], dict[str, str]] = {}
    for cell in plan.cells:
        ids.setdefault((cell.seed, cell.target), {})[cell.mixture] = cell.node
    assert all(by_mixture["twin"] == by_mixture["three"] != by_mixture["none"] for by_mixture in ids.values())
    trained = [plan.made.names[each.id] for each in plan.stage("intermediate").values()]
    of_three = [names for names in trained if ".three." in names[0]]
    assert of_three
    for first, second in of_three:
        assert second == first.replace("three", "twin")


def test_no_name_that_a_study_gives_is_in_a_spec_or_an_id(tmp_path):
    names = {"quick": "zzrecipe", "fast": "zzrecipe", "three": "zzmixture"}
    for name in STUDIES:
        content, entries = content_of(name), registry.load()
        (model,) = content["models"]
        aliased = dataclasses.replace(entries, models={**entries.models, "zzmodel": entries.models[model]})
        content = renamed(renamed(content, "recipes", names), "mixtures", names) | {"models": ["zzmodel"]}
        plan = plan_of(content, tmp_path, "zzstudy", aliased)
        assert "zz" not in "".join(f"{each.id} {canonical(to_json(each.spec))}" for each in plan.nodes.values())
        assert {word for known, _ in plan.named() for word in known.split(".")} >= {"zzmodel", "zzrecipe", "zzmixture"}


# versions


def below(plan: Plan, first: set[str]) -> set[str]:
    """Return nodes and all that are made from them."""
    found = set(first)
    for node_id, each in plan.nodes.items():
        if found & set(each.parents):
            found.add(node_id)
    return found


@pytest.mark.parametrize("stage", STAGES)
def test_a_raised_version_moves_its_stage_and_what_is_below_it_alone(stage, plans, tmp_path, monkeypatch):
    monkeypatch.setitem(STAGES, stage, dataclasses.replace(STAGES[stage], version=99))
    for name, before in plans.items():
        after = plan_of(content_of(name), tmp_path)
        moved = {old for old, new in zip(before.nodes, after.nodes, strict=True) if old != new}
        assert moved == below(before, set(before.by_stage().get(stage, ())))


# keys that are added later


@cache
def with_key(annotation: Any, owner: type) -> Any:
    """Return a type in which a dataclass, wherever it stands, has one more key, whose neutral value is 0."""
    if dataclasses.is_dataclass(annotation):
        changed: list[Any] = [
            (field.name, with_key(field.type, owner), dataclasses.field(default=field.default))
            for field in dataclasses.fields(annotation)
            if with_key(field.type, owner) != field.type
        ]
        if annotation is owner:
            changed.append(("added", int, dataclasses.field(default=0)))
        if not changed:
            return annotation
        name, bases = annotation.__name__, (annotation,)
        return dataclasses.make_dataclass(name, changed, bases=bases, frozen=True, kw_only=True)
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is None or origin is typing.Literal:
        return annotation
    inner = [with_key(argument, owner) for argument in arguments]
    return reduce(or_, inner) if origin is types.UnionType else origin[tuple(inner)]


@cache
def reader(kind: type, owner: type) -> TypeAdapter[Any]:
    """Return what reads specs of a kind with one more key."""
    return TypeAdapter(with_key(kind, owner))


def reread(spec: Spec, owner: type) -> Any:
    """Return a spec as code with one more key reads it."""
    return reader(type(spec), owner).validate_python(to_json(spec))


def with_value(value: Any, number: int) -> Any:
    """Return a spec in which the added key has a value."""
    if isinstance(value, Mapping):
        return {key: with_value(item, number) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [with_value(item, number) for item in value]
    if not dataclasses.is_dataclass(value) or isinstance(value, type):
        return value
    changes = {field.name: with_value(getattr(value, field.name), number) for field in dataclasses.fields(value)}
    return dataclasses.replace(value, **changes | ({"added": number} if "added" in changes else {}))


def dataclasses_in(value: Any) -> Iterator[type]:
    """Yield the classes of a spec and of what stands in it."""
    if isinstance(value, Mapping | list | tuple):
        for item in value.values() if isinstance(value, Mapping) else value:
            yield from dataclasses_in(item)
    elif dataclasses.is_dataclass(value):
        yield type(value)
        for field in dataclasses.fields(value):
            yield from dataclasses_in(getattr(value, field.name))


def moved_by(plan: Plan, change: Callable[[Spec], Spec]) -> set[str]:
    """Return the nodes of a plan that move when their specs change, parents first."""
    nodes, new = Nodes(), {}
    for node_id, each in plan.nodes.items():
        spec = change(each.spec)
        parents = {role: new[parent] for role, parent in spec.parents.items()}
        new[node_id] = nodes.add("name", dataclasses.replace(spec, parents=parents)).id
    return {old for old, now in new.items() if old != now}


BASES = {Spec, PreparedSpec, TrainingSpec, HeadSpec, EvaluatedSpec}
OWNERS = [each for each in vars(specs).values() if dataclasses.is_dataclass(each) and each not in BASES]


@pytest.mark.parametrize("owner", OWNERS, ids=lambda owner: owner.__name__)
def test_a_key_moves_nothing_at_its_neutral_value_and_else_what_has_it_and_is_below(owner, plans):
    with_it = 0
    for plan in plans.values():
        for each in plan.nodes.values():
            assert canonical(to_json(reread(each.spec, owner))) == canonical(to_json(each.spec))
        assert moved_by(plan, lambda spec: reread(spec, owner)) == set()
        first = {name for name, each in plan.nodes.items() if owner in dataclasses_in(each.spec)}
        assert moved_by(plan, lambda spec: with_value(reread(spec, owner), 1)) == below(plan, first)
        with_it += len(first)
    assert with_it, f"no study of this test has a {owner.__name__}"


@pytest.mark.parametrize("stage", STAGES)
def test_a_manifest_from_before_a_key_is_read_and_adopted(stage, plans, tmp_path, monkeypatch):
    spec = next(each.spec for plan in plans.values() for each in plan.stage(stage).values())
    output = tmp_path / "node" / manifest.MANIFEST
    with node.making(output, spec) as made:
        (made.scratch / "rows").write_text("rows")
        made.results = LEAST.get(stage, Results())
    monkeypatch.setitem(manifest.RESULTS, stage, with_key(manifest.RESULTS[stage], manifest.RESULTS[stage]))
    later = reread(spec, type(spec))
    assert manifest.read(output).results.added == 0
    assert node.is_whole(output.parent, later)
    before = output.read_bytes()
    output.unlink()
    assert node.adopt(output, later)
    assert output.read_bytes() == before
    assert not node.is_whole(output.parent, with_value(later, 1))
    (output.parent / "rows").write_text("more rows")
    assert not node.adopt(output, later)


# JSON


def plain(value: Any) -> Any:
    """Return a value with lists for tuples and integers for whole numbers."""
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


@pytest.mark.parametrize("name", [*STUDIES, *SHIPPED])
def test_specs_and_their_json_say_the_same(name, plans):
    plan = plans[name] if name in plans else shipped(name)
    for each in plan.nodes.values():
        content = to_json(each.spec)
        spec = specs.from_json(json.loads(canonical(content)))
        assert type(spec) is type(each.spec)
        assert to_json(spec) == content
        assert plain(dataclasses.asdict(spec)) == plain(dataclasses.asdict(each.spec))


def test_one_number_has_one_digest(plans):
    (spec,) = [each.spec for each in plans["matrix"].stage("intermediate").values()]
    task = spec.tasks[0]
    integers = dataclasses.replace(task, weight=1, decoding={"n_best": 3})
    floats = dataclasses.replace(task, weight=1.0, decoding={"n_best": 3.0})
    written = [
        dataclasses.replace(spec, tasks=[each], learning_rate=rate) for each, rate in ((integers, 1), (floats, 1.0))
    ]
    first, second = (digest(to_json(each)) for each in written)
    assert first == second
    assert digest(to_json(dataclasses.replace(written[0], learning_rate=1.5))) != first


def test_golden_digests(plans, request):
    found = {name: list(plan.nodes) for name, plan in plans.items()}
    if request.config.getoption("--golden"):
        DIGESTS.write_text(json.dumps(found, indent=1) + "\n")
    for name, expected in json.loads(DIGESTS.read_text()).items():
        moved = [node_id for node_id in found[name] if node_id not in expected]
        assert found[name] == expected, (
            f"{len(moved)} nodes of tests/studies/{name}.yaml have moved, the first {moved[:1]}, so that everyone's"
            " results would be made anew. Where results are the same, state the neutral value of the new key: a default"
            " in store/specs/, or `neutral=` in phase.py. Where they are not, raise the version of the stage"
            f" (store/stages.py), of the task (its registry file) or of the world ({', '.join(MADE_UP)}), and write the"
            " ids anew: pytest --golden tests/unit/planning/test_identity.py"
        )
