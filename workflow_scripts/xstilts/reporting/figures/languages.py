"""The order of languages in figures: in groups by family, and within them by script."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from xstilts.store.study_plan import PlannedLanguage, StudyPlan

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
    unknown = PlannedLanguage(name="", script="")

    def key(code: str) -> tuple[int, str, int, str, str]:
        language = plan.languages.get(code, unknown)
        rank = 0 if code in set(sources) else 2 if code in plan.controls else 1
        return rank, _family(language), plan.distance.get(code, 0), language.script, code

    found: dict[str, dict[str, str]] = {}
    for code in sorted(set(codes), key=key):
        language = plan.languages.get(code, unknown)
        name = (SOURCE, _family(language), CONTROLS)[key(code)[0]]
        found.setdefault(name, {})[code] = language.script
    return [Group(name, languages) for name, languages in found.items()]


def _family(language: PlannedLanguage) -> str:
    """Return the family without its branch."""
    return language.family.partition(",")[0] or UNKNOWN
