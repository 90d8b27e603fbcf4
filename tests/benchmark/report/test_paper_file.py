"""A file with tables and plots for a paper: chosen arms and sizes, set as wanted, of several suites."""

import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import matplotlib.image
import pandas as pd
import pytest
import yaml

from benchmark.cli import main
from benchmark.document import Document
from benchmark.report.frame import read
from benchmark.report.grid import Grid
from benchmark.report.paper import write_paper
from benchmark.report.selection import selected
from methods.core.usage import UsageError

Make = Callable[..., "SyntheticResults"]  # noqa: F821 - of conftest.py, which is no module
ARMS = ("vq_vae", "sq_vae", "simvq", "no_quantization")


@pytest.fixture(scope="module")
def suites(synthetic_of_module: Make) -> Path:
    """Results of two suites: at two sizes, and with fewer arms at one."""
    first = synthetic_of_module(ARMS, sizes=(256, 1024), artefacts=False, name="first")
    second = synthetic_of_module(("vq_vae", "residual_vq"), sizes=(256,), artefacts=False, name="second")
    first.edit_plan(suite="first")
    second.edit_plan(suite="second")
    return first.folder.parent


@pytest.fixture
def root(suites: Path) -> Iterator[Path]:
    """The folder of these results, which stay as they are; what a test writes beside them is gone after it."""
    yield suites
    for path in {*suites.iterdir()} - {suites / "first", suites / "second"}:
        shutil.rmtree(path) if path.is_dir() else path.unlink()


def paper(root: Path, **content: Any) -> Document:
    file = root / "mine.yaml"
    file.write_text(yaml.safe_dump(content))
    return Document(file)


def test_what_is_named_is_shown_in_that_order(root: Path) -> None:
    results = selected(read(root / "first"), ["no_quantization", "simvq"], [1024])
    grid = Grid(results)
    assert grid.arms == ["no_quantization", "simvq"]
    assert [place.size for place in grid.places] == [1024]
    assert set(results.cells["arm"]) == set(grid.arms)
    assert selected(read(root / "first"), ["simvq", "no_such_arm"], None).arms == ["simvq"]


def test_an_arm_that_is_left_out_is_in_no_note_and_no_comparison(root: Path) -> None:
    table = {"name": "some", "of": "main", "arms": ["simvq", "vq_vae"], "sizes": [256], "title": "two of them"}
    written = write_paper(paper(root, suite="first", tables=[table]), root).paths
    assert [path.relative_to(root).as_posix() for path in written] == [
        f"mine/tables/some.{suffix}" for suffix in ("md", "csv", "tex")
    ]
    text = written[0].read_text()
    assert "sq_vae" not in text
    assert "1,024" not in text
    assert text.index("`simvq`") < text.index("`vq_vae`")
    assert "Left out: 2 more arms of the suite" in text
    assert pd.read_csv(written[1])["arm"].tolist() == ["simvq", "vq_vae"]
    assert r"\caption{first: two of them}" in written[2].read_text()


def test_several_suites_stand_in_one_table(root: Path) -> None:
    table = {"name": "both", "title": "side by side", "suites": ["first", "second"], "columns": ["usage", "psnr"]}
    document = paper(root, tables=[{**table, "arms": ["residual_vq", "vq_vae"], "sizes": [256]}])
    written = write_paper(document, root).paths
    data = pd.read_csv(written[1])
    assert data.groupby("suite", sort=False)["arm"].unique().map(list).to_dict() == {
        "first": ["vq_vae"],
        "second": ["residual_vq", "vq_vae"],
    }
    text = written[0].read_text()
    assert "**first · Codebook size 256" in text
    assert "**second · Codebook size 256" in text
    assert text.startswith("### side by side\n")
    assert text.count("Mean ± half-width") == 1
    assert r"\label{tab:both}" in written[2].read_text()


@pytest.mark.parametrize(("footnotes", "kept"), [("long", True), ("short", False)])
def test_footnotes_of_latex_belong_to_the_table(root: Path, footnotes: str, kept: bool) -> None:
    table = {"name": "noted", "of": "main", "arms": ["sq_vae", "vq_vae"], "footnotes": footnotes}
    _, _, latex = write_paper(paper(root, suite="first", tables=[table]), root).paths
    text = latex.read_text()
    assert text.startswith(r"% Needs \usepackage{booktabs,graphicx,threeparttable}.")
    inner = text[text.index(r"\begin{threeparttable}") : text.index(r"\end{threeparttable}")]
    assert r"\begin{tablenotes}[flushleft]\footnotesize" in inner
    assert r"\item[] Mean" in inner
    assert ("Protocol: dataset" in inner) == kept
    assert text.count("{") == text.count("}")
    assert text.count(r"\begin{") == text.count(r"\end{")


def test_without_footnotes_cells_bear_no_marks(root: Path) -> None:
    table = {"name": "bare", "of": "main", "arms": ["sq_vae", "vq_vae"], "footnotes": "none"}
    markdown, _, latex = write_paper(paper(root, suite="first", tables=[table]), root).paths
    assert "†" not in markdown.read_text()
    assert "\n- " not in markdown.read_text()
    assert "tablenotes" not in latex.read_text()


def test_letters_of_a_size_are_not_shrunk(root: Path) -> None:
    table = {"name": "small", "of": "usage_by_size", "style": {"font_size": 7.5}}
    _, _, latex = write_paper(paper(root, suite="first", style={"column": "double"}, tables=[table]), root).paths
    text = latex.read_text()
    assert r"\begin{table*}[htbp]" in text
    assert r"{\fontsize{7.5}{9}\selectfont" in text
    assert "resizebox" not in text
    narrow = {"name": "narrow", "of": "main", "style": {"width": 3}}
    _, _, latex = write_paper(paper(root, suite="first", tables=[narrow]), root).paths
    assert r"\resizebox{\ifdim\width>3in3in\else\width\fi}{!}{%" in latex.read_text()


@pytest.mark.parametrize(("style", "inches"), [({"column": "single"}, 3.35), ({"width": 5.0, "font_size": 6}, 5.0)])
def test_a_plot_is_as_wide_as_its_place(root: Path, style: dict[str, Any], inches: float) -> None:
    plot = {"name": "narrow", "of": "usage", "arms": ["vq_vae", "simvq"], "style": style}
    png, pdf = write_paper(paper(root, suite="first", plots=[plot]), root).paths
    assert (png.name, pdf.name) == ("narrow.png", "narrow.pdf")
    assert matplotlib.image.imread(png).shape[1] == pytest.approx(160 * inches, abs=1)


def test_the_command_changes_no_plan_and_no_record(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = {path: path.read_bytes() for path in root.glob("*/**/*.json")}
    document = paper(root, tables=[{"suite": "second", "name": "t", "of": "main"}], plots=[])
    with pytest.raises(SystemExit) as ended:
        main(["tables", str(document.file), "--results", str(root)])
    assert ended.value.code == 0
    assert capsys.readouterr().out.splitlines() == [str(root / "mine" / "tables" / f"t.{s}") for s in ("md", "tex")]
    assert {path: path.read_bytes() for path in root.glob("*/**/*.json")} == before


PUBLISHED = {
    "paper": "SimVQ (arXiv 2411.02038, ICCV 2025)",
    "methods": {"simvq": "SimVQ"},
    "metrics": {"mse": "LPIPS"},
    "where": {"table": "Table 1", "codebook_size": "65536"},
}


def published(**wrong: Any) -> dict[str, Any]:
    """A file whose second table has a mistake among its published figures; the first must not be written."""
    table = {"name": "beside", "title": "t", "columns": ["mse"], "published": {**PUBLISHED, **wrong}}
    return {"suite": "first", "tables": [OF, table]}


OF = {"name": "t", "of": "main"}


def of(**changes: Any) -> dict[str, Any]:
    """A file with one table, that of `OF` but for ``changes``."""
    return {"suite": "first", "tables": [OF | changes]}


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ({"tables": [OF]}, "mine.yaml:2: each needs `suite: NAME`"),
        ({"suite": "frist", "tables": [OF]}, "there are no results of `frist` in"),
        (of(arms=["simqv"]), "`arms` names no arm: `simqv` (did you mean `simvq`"),
        (of(arms=["simvq", "simvq"]), "`arms` names `simvq` twice"),
        (of(sizes=[256, 256]), "`sizes` names `256` twice"),
        (of(sizes=[512]), "`t`: `sizes` has 512, but there are: 256, 1,024"),
        (of(of="mian"), "table `t`: unknown table `mian` (did you mean `main`?); there are: main, "),
        ({"suite": "first", "tables": [OF, OF]}, "two tables are called `t`"),
        (of(footnotes="some"), "table `t`: `footnotes` must be `long`, `short` or `none`, not 'some'"),
        (of(style={"font_size": 90}), "`style.font_size` must be at most 24, not 90"),
        (of(style={"font_size": 9, "width": 3}), "letters of no given size; leave out `width` or `font_size`"),
        ({"suites": ["first"], "tables": [OF]}, "mine.yaml:1: unknown key `suites` (did you mean `suite`?)"),
        (
            {"tables": [{"name": "t", "title": "t", "columns": ["mse"], "suites": ["first", "first"]}]},
            "`suites` names `first` twice",
        ),
        (published(paper="SimVQ"), "mine.yaml:8: there are no published figures of the paper 'SimVQ'"),
        (published(methods={"simvq": "SimVG"}), "has no published method `SimVG` (did you mean `SimVQ`?); there are"),
        (published(where={"table": "Table 1"}), "published values of `LPIPS` of 'SimVQ' fit"),
        (published(metrics={"mse": "psrn"}), "has no published metric `psrn`"),
        (published(where={"sise": "256"}), "published figures have no column `sise`"),
        (
            {"tables": [{**OF, "suites": ["first", "second"]}]},
            "only a table with a title and columns can be of several",
        ),
        ({"plots": [{"name": "p", "of": "usage", "suites": ["first", "second"]}]}, "a plot is of one suite"),
        (
            {"suite": "first", "style": {"colour": 1}, "tables": []},
            "unknown key `style.colour` (did you mean `column`?)",
        ),
        (
            {
                "suite": "first",
                "tables": [{"name": "t", "title": "t", "columns": ["mse"], "arms": ["vq_vae"], "relative_to": "simvq"}],
            },
            "table `t`: `arms` leaves out `simvq`, which `relative_to` needs",
        ),
    ],
)
def test_what_is_wrong_is_one_sentence(root: Path, content: dict[str, Any], sentence: str) -> None:
    with pytest.raises(UsageError, match=re.escape(sentence)):
        write_paper(paper(root, **content), root)
    assert not (root / "mine").exists()


def test_published_figures_stand_beside_ours(root: Path) -> None:
    written = write_paper(paper(root, **published()), root).paths
    assert "Published: SimVQ (arXiv 2411.02038" in (root / "mine" / "tables" / "beside.md").read_text()
    assert len(written) == 6


def test_the_line_is_that_of_the_entry_and_what_it_inherits_is_not_blamed(root: Path) -> None:
    def said(tables: str) -> str:
        file = root / "mine.yaml"
        file.write_text(f"suite: first\nstyle: {{column: double}}\ntables:\n{tables}")
        with pytest.raises(UsageError) as caught:
            write_paper(Document(file), root)
        return str(caught.value).removeprefix(f"{root}/")

    good = "  - {name: good, of: main}\n"
    for entry, sentence in (
        (
            "{name: few, of: main, footnotes: shrt}",
            "mine.yaml:5: table `few`: `footnotes` must be `long`, `short` or "
            "`none`, not 'shrt' (did you mean `short`?)",
        ),
        (
            "{name: few, of: main, style: {colum: single}}",
            "mine.yaml:5: table `few`: unknown key `style.colum` (did you "
            "mean `column`?); here are known: font_size, width, column",
        ),
        ("{name: few, of: main, sizes: []}", "mine.yaml:5: table `few`: `sizes` must have at least 1 entry, not 0"),
        (
            "{name: few, of: main, sizes: ['256']}",
            "mine.yaml:5: table `few`: `sizes.0` must be a whole number, not '256'",
        ),
        ("{name: few, of: main, arms: vq_vae}", "mine.yaml:5: table `few`: `arms` must be a list, not 'vq_vae'"),
        ("{name: few, of: main, arms: [null]}", "mine.yaml:5: table `few`: `arms.0` must be text, not null"),
        ("{name: few, of: main, style: [single]}", "mine.yaml:5: table `few`: `style` must be a mapping, not [single]"),
        ("{of: main}", "mine.yaml:5: a table: the key `name` is missing"),
        (
            "{name: few, off: main}",
            "mine.yaml:5: table `few`: unknown key `off` (did you mean `of`?); here are known: name, arms, sizes, "
            "style, footnotes, of, title, columns, formats, published, relative_to, footnote, metrics, suite, suites",
        ),
        (
            "{name: few, suit: first, of: main}",
            "mine.yaml:5: table `few`: unknown key `suit` (did you mean `suite`?); "
            "here are known: name, arms, sizes, style, footnotes, of, title, suite, suites",
        ),
        (
            "{name: few, title: Few}",
            "mine.yaml:5: table `few`: nothing says what it shows; a table is a name, or has "
            "`name` and one of `of`, `columns`, `metrics`",
        ),
        (
            "{name: few, of: main, columns: [mse]}",
            "mine.yaml:5: table `few`: `of` and `columns` both say what is shown; leave out one",
        ),
        (
            "{name: few, of: main, footnote: none}",
            "mine.yaml:5: table `few`: `footnote` (did you mean `footnotes`?) goes with `columns`, and here is `of`",
        ),
        (
            "{name: few, title: Few, columns: [msee]}",
            "mine.yaml:5: table `few`: there is no metric `msee` (did you mean `mse`?); there are: ",
        ),
        (
            "\n    name: few\n    of: main\n    arms:\n      - vq_vae\n      - simqv",
            "mine.yaml:10: table `few`: `arms` names no arm: `simqv` (did you mean `simvq`?)",
        ),
        ("{name: few, of: main, suite: 3}", "mine.yaml:5: `suite` must be text, not 3"),
        ("{name: few, of: main, suite: first, suites: [first]}", "mine.yaml:5: `suite` and `suites` both say"),
        ("mian", "mine.yaml:5: table `mian`: unknown table `mian` (did you mean `main`?)"),
        ("5", "mine.yaml:5: `tables.1` must be text or a mapping, not 5"),
        ("\n    name: few\n    of: main\n    suites: [first,\n    secnd]", "mine.yaml:8: only a table with a title"),
    ):
        assert said(f"{good}  - {entry}\n").startswith(sentence)
    assert "did you mean `second`?" in said("  - {name: t, title: t, columns: [mse], suites: [secnd]}")


def test_what_can_not_be_made_is_an_error_after_all_that_can(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    speech = {"name": "t", "title": "t", "columns": ["pesq", "stoi"]}
    some = {"name": "w", "title": "t", "columns": ["mse", "pesq", "train_seconds"]}
    tables = [speech, OF | {"name": "u"}, {"name": "v", "of": "length_agreement"}, some]
    document = paper(root, suite="first", tables=tables, plots=[{"name": "p", "metrics": ["pesq"]}])
    with pytest.raises(SystemExit) as ended:
        main(["tables", str(document.file), "--results", str(root)])
    assert ended.value.code == 1
    told = capsys.readouterr()
    assert told.out.splitlines() == [
        str(root / "mine" / "tables" / f"{name}.{suffix}") for name in ("u", "w") for suffix in ("md", "tex")
    ]
    first, second, third, fourth = told.err.splitlines()
    place = f"error: {document.file}"
    assert first.startswith(f"{place}:{document.lines['tables', 0]}: table `t` was not made: no run of `first` has ")
    assert "has measured `pesq` or `stoi`; there are: usage, " in first
    assert ", mse" in first
    assert second == (
        f"{place}:{document.lines['tables', 2]}: table `v` was not made: `first` has not what it needs; `python -m "
        "benchmark show length_agreement` says what it shows"
    )
    assert third == (
        f"{place}:{document.lines['tables', 3]}: table `w` has empty columns: no run of `first` has measured `pesq`"
    )
    assert fourth.startswith(f"{place}:{document.lines['plots', 0]}: plot `p` was not made: no run of `first` has ")


def test_a_paper_is_not_written_among_the_results_of_a_suite(root: Path) -> None:
    document = paper(root, suite="first", tables=[OF])
    file = document.file.rename(root / "first.yaml")
    with pytest.raises(UsageError, match=r"first holds the results of a suite; give .*first\.yaml another name"):
        write_paper(Document(file), root)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("question: '?'\n", "mine.yaml: a suite has the key `methods`, and a file for a paper `tables` or `plots`"),
        ("- main\n", "mine.yaml: a suite has the key `methods`, and a file for a paper `tables` or `plots`"),
        ("suite: first\ntabels: [main]\n", "mine.yaml:2: unknown key `tabels` (did you mean `tables`?); a suite has "),
        (
            "question: '?'\ntables: [main]\nmetods: [fsq]\n",
            "mine.yaml:3: unknown key `metods` (did you mean `methods`?)",
        ),
        (
            "suite: first\ntabels: [main]\nplots: [usage]\n",
            "mine.yaml:2: unknown key `tabels` (did you mean `tables`?)",
        ),
        ("suite: first\ntables: []\n", "mine.yaml: neither `tables` nor `plots` lists anything; `tables: [{name: t, "),
        ("suite: first\ntables:\n", "mine.yaml:2: `tables` must be a list, not null"),
    ],
)
def test_a_file_that_is_neither_is_refused(
    root: Path, content: str, sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (root / "mine.yaml").write_text(content)
    with pytest.raises(SystemExit) as ended:
        main(["tables", str(root / "mine.yaml"), "--results", str(root)])
    assert ended.value.code == 2
    told = capsys.readouterr()
    assert told.err.startswith(f"error: {root}/{sentence}")
    assert not told.out
