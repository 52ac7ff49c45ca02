"""docs/architecture.md says what is there: every module, every stage, and floors on which the law of imports stands."""

import re
import runpy
from pathlib import Path

from xstilts.forms import NAMES
from xstilts.store.figures import FIGURES
from xstilts.store.stages import STAGES

ROOT = Path(__file__).parents[2]
BELOW = runpy.run_path(str(Path(__file__).with_name("test_imports.py")))["BELOW"]
PAGE = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")
PACKAGE = ROOT / "workflow_scripts/xstilts"


def block(name):
    return re.search(rf"<!-- {name} -->\n(.*?)<!-- end of {name} -->", PAGE, re.S)[1].strip("`\n")


def tree():
    """Return the paths in the tree, below the package; folders end with a slash."""
    paths, folders = [], []
    for line in block("tree").splitlines()[1:]:
        level, name = (len(line) - len(line.lstrip())) // 4 - 1, line.split()[0]
        folders[level:] = [name] if name.endswith("/") else []
        paths.append("".join(folders) if name.endswith("/") else "".join([*folders[:level], name]))
    return paths


def test_the_tree_names_every_module_once():
    """But for forms and figures, which have tables of their own in the code."""
    named = [path for path in tree() if path.endswith(".py")]
    modules = {path.relative_to(PACKAGE).as_posix() for path in PACKAGE.rglob("*.py")}
    listed = {f"forms/{name}.py" for name in NAMES}
    listed |= {f"reporting/figures/{module}.py" for module in FIGURES.values()}
    assert len(named) == len(set(named))
    assert set(named) <= modules and modules - listed <= set(named)


def test_every_module_but_a_bare_package_is_described():
    for line, path in zip(block("tree").splitlines()[1:], tree(), strict=True):
        assert len(line.split()) > 1 or re.fullmatch(r"\w+/__init__.py", path), line


def test_imports_point_to_lower_floors():
    floors = {
        word: index
        for index, line in enumerate(block("floors").splitlines())
        for word in re.findall(r"[a-z_]+", line.partition("│   ")[0])
    }
    for room, below in BELOW.items():
        if room not in ("", "__main__"):
            assert room in floors
            assert all(floors[other] > floors[room] for other in below - {"", room}), room


def test_the_table_of_stages_is_that_of_the_code():
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in block("stages").splitlines()[2:]]
    stated = {name.strip("`"): (bool(trains), bool(gpu), deleted) for name, _, _, trains, gpu, deleted in rows}
    assert stated == {
        name: (stage.trains, stage.computes, ", ".join(stage.deleted_under)) for name, stage in STAGES.items()
    }


def test_the_table_of_stages_names_rules_that_exist():
    rules = "".join(path.read_text() for path in (ROOT / "rules").glob("*.smk"))
    for line in block("stages").splitlines()[2:]:
        name = line.split("|")[3].strip()
        assert re.search(rf"^(use )?rule (\w+ as )?{name}\b", rules, re.M), name
