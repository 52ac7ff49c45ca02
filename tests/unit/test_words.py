"""Words without a right use are kept out of names and keys: whole identifiers in Python, keys in YAML."""

import ast
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
# docs/glossary.md has the words to use in their place
WORDS = {"told", "pieces", "device_pieces", "levers", "keeping", "let_go", "golds", "wanted"}
CHAIN = ("body", "body")
FOLDERS = ("workflow_scripts", "rules", "studies", "tests", "benchmarks", "slurm")


def files(*suffixes: str) -> list[Path]:
    inside = [path for folder in FOLDERS for path in (ROOT / folder).rglob("*")]
    return sorted(path for path in (*inside, *ROOT.iterdir()) if path.suffix in suffixes or path.name in suffixes)


def names(tree: ast.AST) -> Iterator[str]:
    """Yield every name that a module binds or uses, and the keys of dicts that are written out."""
    for node in ast.walk(tree):
        match node:
            case ast.Name(id=name) | ast.arg(arg=name) | ast.Attribute(attr=name):
                yield name
            case ast.keyword(arg=str(name)) | ast.MatchStar(name=str(name)) | ast.MatchAs(name=str(name)):
                yield name
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                yield name
            case ast.alias(name=name, asname=other):
                yield from (*name.split("."), other or "")
            case ast.Dict(keys=keys):
                yield from (key.value for key in keys if isinstance(key, ast.Constant) and isinstance(key.value, str))
            case ast.Subscript(slice=ast.Constant(value=str(name))):
                yield name


def chains(tree: ast.AST) -> Iterator[tuple[str, str]]:
    """Yield every pair of attributes of which the second is one of the first."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Attribute | ast.Name):
            yield (node.value.attr if isinstance(node.value, ast.Attribute) else node.value.id, node.attr)


def keys(value: object) -> Iterator[str]:
    if isinstance(value, dict):
        yield from map(str, value)
        for inner in value.values():
            yield from keys(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from keys(inner)


def stripped(name: str) -> str:
    return name.strip("_").lower()


@pytest.mark.parametrize("path", files(".py"), ids=lambda path: str(path.relative_to(ROOT)))
def test_python(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    found = {name for name in names(tree) if stripped(name) in WORDS}
    assert not found and stripped(path.stem) not in WORDS
    assert CHAIN not in set(chains(tree))


@pytest.mark.parametrize("path", files(".yaml"), ids=lambda path: str(path.relative_to(ROOT)))
def test_yaml(path):
    assert not {key for key in keys(yaml.safe_load(path.read_text(encoding="utf-8"))) if stripped(key) in WORDS}


@pytest.mark.parametrize("path", files(".smk", "Snakefile"), ids=lambda path: str(path.relative_to(ROOT)))
def test_rules(path):
    with path.open("rb") as file:
        found = {token.string for token in tokenize.tokenize(file.readline) if token.type == tokenize.NAME}
    assert not {name for name in found if stripped(name) in WORDS}
