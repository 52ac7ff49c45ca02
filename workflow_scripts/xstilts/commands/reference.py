"""Print the reference of all configuration keys, from the schemas."""

import argparse
import json
import sys
from typing import Any

from xstilts import schema
from xstilts.planning import tasks

_COUNTED = {"maxItems": "items", "maxLength": "characters"}
_SIGNS = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}
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


def _limits(inner: dict[str, Any]) -> list[str]:
    """Return what a value may be, beside its type: bounds of numbers, the form and length of text, items of a list."""
    limits = [f"{sign} {inner[key]:,}" for key, sign in _SIGNS.items() if key in inner]
    limits += [f"at most {inner[key]:,} {what}" for key, what in _COUNTED.items() if key in inner]
    limits += [inner["x-form"]] if "x-form" in inner else []
    limits += ["a relative path"] if inner.get("format") == "relative-path" else []
    each = _limits(schema.resolve(inner["items"])) if isinstance(inner.get("items"), dict) else []
    return limits + ([f"each {', '.join(each)}"] if each else [])


def _row(inner: dict[str, Any], path: str, required: bool) -> list[str]:
    kind = inner.get("type", "any")
    kind = kind if isinstance(kind, str) else " or ".join(kind)
    values = tasks.choices()[inner["x-choices"]] if "x-choices" in inner else inner.get("enum")
    if values is not None:
        kind = " or ".join(json.dumps(value) for value in values)
    kind = ", ".join([kind, *_limits(inner)])
    default = "required" if required else json.dumps(inner["default"]) if "default" in inner else ""
    meaning = inner.get("description", "").replace("|", "\\|")
    items = schema.resolve(inner["items"]) if isinstance(inner.get("items"), dict) else {}
    return [f"| `{path}` | {kind} | {default} | {meaning} |", *_rows(inner, f"{path}."), *_rows(items, f"{path}[].")]
