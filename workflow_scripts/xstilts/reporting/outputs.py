"""Names and formats of a study's products, for the rules that declare them and the code that writes them."""

# the report, and its first paragraph as text
REPORT, PARAGRAPH = "report.html", "report.txt"
# the study file as it was when the study ran
STUDY_FILE = "study.yaml"
# the folder of the paper
PAPER = "paper"
TABLE_FORMATS = ("md", "csv", "tex")
FIGURE_FORMATS = ("pdf", "svg", "png")
# name of the analysis: its module in evaluation/analyses; one that is made from another one stands behind it
ANALYSES = {
    "task_transfer": "task_transfer",
    "mixture_size": "mixture_size",
    "control_arms": "control_arms",
    "transfer_gap": "transfer_gap",
    "forgetting": "forgetting",
    "cost": "cost",
    "layer_sweep": "layer_sweep",
    "learning_curves": "learning_curves",
    "language_gains": "language_gains",
    "language_features": "language_features",
    "language_groups": "language_groups",
    "language_regression": "language_regression",
}
