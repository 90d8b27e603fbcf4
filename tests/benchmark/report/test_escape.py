"""Text into Markdown and LaTeX: nothing in a name or a message breaks the document."""

import re

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmark.report.escape import escape_csv, escape_latex, escape_markdown


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("vq_vae", r"vq\_vae"),
        ("`vq_vae` at 50 %", r"\texttt{vq\_vae} at 50 \%"),
        ("93.8 ± 0.6", r"93.8 $\pm$ 0.6"),
        ("−0.1 – ‡", r"$-$0.1 -- \ddag{}"),
        (r"\a{b}^~", r"\textbackslash{}a\{b\}\textasciicircum{}\textasciitilde{}"),
        ("a lone ` tick", "a lone ' tick"),
        ("Fréchet 中 ﬁ", "Fréchet ? fi"),
        ("two\nlines\x00", "two lines"),
    ],
)
def test_latex(text: str, expected: str):
    assert escape_latex(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("latent_dim 64", "latent_dim 64"),
        ("__init__ failed", r"\_\_init\_\_ failed"),
        ("a|b*c", r"a\|b\*c"),
        ("`a|b_c_`", r"`a\|b_c_`"),
        ("<script> and x < 3", r"\<script> and x < 3"),
        ("[x](y)", r"\[x](y)"),
        ("\x1b]0;gone\x07\x9b2J", r"\\x1b]0;gone\\x07\\x9b2J"),
    ],
)
def test_markdown(text: str, expected: str):
    assert escape_markdown(text) == expected


def test_csv_has_numbers_as_they_are_and_no_formulas():
    table = pd.DataFrame({"arm": ["a", "=1+1"], "mixed": [-2, "+A1"], "n": [1, -2], "share": [-0.5, None]})
    table = pd.concat([table, table[["n"]].rename(columns={"n": "@n"}), table[["n"]]], axis=1)
    assert escape_csv(table).to_csv(index=False) == "arm,mixed,n,share,'@n,n\na,-2,1,-0.5,1,1\n'=1+1,'+A1,-2,,-2,-2\n"


@given(st.text(max_size=60))
def test_any_text_is_safe_in_latex(text: str):
    escaped = escape_latex(text)
    bare = re.sub(r"\\[a-zA-Z]+|\\[_%&#${}]|\$(\\[a-z]+|\^[23-]|-)?\$", "", escaped)
    bare = re.sub(r"\$\^[23-]\$|\$-\$|\$\$", "", bare)
    assert not set(bare) & set('_%&#$^~\\"|<>')
    depth = 0
    for brace in re.findall(r"(?<!\\)[{}]", escaped.replace("\\\\", "")):
        depth += 1 if brace == "{" else -1
        assert depth >= 0
    assert depth == 0
    assert "\n" not in escaped


@given(st.text(max_size=60))
def test_any_text_stays_in_its_cell_of_markdown(text: str):
    escaped = escape_markdown(text)
    assert "\n" not in escaped
    assert not re.search(r"(?<!\\)\|", escaped.replace("\\\\", ""))
