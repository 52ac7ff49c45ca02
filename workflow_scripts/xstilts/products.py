"""Names of a study's products, for the rules that declare them and the code that writes them."""

TABLE_FORMATS = ("md", "csv", "tex")
FIGURES = ("gains", "gains_by_language")
FIGURE_FORMATS = ("pdf", "svg", "png")


def tables(benchmark: object) -> tuple[str, ...]:
    """Return the names of a study's tables; the benchmark's is there where the study has one."""
    return ("main", "by_language") if benchmark is None else ("main", "by_language", "benchmark")
