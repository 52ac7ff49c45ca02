"""Names of languages in studies and tasks, by the table of languages."""

import difflib
from collections.abc import Iterable, Mapping
from typing import Any

from xstilts.errors import UserError

Languages = Mapping[str, Mapping[str, Any]]

# tags that BCP 47 has given up or that are wider than ours, as models and data sets write them
_OTHER_TAGS = {"cmn": "zh", "fil": "tl", "in": "id", "iw": "he", "ji": "yi", "no": "nb"}


def check_language(name: str, languages: Languages, place: str) -> None:
    """Refuse a language that is not in the table.

    Raises:
        UserError: with the tag that is meant, where that is likely, and how to add another language.
    """
    if name in languages:
        return
    made_up = not any("flores" in row for row in languages.values())
    written = {row.get("flores"): tag for tag, row in languages.items()}
    written |= {f"{tag}-{row['script']}": tag for tag, row in languages.items()}
    if name in written:
        tag = written[name]
        raise UserError(f"{place}: write {tag!r} for {name!r}; it is {languages[tag]['name']}")
    meant = {tag: tag for tag in languages} | {row["name"]: tag for tag, row in languages.items()}
    primary, *subtags = name.replace("_", "-").split("-")
    tag = _OTHER_TAGS.get(primary, primary)
    # a tag with a region, or under another name, but none with another script; else what is spelled nearly so
    same = tag in languages and not any(len(subtag) == len("Latn") for subtag in subtags)
    close = [tag] if same else difflib.get_close_matches(name, meant, n=1, cutoff=0.75)
    found = f"did you mean {meant[close[0]]!r} ({languages[meant[close[0]]]['name']})? " if close else ""
    # those of the miniature world are not a user's to add
    another = "to add it, give languages.yaml a row such as xx: {name: ..., script: Latn} (docs/add-a-task.md)"
    known = f"known: {', '.join(sorted(languages))}"
    raise UserError(f"{place}: unknown language {name!r}; {found}{known if made_up else another}")


def codes_in_files(
    named: str | Mapping[str, str], tags: Iterable[str], languages: Languages, place: str
) -> dict[str, str]:
    """Return what ``{code}`` is in names of files, by language.

    Args:
        named: codes by language, or the column of the table that has them.
        tags: the languages of the task.
        languages: the table.
        place: what to call the task's file in an error.

    Raises:
        UserError: if a language of the table has nothing in that column.
    """
    if not isinstance(named, str):
        return dict(named)
    found = {tag: languages[tag].get(named) for tag in tags if tag in languages}
    for tag, code in found.items():
        if code is None:
            raise UserError(f"{place}: codes: languages.yaml has no {named!r} of {tag!r}; write the codes by language")
    return {tag: code for tag, code in found.items() if code is not None}
