"""The folder of a paper: all files are there, refer to each other rightly, and LaTeX compiles them."""

import re
import shutil
import subprocess

import pandas as pd
import pytest
from xstilts.errors import UserError
from xstilts.evaluation import estimates, scores
from xstilts.reporting.figures import empty
from xstilts.reporting.layout import Shown
from xstilts.reporting.paper import document, figures, fitted
from xstilts.reporting.paper.works import of_plan
from xstilts.store.figures import FIGURES

from tests.builders.papers import leave, leave_figures, leave_provenance
from tests.builders.plans import plan_of_study
from tests.builders.projects import ROOT

LATEX = shutil.which("pdflatex") and shutil.which("bibtex")
NO_LATEX = "no LaTeX: apt-get install --no-install-recommends texlive-latex-base texlive-latex-recommended"
# what is committed of studies/miniature.yaml
FOUND = ROOT / "docs/miniature/default"


@pytest.fixture(scope="module")
def plan():
    return plan_of_study("miniature").study_plan


@pytest.fixture(scope="module")
def paper(plan, tmp_path_factory):
    """Return the folder of a paper."""
    folder = tmp_path_factory.mktemp("study")
    leave(plan, folder / "results")
    leave_provenance(plan, folder / "results", "targets")
    leave_figures(folder / "figures")
    frames = scores.read(FOUND / scores.FILE), None, None, estimates.read(FOUND / estimates.FILE)
    document.write(plan, folder / "results", *frames, folder / "paper")
    return folder / "paper"


@pytest.fixture(scope="module")
def sources(paper):
    """Return the text of every LaTeX file, without comments, by its path."""
    paths = sorted(paper.rglob("*.tex"))
    return {path: re.sub(r"(?<!\\)%.*", "", path.read_text(encoding="utf-8")) for path in paths}


def named(sources, command):
    """Return the arguments of a command in all files."""
    return [
        argument for text in sources.values() for argument in re.findall(rf"\\{command}(?:\[.*?\])?\{{(.*?)\}}", text)
    ]


def test_files(paper, plan):
    there = {path.relative_to(paper).as_posix() for path in paper.rglob("*") if path.is_file()}
    assert there == {
        "paper.tex", "paragraph.tex", "methods.tex", "checklist.tex", "checklist.md", "references.bib",
        *(f"tables/{name}.tex" for name in (*plan.tables, "settings", "data")),
        *(f"figures/{name}.{kind}" for name in FIGURES for kind in ("tex", "pdf")),
    }  # fmt: skip


def test_figures_without_data_are_left_out(plan, tmp_path):
    leave_figures(tmp_path / "figures")
    (tmp_path / "figures/spread.svg").write_text(f'<svg><g id="{empty.ID}"></g></svg>', encoding="utf-8")
    names = figures.write(plan, scores.read(FOUND / scores.FILE), tmp_path / "figures", tmp_path / "paper")
    assert names == [f"figures/{name}" for name in FIGURES if name != "spread"]
    assert not (tmp_path / "paper/figures/spread.pdf").exists()


def test_every_file_is_put_in(sources, paper):
    assert {paper / f"{name}.tex" for name in named(sources, "input")} == set(sources) - {paper / "paper.tex"}
    assert all((paper / name).exists() for name in named(sources, "includegraphics"))


def test_braces_and_environments_are_in_pairs(sources):
    for path, text in sources.items():
        braces = re.sub(r"\\[{}\\]", "", text)
        depths = [
            braces[: match.end()].count("{") - braces[: match.end()].count("}") for match in re.finditer("[{}]", braces)
        ]
        assert min(depths, default=0) >= 0 and (not depths or depths[-1] == 0), path
        open_ones = []
        for kind, name in re.findall(r"\\(begin|end)\{(.*?)\}", text):
            open_ones.append(name) if kind == "begin" else open_ones.remove(name)
        assert not open_ones, path


def test_special_characters_stand_where_they_mean_something(sources, paper):
    for path, text in sources.items():
        # names of files, labels and keys may have what text may not
        rest = re.sub(r"\\(label|ref|input|includegraphics|citep|bibliography)(\[.*?\])?\{.*?\}", "", text)
        assert not re.search(r"(?<!\\)[#_^]", rest.replace("fit}[1]", "").replace("#1", "")), path
        if "tabular" not in text:
            assert not re.search(r"(?<!\\)&", rest), path
        assert all(character.isascii() or character.isalpha() for character in text), path


def test_every_citation_is_in_the_bibliography_and_the_other_way_round(sources, paper):
    keys = re.findall(r"^@\w+\{(.*?),", (paper / "references.bib").read_text(), re.M)
    cited = {key for keys in named(sources, "citep") for key in keys.split(",")}
    assert cited == set(keys) and len(keys) == len(set(keys)) > 30


def test_every_reference_has_its_label(sources):
    labels = named(sources, "label")
    assert set(named(sources, "ref")) <= set(labels) and len(labels) == len(set(labels))
    assert {f"fig:{name}" for name in FIGURES} <= set(labels)


def test_captions_say_that_the_data_are_made_up_and_what_stands_behind(sources, paper):
    captions = [
        text for path, text in sources.items() if path.parent != paper for text in re.findall(r"\\caption\{.*", text)
    ]
    assert all("(made-up data)" in caption for caption in captions)
    (main,) = re.findall(r"\\caption\{(.*)\}", sources[paper / "tables/main.tex"])
    assert r"95~\% interval over runs and examples" in main and "5 runs an arm; 1000 test examples a target" in main
    assert all(
        "5 runs an arm; 250 test examples a language." in text
        for path, text in sources.items()
        if "figures" in str(path)
    )


def test_sentences_of_the_first_paragraph_name_their_rows(paper):
    lines = (paper / "paragraph.tex").read_text().splitlines()
    asked = next(number for number, line in enumerate(lines) if line.startswith("In mini: the small model"))
    assert lines[asked + 1] == "% row 1, 2 of estimates.parquet"
    assert "[1]" not in "".join(line for line in lines if not line.startswith("%"))


def test_a_task_that_the_plan_says_nothing_of(plan):
    with pytest.raises(UserError, match="the plan says nothing of the task 'mine'; run the study again"):
        of_plan(plan).task("mine@de")


def compiled(folder, name, times=2):
    """Compile a file some times and return its log, in which nothing sticks out of the line by more than 3 mm."""
    for _ in range(times):
        command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", name]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, errors="replace", timeout=300)
        assert done.returncode == 0, done.stdout[-2000:]
    log = (folder / f"{name}.log").read_text(errors="replace")
    assert [wide for wide in re.findall(r"Overfull \\hbox \(([\d.]+)pt", log) if float(wide) > 9] == []
    return log


@pytest.mark.skipif(not LATEX, reason=NO_LATEX)
def test_it_compiles(paper, tmp_path):
    folder = shutil.copytree(paper, tmp_path / "paper")
    compiled(folder, "paper")
    subprocess.run(["bibtex", "paper"], cwd=folder, capture_output=True, check=True, timeout=300)
    log = compiled(folder, "paper", times=3)
    assert "Rerun" not in log.replace("rerunfilecheck", "") and "undefined" not in log and "multiply defined" not in log
    assert (folder / "paper.pdf").exists()


@pytest.mark.skipif(not LATEX, reason=NO_LATEX)
@pytest.mark.parametrize(("models", "languages"), [(2, 5), (12, 205)])
def test_tables_of_any_size_compile(tmp_path, models, languages):
    header = ["model", "target", "mixture", *(f"l{number}" for number in range(languages))]
    rows = [
        [f"a-model-{model}", "tydiqa", f"mixture_{m}", *["20.7 (+10.0)"] * languages]
        for model in range(models)
        for m in "ab"
    ]
    shown = Shown(pd.DataFrame(), (header, rows), "scores by language.")
    text = fitted.latex(shown, "by_language", "Study s")
    article = (
        "\\documentclass[a4paper]{article}\\usepackage[margin=25mm]{geometry}\\usepackage{array,booktabs,graphicx}\n"
    )
    (tmp_path / "a.tex").write_text(f"{article}{fitted.PREAMBLE}\n\\begin{{document}}\n{text}\\end{{document}}\n")
    # what is wider than the line would be scaled down; it is said by how much
    measured = (
        r"\newcommand{\xstiltsfit}[1]{\sbox{\xstiltsbox}{#1}\typeout{width \the\wd\xstiltsbox\space of \the\linewidth}"
    )
    (tmp_path / "b.tex").write_text(
        (tmp_path / "a.tex").read_text().replace(r"\newcommand{\xstiltsfit}[1]{\sbox{\xstiltsbox}{#1}", measured)
    )
    widths = re.findall(r"^width ([\d.]+)pt of ([\d.]+)pt", compiled(tmp_path, "b"), re.M)
    assert widths and max(float(width) / float(line) for width, line in widths) < 4 / 3
