"""Ring one of the checks: the structure of every YAML file, by strict JSON Schema with defaults.

Schemas stand in ``schemas/``; they are JSON Schema written as YAML. Errors name the file, the path of the key, what
was found and how to fix it.
"""

import copy
import math
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

import yaml
from jsonschema import Draft202012Validator, FormatChecker, validators
from jsonschema.exceptions import ValidationError, best_match
from jsonschema.protocols import Validator
from referencing import Registry
from referencing.jsonschema import DRAFT202012

from xstilts import phase, yaml_core
from xstilts.errors import UserError, suggestion
from xstilts.relative_path import RULE, is_inside

SCHEMAS = Path(__file__).parent / "schemas"
REGISTRY = Path(__file__).parent / "registry"
Choices = Mapping[str, Sequence[str]]
_FORMATS = FormatChecker(())


@_FORMATS.checks("relative-path")
def _is_relative_path(value: Any) -> bool:
    return not isinstance(value, str) or is_inside(value)


def read_yaml(path: Path) -> Any:
    """Read one YAML document.

    Raises:
        UserError: if the file is missing, is not UTF-8, or is not YAML as ``yaml_core`` reads it.
    """
    try:
        return yaml_core.load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"{path}: no such file") from None
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: not UTF-8 at byte {error.start}; save the file as UTF-8") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f":{mark.line + 1}" if mark else ""
        problem = " ".join(str(getattr(error, "problem", None) or error).split())
        raise UserError(f"{path}{line}: not valid YAML: {problem}") from None


@cache
def _schemas() -> dict[str, dict[str, Any]]:
    schemas: dict[str, dict[str, Any]] = {path.name: read_yaml(path) for path in SCHEMAS.glob("*.yaml")}
    for content in schemas.values():
        for group in content.pop("x-settings", ()):
            content["properties"] |= phase.schema_of(group)
    return schemas


@cache
def _registry() -> Registry[Any]:
    resources = [(key, DRAFT202012.create_resource(value)) for key, value in _schemas().items()]
    return Registry().with_resources(resources)


def _validator(name: str, choices: Choices) -> Validator:
    """Return a validator that knows the keyword ``x-choices``, an ``enum`` whose values are not in the schema."""

    def chosen(_: Validator, key: str, value: Any, __: Mapping) -> Iterator[ValidationError]:
        if value not in choices[key]:
            yield ValidationError("", validator="enum", validator_value=choices[key])

    kind = validators.extend(Draft202012Validator, {"x-choices": chosen})
    return kind(_schemas()[name], registry=_registry(), format_checker=_FORMATS)


@cache
def _validator_without_choices(name: str) -> Validator:
    # making a class of validators costs more than most checks
    return _validator(name, {})


def check(value: Any, name: str, file: str, choices: Choices = MappingProxyType({})) -> Any:
    """Check a value against ``schemas/<name>`` and return it with defaults filled in.

    Args:
        value: what a YAML file holds.
        name: file name of the schema, such as ``study.yaml``.
        file: what to call the file in an error.
        choices: the possible values where the schema says ``x-choices``, by the name that it gives there.

    Raises:
        UserError: naming the path of the first wrong key.
    """
    _refuse_infinite_numbers(value, "", file)
    validator = _validator(name, choices) if choices else _validator_without_choices(name)
    error = best_match(validator.iter_errors(value))
    if error is not None:
        raise UserError(f"{file}: {_explain(error)}")
    return with_defaults(value, _schemas()[name])


def _refuse_infinite_numbers(value: Any, path: str, file: str) -> None:
    """Refuse NaN and infinities, which YAML can write and no setting means."""
    if isinstance(value, float) and not math.isfinite(value):
        raise UserError(f"{file}: {path}: {value} is not a number that can be used")
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        _refuse_infinite_numbers(inner, f"{path}.{_key(key)}".lstrip("."), file)


def with_defaults(value: Any, schema: dict[str, Any]) -> Any:
    """Return the value with every default that the schema states and it lacks, equal numbers written alike."""
    schema = resolve(schema)
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, dict):
        filled = {}
        properties = schema.get("properties", {})
        for key in value:
            inner = properties.get(key, schema.get("additionalProperties"))
            filled[key] = with_defaults(value[key], inner) if isinstance(inner, dict) else value[key]
        for key, inner in properties.items():
            if key not in filled and "default" in resolve(inner):
                filled[key] = with_defaults(copy.deepcopy(resolve(inner)["default"]), inner)
        return filled
    if isinstance(value, list) and "items" in schema:
        return [with_defaults(item, schema["items"]) for item in value]
    return value


def resolve(schema: dict[str, Any]) -> dict[str, Any]:
    """Follow a ``$ref`` to another schema file; keys beside it (description, default) win."""
    if "$ref" in schema:
        return {**_schemas()[schema["$ref"]], **{key: item for key, item in schema.items() if key != "$ref"}}
    return schema


# characters of a value in a message
_SHOWN = 100
# JSON's types, for people
_KINDS = {
    "array": "a list, such as [1, 2]",
    "object": "keys with values",
    "string": "text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "null": "left empty",
}


_SIGNS = {"minimum": ">=", "exclusiveMinimum": ">", "maximum": "<=", "exclusiveMaximum": "<"}


def _explain(error: ValidationError) -> str:
    path = ".".join(map(_key, error.absolute_path)) or "(top level)"
    found = _shown(error.instance)
    if error.validator == "additionalProperties":
        keys = error.schema.get("properties", {})
        unknown = sorted(str(key) for key in error.instance if key not in keys)
        key = ".".join([*map(_key, error.absolute_path), _key(unknown[0])])
        return f"{key}: unknown key; {suggestion(unknown[0], keys)}"
    if error.validator == "required":
        missing = [key for key in error.validator_value if key not in error.instance]
        return f"{path}: needs the key {missing[0]!r}"
    if error.validator == "type":
        kinds = [error.validator_value] if isinstance(error.validator_value, str) else error.validator_value
        is_empty = error.instance is None and not error.absolute_path
        value = "an empty file" if is_empty else found
        return f"{path}: must be {' or '.join(_KINDS[kind] for kind in kinds)}, found {value}"
    if error.validator == "enum" and all(isinstance(value, int) for value in error.validator_value):
        return f"{path}: must be one of {', '.join(map(str, error.validator_value))}, found {found}"
    if error.validator == "enum" and "x-why" in error.schema:
        return f"{path}: {found} is not possible {error.schema['x-why']}"
    if error.validator == "enum":
        return f"{path}: {found} is not possible; {suggestion(error.instance, error.validator_value)}"
    if error.validator in _SIGNS:
        return f"{path}: must be {_SIGNS[error.validator]} {error.validator_value}, found {found}"
    if error.validator in ("minItems", "minProperties", "minLength"):
        least = error.validator_value
        return f"{path}: must " + ("not be empty" if least == 1 else f"have at least {least}, found {found}")
    if error.validator == "maxItems":
        return f"{path}: must have at most {error.validator_value}, found {len(error.instance)}"
    if error.validator == "uniqueItems":
        return f"{path}: has something twice: {found}"
    if error.validator == "format":
        return f"{path}: {found} is not {RULE}"
    if error.validator == "pattern":
        return f"{path}: {found} is not of the form {error.schema.get('x-form', error.validator_value)}"
    if error.validator == "maxLength":
        return f"{path}: {found} has {len(error.instance)} characters, at most {error.validator_value} are possible"
    return f"{path}: {found}: {error.message.removeprefix(repr(error.instance)).strip()}"


def _key(key: str | int) -> str:
    """Return a key of a mapping, or a place in a list, as it stands in messages."""
    return key if isinstance(key, str) and key.isprintable() and len(key) <= _SHOWN else _shown(key)


def _shown(value: Any) -> str:
    """Return a value for a message, the beginning alone of a long one."""
    text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."
