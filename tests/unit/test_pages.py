"""The documents: README is short, links lead somewhere, commands and messages exist, no sentence stands twice."""

import re
from pathlib import Path

import pytest
from xstilts.commands import COMMANDS

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md"))]
IDS = [path.name for path in PAGES]

# what a page makes, and files of other projects
MADE_BY_A_WALK = {
    "workflow_scripts/xstilts/forms/similarity.py",
    "workflow_scripts/xstilts/reporting/figures/source_scores.py",
    "third_party/run_xcopa.py",
    "third_party/utils_mewslix.py",
    "jiant/shared/model_setup.py",
}


def prose(path):
    """Return a page without its blocks of code."""
    return re.sub(r"^```.*?^```", "", path.read_text(encoding="utf-8"), flags=re.M | re.S)


def anchors(path):
    titles = re.findall(r"^#+ (.*)$", path.read_text(encoding="utf-8"), re.M)
    return {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}


def test_readme_is_short_and_has_its_picture():
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= 120
    picture = (ROOT / "docs/report.png").read_bytes()
    assert picture.startswith(b"\x89PNG") and len(picture) < 300_000


@pytest.mark.parametrize("path", PAGES, ids=IDS)
def test_links_lead_to_pages_and_headings(path):
    for target in re.findall(r"\]\(([^)\s]+)\)", prose(path)):
        if target.startswith("https://"):
            continue
        name, _, anchor = target.partition("#")
        page = (path.parent / name).resolve() if name else path
        assert page.exists(), target
        assert not anchor or anchor in anchors(page), target


def test_every_page_is_linked_from_the_readme():
    linked = set(re.findall(r"\]\(docs/([\w.-]+)", (ROOT / "README.md").read_text(encoding="utf-8")))
    assert {path.name for path in (ROOT / "docs").glob("*.md")} <= linked


@pytest.mark.parametrize("path", [path for path in PAGES if path.name != "CHANGELOG.md"], ids=lambda path: path.name)
def test_commands_and_files_that_a_page_names_exist(path):
    text = path.read_text(encoding="utf-8")
    assert set(re.findall(r"`xstilts ([a-z][a-z-]*)", text)) <= set(COMMANDS)
    for name in re.findall(r"`((?:tests|benchmarks|rules|studies|envs|slurm|registry)/[\w./-]+\.\w+)`", text):
        inside = ROOT / "workflow_scripts/xstilts" / name
        assert (ROOT / name).exists() or inside.exists(), name
    for name in re.findall(r"`((?:\w+/)+\w+\.py)`", text):
        places = (ROOT, ROOT / "workflow_scripts", ROOT / "workflow_scripts/xstilts")
        assert name in MADE_BY_A_WALK or any((place / name).exists() for place in places), name


def test_messages_of_the_troubleshooting_page_are_those_of_the_code():
    text = (ROOT / "docs/troubleshooting.md").read_text(encoding="utf-8")
    quoted = re.findall(r"^\| `([^`]+)` \|", text, re.M)
    code = " ".join(path.read_text(encoding="utf-8") for path in (ROOT / "workflow_scripts/xstilts").rglob("*.py"))
    assert len(quoted) > 10
    assert [message for message in quoted if message not in code] == []


def test_no_sentence_stands_on_two_pages():
    pages: dict[str, set[str]] = {}
    for path in PAGES:
        if path.name not in ("configuration.md", "CHANGELOG.md"):
            # what a command writes may say the same of two studies
            written = re.sub(r"<!-- (.+?) -->.*?<!-- end of \1 -->", "", prose(path), flags=re.S)
            text = " ".join(line for line in written.splitlines() if not line.lstrip().startswith("|"))
            for sentence in re.split(r"(?<=[.:])\s+", text):
                pages.setdefault(sentence.strip(), set()).add(path.name)
    assert {sentence: names for sentence, names in pages.items() if len(names) > 1 and len(sentence) > 80} == {}


def test_glossary_is_alphabetical():
    rows = re.findall(r"^\| ([^|]+) \| [^|]+ \|$", (ROOT / "docs/glossary.md").read_text(encoding="utf-8"), re.M)[1:]
    words = [row.lower() for row in rows if not row.startswith("--")]
    assert words == sorted(words) and len(words) > 60
