"""Print the reference of all configuration keys, from the schemas."""

import argparse
import json
import sys
from typing import Any

from xstilts import schema
from xstilts.planning import tasks

_PAGES = ("config.yaml", "study.yaml", "task.yaml", "mixtures.yaml", "models.yaml", "languages.yaml")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this command's arguments: none."""


def run(arguments: argparse.Namespace) -> None:
    """Run the command."""
    sys.stdout.write(text())


def text() -> str:
    """Return the page as Markdown."""
    lines = [
        "# Configuration",
        "",
        "Written by `xstilts reference` from the schemas; a test keeps the two in step.",
        "",
    ]
    for name in _PAGES:
        page = schema.resolve({"$ref": name})
        lines += [f"## {page['title']}", "", page["description"], "", "| key | type | default | meaning |"]
        lines += ["|---|---|---|---|", *_rows(page, ""), ""]
    return "\n".join(lines)


def _rows(page: dict[str, Any], prefix: str) -> list[str]:
    rows = []
    required = page.get("required", [])
    for key, inner in page.get("properties", {}).items():
        rows += _row(schema.resolve(inner), f"{prefix}{key}", key in required)
    more = page.get("additionalProperties")
    if isinstance(more, dict):
        rows += _row(schema.resolve(more), f"{prefix}<name>", False)
    return rows


def _row(inner: dict[str, Any], path: str, required: bool) -> list[str]:
    kind = inner.get("type", "any")
    kind = kind if isinstance(kind, str) else " or ".join(kind)
    values = tasks.choices()[inner["x-choices"]] if "x-choices" in inner else inner.get("enum")
    if values is not None:
        kind = " or ".join(json.dumps(value) for value in values)
    default = "required" if required else json.dumps(inner["default"]) if "default" in inner else ""
    meaning = inner.get("description", "").replace("|", "\\|")
    items = schema.resolve(inner["items"]) if isinstance(inner.get("items"), dict) else {}
    return [f"| `{path}` | {kind} | {default} | {meaning} |", *_rows(inner, f"{path}."), *_rows(items, f"{path}[].")]
