"""Names and formats of a study's products, for the rules that declare them and the code that writes them."""

# the report, and its first paragraph as text
REPORT, PARAGRAPH = "report.html", "report.txt"
# the folder of the paper
PAPER = "paper"
TABLE_FORMATS = ("md", "csv", "tex")
FIGURE_FORMATS = ("pdf", "svg", "png")
# name of the figure: module of this room, and its function that draws the figure
FIGURES = {
    "gains": "figures.gains",
    "gains_by_language": "figures.gains_by_language",
}
