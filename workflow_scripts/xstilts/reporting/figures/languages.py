"""The order of languages in figures: in groups by family, and within them by script."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from xstilts import schema
from xstilts.store.study_plan import StudyPlan

SOURCE, CONTROLS, UNKNOWN = "source language", "control languages", "family unknown"


@dataclass(frozen=True)
class Group:
    """Languages that stand together.

    Attributes:
        name: the family, ``source language`` or ``control languages``.
        languages: script by code.
    """

    name: str
    languages: Mapping[str, str]


def groups(codes: Iterable[str], sources: Iterable[str], plan: StudyPlan) -> list[Group]:
    """Return languages in groups: the source language first, families by name, control languages last.

    Within a family they are in the order of their declared distance from the source language where they have one, else
    of script and code.

    Args:
        codes: of the languages.
        sources: those of them that are source languages.
        plan: the study's plan.
    """
    known = _features(plan)

    def key(code: str) -> tuple[int, str, int, str, str]:
        features = known.get(code, {})
        rank = 0 if code in set(sources) else 2 if code in plan.controls else 1
        return rank, _family(features), plan.distance.get(code, 0), features.get("script", ""), code

    found: dict[str, dict[str, str]] = {}
    for code in sorted(set(codes), key=key):
        features = known.get(code, {})
        name = (SOURCE, _family(features), CONTROLS)[key(code)[0]]
        found.setdefault(name, {})[code] = features.get("script", "")
    return [Group(name, languages) for name, languages in found.items()]


def _family(features: Mapping[str, Any]) -> str:
    """Return the family without its branch."""
    return str(features.get("family", UNKNOWN)).partition(",")[0]


def _features(plan: StudyPlan) -> Mapping[str, Mapping[str, Any]]:
    """Return what the registry says of languages by code; of a made-up world what it declares."""
    is_world = any(target.source == "miniature" for target in plan.targets.values())
    features: Mapping[str, Mapping[str, Any]] = schema.read_yaml(
        schema.REGISTRY / ("miniature.yaml" if is_world else "languages.yaml")
    )
    return features
