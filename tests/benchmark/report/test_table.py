"""A table in Markdown, LaTeX and CSV."""

import re

import pandas as pd

from benchmark.report.table import ROWS_A_PAGE, Block, Cell, Letters, Table


def small_table(rows: int = 1, blocks: int = 1) -> Table:
    row = [Cell("`vq_vae`", marks="†,a"), Cell("5.9 ± 0.1", bold=True), Cell("–")]
    return Table(
        "demo_suite",
        "small",
        "a | b",
        ["Arm", "Usage, %", "FD (EfficientNet-Lite0) ↓"],
        [Block(f"K = {index}", [row] * rows) for index in range(blocks)],
        pd.DataFrame({"arm": ["vq_vae"], "usage": [0.059]}),
        ["(a) 1 of 3 failed: 50 % & more"],
    )


def test_markdown():
    assert small_table().markdown() == (
        "### demo_suite: a \\| b\n\n"
        "**K = 0**\n\n"
        "| Arm                    |      Usage, % |   FD (EfficientNet-Lite0) ↓ |\n"
        "|:-----------------------|--------------:|----------------------------:|\n"
        "| `vq_vae`<sup>†,a</sup> | **5.9 ± 0.1** |                           – |\n\n"
        "- (a) 1 of 3 failed: 50 % & more\n"
    )


def test_latex_rows():
    latex = small_table().latex()
    assert r"\texttt{vq\_vae}\textsuperscript{\dag{},a} & \textbf{5.9 $\pm$ 0.1} & -- \\" in latex
    assert r"Arm & Usage, \% & \shortstack[r]{FD \\ (EfficientNet-Lite0) $\downarrow$} \\" in latex
    assert r"\multicolumn{3}{l}{\textit{K = 0}} \\" in latex
    assert r"(a) 1 of 3 failed: 50 \% \& more" in latex
    assert r"\label{tab:demo_suite:small}" in latex


def test_latex_is_balanced_and_ruled():
    latex = small_table(rows=3, blocks=2).latex()
    assert [latex.count(rule) for rule in (r"\toprule", r"\midrule", r"\bottomrule")] == [1, 2, 1]
    opened = re.findall(r"\\begin\{(\w+)\}", latex)
    assert opened == ["table", "tabular"]
    assert re.findall(r"\\end\{(\w+)\}", latex) == opened[::-1]
    unescaped = re.findall(r"(?<!\\)[{}]", latex)
    assert unescaped.count("{") == unescaped.count("}")
    body = latex[latex.index(r"\toprule") : latex.index(r"\bottomrule")]
    rows = [line for line in body.splitlines() if line.endswith(r"\\") and "multicolumn" not in line]
    assert all(len(re.findall(r"(?<!\\)&", row)) == 2 for row in rows)


def test_a_long_table_goes_on_under_the_same_number():
    table = small_table(rows=ROWS_A_PAGE // 2, blocks=3)
    latex = table.latex()
    assert latex.count(r"\begin{table}") == 3
    assert latex.count("(continued)") == latex.count(r"\addtocounter{table}{-1}") == 2
    assert latex.count(r"\label{") == 1
    assert latex.index("1 of 3 failed") > latex.rindex(r"\bottomrule")


def test_csv_has_plain_numbers():
    assert small_table().csv() == "arm,usage\nvq_vae,0.059\n"


def test_footnotes_share_letters_for_the_same_words():
    footnotes = Letters()
    assert [footnotes.mark(text) for text in ("x", "y", "x")] == ["a", "b", "a"]
    assert footnotes.notes() == ["(a) x", "(b) y"]


def test_footnotes_past_z():
    footnotes = Letters()
    assert [footnotes.mark(str(index)) for index in range(28)][-3:] == ["z", "aa", "ab"]
