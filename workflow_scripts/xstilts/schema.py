"""Ring one of the checks: the structure of every YAML file, by strict JSON Schema with defaults.

Schemas stand in ``schemas/``; they are JSON Schema written as YAML. Errors name the file, the path of the key, what
was found and how to fix it.
"""

import copy
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

import yaml
from jsonschema import Draft202012Validator, validators
from jsonschema.exceptions import ValidationError, best_match
from jsonschema.protocols import Validator
from referencing import Registry
from referencing.jsonschema import DRAFT202012

from xstilts import phase
from xstilts.errors import UserError, suggestion

SCHEMAS = Path(__file__).parent / "schemas"
REGISTRY = Path(__file__).parent / "registry"
Choices = Mapping[str, Sequence[str]]
# the C loader, where libyaml is there: the same result, several times faster
_Loader: type[yaml.SafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _UniqueKeys(_Loader):  # type: ignore[valid-type, misc]
    """YAML in which a key given twice is an error, and ``no`` (Norwegian) is a word, not False."""


def _mapping(loader: Any, node: yaml.MappingNode) -> dict[str, Any]:
    keys = [loader.construct_object(key, deep=True) for key, _ in node.value]
    for index, key in enumerate(keys):
        if key in keys[:index]:
            mark = node.value[index][0].start_mark
            raise yaml.constructor.ConstructorError(None, None, f"key {key!r} is given twice", mark)
    return loader.construct_mapping(node, deep=True)


_UniqueKeys.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _mapping)
# YAML 1.2 booleans (true, false) in place of YAML 1.1's (yes, no, on, off): 'no' is a language.
_UniqueKeys.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:bool" or first in "tTfF"]
    for first, resolvers in _UniqueKeys.yaml_implicit_resolvers.items()
}
# and YAML 1.2 numbers: 1e-5 is one, though YAML 1.1 wants 1.0e-5
_UniqueKeys.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"[-+]?[0-9]+(\.[0-9]*)?[eE][-+]?[0-9]+$"), list("-+0123456789")
)


def read_yaml(path: Path) -> Any:
    """Read one YAML document.

    Raises:
        UserError: if the file is missing, is not UTF-8, is no YAML or repeats a key.
    """
    try:
        return yaml.load(path.read_text(encoding="utf-8"), Loader=_UniqueKeys)  # noqa: S506 (a safe loader)
    except FileNotFoundError:
        raise UserError(f"{path}: no such file") from None
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: not UTF-8 at byte {error.start}; save the file as UTF-8") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f":{mark.line + 1}" if mark else ""
        raise UserError(f"{path}{line}: not valid YAML: {getattr(error, 'problem', error)}") from None


@cache
def _schemas() -> dict[str, dict[str, Any]]:
    texts = {path.name: path.read_text(encoding="utf-8") for path in SCHEMAS.glob("*.yaml")}
    schemas: dict[str, dict[str, Any]] = {name: yaml.load(text, Loader=_Loader) for name, text in texts.items()}
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

    return validators.extend(Draft202012Validator, {"x-choices": chosen})(_schemas()[name], registry=_registry())


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
        _refuse_infinite_numbers(inner, f"{path}.{key}".lstrip("."), file)


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


def _explain(error: ValidationError) -> str:
    path = ".".join(map(str, error.absolute_path)) or "(top level)"
    if error.validator == "additionalProperties":
        keys = error.schema.get("properties", {})
        unknown = sorted(str(key) for key in error.instance if key not in keys)
        key = ".".join([*map(str, error.absolute_path), unknown[0]])
        return f"{key}: unknown key; {suggestion(unknown[0], keys)}"
    if error.validator == "required":
        missing = [key for key in error.validator_value if key not in error.instance]
        return f"{path}: needs the key {missing[0]!r}"
    if error.validator == "type":
        kinds = [error.validator_value] if isinstance(error.validator_value, str) else error.validator_value
        is_empty = error.instance is None and not error.absolute_path
        value = "an empty file" if is_empty else repr(error.instance)
        return f"{path}: must be {' or '.join(_KINDS[kind] for kind in kinds)}, found {value}"
    if error.validator == "enum":
        return f"{path}: {error.instance!r} is not possible; {suggestion(error.instance, error.validator_value)}"
    if error.validator in ("minimum", "exclusiveMinimum", "maximum", "exclusiveMaximum"):
        sign = {"minimum": ">=", "exclusiveMinimum": ">", "maximum": "<=", "exclusiveMaximum": "<"}[error.validator]
        return f"{path}: must be {sign} {error.validator_value}, found {error.instance!r}"
    if error.validator in ("minItems", "minProperties"):
        least = error.validator_value
        return f"{path}: must " + ("not be empty" if least == 1 else f"have at least {least}, found {error.instance!r}")
    if error.validator == "pattern":
        expected = error.schema.get("x-form", error.validator_value)
        return f"{path}: {error.instance!r} is not of the form {expected}"
    if error.validator == "propertyNames" or (error.parent and error.parent.validator == "propertyNames"):
        return f"{path}: {error.instance!r} is not a possible name; use letters, digits, '-', '_' and '+'"
    return f"{path}: {error.message}"
