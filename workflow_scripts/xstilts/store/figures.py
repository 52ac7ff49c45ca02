"""Figures by name and the colour maps that they may have: what a study file is checked against before any job runs."""

# name of the figure: its module in reporting/figures/
FIGURES = {
    "headline": "headline",
    "gain_matrix": "gain_matrix",
    "gains_by_language": "gains_by_language",
    "spread": "spread",
    "mixture_size": "mixture_size",
    "learning_curves": "learning_curves",
    "layer_sweep": "layer_sweep",
    "cost_against_gain": "cost_against_gain",
    "planted_against_found": "planted_against_found",
}
# the figures whose colours are the study's palette
DIVERGING = ("gain_matrix",)
# the diverging colour maps of matplotlib and of seaborn, which planning does not import; each with its reverse
PALETTES = tuple(
    f"{name}{reverse}"
    for name in (
        "BrBG", "PRGn", "PiYG", "PuOr", "RdBu", "RdGy", "RdYlBu", "RdYlGn", "Spectral", "berlin", "bwr", "coolwarm",
        "managua", "seismic", "vanimo", "icefire", "vlag",
    )
    for reverse in ("", "_r")
)  # fmt: skip
