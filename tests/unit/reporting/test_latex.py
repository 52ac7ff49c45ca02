"""Text as LaTeX: what has a meaning there is escaped, and what pdfLaTeX may not have becomes its code point."""

import pytest
from xstilts.reporting.latex import escape


@pytest.mark.parametrize(
    ("text", "latex"),
    [
        ("squad_v1 & 50 %", r"squad\_v1 \& 50~\%"),
        ("#1 {a} $x$ ~ ^", r"\#1 \{a\} \$x\$ \textasciitilde{} \textasciicircum{}"),
        ("a\\b", r"a\textbackslash{}b"),
        ("+1.0 ± 2.0 †‡§", r"+1.0 $\pm$ 2.0 $\dagger$$\ddagger$\S{}"),
        ("multi − single", "multi $-$ single"),
        ("the table `by_language`.", r"the table \texttt{by\_language}."),
        ("a ` alone", r"a \textasciigrave{} alone"),
        ("Vulić, Mölder", "Vulić, Mölder"),
        # an ogonek is in no font of the first encoding, Armenian in none
        ("ą Ա", "{[}U+0105{]} {[}U+0531{]}"),
    ],
)
def test_escaped(text, latex):
    assert escape(text) == latex


@pytest.mark.parametrize(
    ("text", "latex"),
    [
        ("-0.5", "$-$0.5"),
        ("[-2.1, +1.1]", "[$-$2.1, +1.1]"),
        ("20.7 (-0.6)", "20.7 ($-$0.6)"),
        ("xlm-r-3", "xlm-r-3"),
        ("2023-11-01", "2023-11-01"),
        ("zero-shot", "zero-shot"),
    ],
)
def test_a_hyphen_is_a_minus_before_a_number_alone(text, latex):
    assert escape(text) == latex
