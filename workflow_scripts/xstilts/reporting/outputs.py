"""Names and formats of a study's products, for the rules that declare them and the code that writes them."""

TABLE_FORMATS = ("md", "csv", "tex")
FIGURES = ("gains", "gains_by_language")
FIGURE_FORMATS = ("pdf", "svg", "png")
