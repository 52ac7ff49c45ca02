"""The law of imports: a room imports from those below it only; nobody imports a command; planning needs no torch."""

import ast
import subprocess
import sys
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "workflow_scripts/xstilts"
BASE = {"", "errors", "references", "phase", "hardware", "model_config", "relative_path", "yaml_core"}
_DECLARED = {"forms", "schema", "store"} | BASE
_FORMS = {"forms", "tokenization", "metrics", "store", "schema"} | BASE
_DATA_AND_MODELS = {"data", "models"} | _FORMS
# what each room may import, itself aside; modules beside the rooms count as rooms
BELOW = {
    "commands": {"commands", "reporting", "planning", "training", "evaluation", "warm"} | _DATA_AND_MODELS,
    "planning": _DECLARED,
    "reporting": {"training", "evaluation"} | _DATA_AND_MODELS,
    "training": {"evaluation"} | _DATA_AND_MODELS,
    "evaluation": _DATA_AND_MODELS,
    "data": _FORMS,
    "models": _FORMS,
    "forms": _FORMS - {"forms"},
    "tokenization": BASE,
    "metrics": BASE,
    "store": BASE,
    "schema": BASE,
    **dict.fromkeys(sorted(BASE), set()),
    # xstilts.load, imported when it is called
    "": {"reporting"},
    "warm": {""},
    "__main__": {"commands", "warm"},
}
# declarations outside of forms, without torch, that planning may import
DECLARATIONS = {"data.sources.made_up", "training.gpu_checks.trainings"}
MODULES = {
    ".".join(path.relative_to(PACKAGE).with_suffix("").parts).removesuffix("__init__").removesuffix("."): path
    for path in PACKAGE.rglob("*.py")
}


def room(module: str) -> str:
    return module.partition(".")[0]


def imports(module: str) -> set[str]:
    """Return the package's modules that a module imports, at the top or inside a function."""
    found = set()
    for node in ast.walk(ast.parse(MODULES[module].read_text(encoding="utf-8"))):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom) and node.module:
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        for name in names:
            if name.partition(".")[0] == "xstilts":
                inside = name.partition(".")[2]
                found.add(inside if inside in MODULES else inside.rpartition(".")[0])
    return found


@pytest.mark.parametrize("module", sorted(MODULES))
def test_imports_point_down(module):
    own = room(module)
    for other in imports(module):
        if room(other) == own and own != "commands":
            continue
        if own == "planning" and other in DECLARATIONS:
            continue
        assert room(other) in BELOW[own], f"{module} imports {other}"
        assert room(other) != "commands" or other == "commands", f"{module} imports a command, {other}"


def test_modules_import_each_other_in_no_circle():
    """A package's ``__init__`` that gathers its own modules is a table, and the same place."""
    graph = {module: imports(module) - {module} for module in MODULES}
    tuple(TopologicalSorter(graph).static_order())


def test_planning_starts_no_program():
    for module in MODULES:
        if room(module) == "planning":
            assert "import subprocess" not in MODULES[module].read_text(encoding="utf-8"), module


def test_planning_needs_neither_torch_nor_transformers():
    code = "import sys; from xstilts.planning import expected, settings, plan, time_left; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"torch", "transformers", "datasets"} & set(done.stdout.split())
