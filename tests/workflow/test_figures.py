"""Figures of a finished study: which of them are drawn again."""


def test_deleted_figure(project):
    folder = (project.results / "studies/study/latest").resolve()
    scores = (folder / "scores.parquet").stat().st_mtime_ns
    (folder / "figures/spread.png").unlink()
    assert project.jobs("figures") == {"figure spread"}
    assert project.jobs() == {"figure spread", "report"}
    project.snakemake("figures", "--cores", "1")
    assert (folder / "figures/spread.png").exists()
    assert (folder / "scores.parquet").stat().st_mtime_ns == scores


def test_drawing_that_a_paper_reads(project):
    """The SVG file says whether the figure has data."""
    (project.results / "studies/study/latest/figures/spread.svg").unlink()
    assert project.jobs("paper") == {"figure spread", "paper"}


def test_changed_palette(project):
    """The figures that have it are drawn in it, and the folder of the study's outputs stays."""
    folder = (project.results / "studies/study/latest").resolve()
    before = {path.name: path.read_bytes() for path in (folder / "figures").iterdir()}
    project.change(lambda study: study.update(figures={"palette": "coolwarm"}))
    assert project.jobs("figures") == {"figure gain_matrix"}
    project.snakemake("figures", "--cores", "1")
    assert (project.results / "studies/study/latest").resolve() == folder
    changed = {path.name for path in (folder / "figures").iterdir() if path.read_bytes() != before[path.name]}
    assert changed <= {f"gain_matrix.{kind}" for kind in ("pdf", "svg", "png")}
    # a figure that comes out as it was is none that changed
    assert project.jobs() == ({"report"} if changed else set())


def test_unknown_figure(project):
    project.change(lambda study: study.update(figures={"only": ["spraed"]}))
    done = project.snakemake("-n", check=False)
    assert done.returncode
    assert "study.yaml: figures.only: unknown figure 'spraed'; did you mean 'spread'?" in done.stdout + done.stderr
