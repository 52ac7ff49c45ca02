"""Names of a study's products, for the rules that declare them and the code that writes them."""

TABLE_FORMATS = ("md", "csv", "tex")
FIGURES = ("gains", "gains_by_language")
FIGURE_FORMATS = ("pdf", "svg", "png")


def tables(benchmark: object, swept: bool) -> tuple[str, ...]:
    """Return the names of a study's tables; those of a benchmark and of layers are there where the study has such."""
    return ("main", "by_language", *(["benchmark"] if benchmark else []), *(["layers"] if swept else []))
