"""Paper tables: published figures found, put beside ours, and the difference said in the right unit."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from benchmark.report import build, check_plots, published
from benchmark.report.build import Grids, table_of
from benchmark.report.declarations import PaperTable, tables_of
from benchmark.report.frame import read
from benchmark.report.grid import Grid
from benchmark.report.plots import AgainstPublished
from benchmark.report.published import FILE, find
from benchmark.report.statistics import Interval
from benchmark.report.style import arm_styles
from benchmark.report.tables import paper_table
from benchmark.report.tables.paper import is_outside
from benchmark.suite.plan import plan_suite
from methods import UsageError

Make = Callable[..., "SyntheticResults"]  # noqa: F821 - of conftest.py, which is no module
PAPER = "Invented et al."
DECLARATION: dict[str, Any] = {
    "name": "paper",
    "title": "beside the paper",
    "arms": ["vq_vae", "simvq"],
    "columns": ["usage", "mse"],
    "formats": {"mse": ".2f"},
    "published": {
        "paper": PAPER,
        "where": {"codebook_size": "{codebook_size}"},
        "methods": {"vq_vae": "VQ", "simvq": "Sim"},
        "metrics": {"usage": "usage_pct", "mse": "error"},
    },
    "footnote": "Theirs are of other data.",
}


@pytest.fixture
def figures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [
        (PAPER, "VQ", "256", "usage_pct", "6.0", "the paper", "yes"),
        (PAPER, "VQ", "256", "error", "0.5", "the paper", "yes"),
        (PAPER, "Sim", "256", "usage_pct", "collapsed", "a note", "no"),
        (PAPER, "Sim", "1024", "error", "1", "a note", "no"),
        (PAPER, "Sim", "1024", "error", "2", "a note", "no"),
    ]
    columns = ["paper", "method", "codebook_size", "metric", "value", "source", "first_hand"]
    file = tmp_path / "published.csv"
    pd.DataFrame(rows, columns=columns).to_csv(file, index=False)
    monkeypatch.setattr(published, "FILE", file)
    for cached in (published._everything, published._of_paper):
        cached.cache_clear()
    yield
    for cached in (published._everything, published._of_paper):
        cached.cache_clear()


def with_usage(made: Any, values: list[float]) -> None:
    for seed, value in enumerate(values):
        record = json.loads(made.record_path("vq_vae", 256, seed).read_text())
        made.edit("vq_vae", 256, seed, metrics={**record["metrics"], "usage": value, "mse": 0.4})


@pytest.mark.usefixtures("figures")
def test_ours_theirs_and_the_difference(synthetic: Make) -> None:
    made = synthetic(("vq_vae", "simvq", "sq_vae"), sizes=(256,), artefacts=False)
    with_usage(made, [0.05, 0.055, 0.06])
    table = table_of(PaperTable.model_validate(DECLARATION), Grids(read(made.folder)))
    assert table is not None
    assert table.columns == ["Arm", "Usage, %", "published", "difference", "MSE ↓", "published", "difference"]
    [[_, *plain], [name, *other]] = table.blocks[0].rows
    assert [cell.text for cell in plain] == ["5.5 ± 1.2", "6.0", "−0.5 pt", "0.40 ± 0.00", "0.50", "−20.0 %"]
    assert [cell.marks for cell in plain] == ["", "", "", "", "", "*"]
    assert name.text == "`simvq`"
    assert [cell.text for cell in other][1:3] == ["–", "–"]  # "collapsed" is no number
    assert "Theirs are of other data." in table.shown_notes
    row = table.data.iloc[0]
    assert (row["published"], row["source"], row["first_hand"]) == (0.06, "the paper", True)
    assert row["relative_error"] == pytest.approx(-1 / 12)
    assert "pt" in table.latex()


def test_distortion_in_relation_to_an_arm(synthetic: Make) -> None:
    made = synthetic(("vq_vae", "kmeans"), sizes=(256,), artefacts=False)
    for arm, error in (("vq_vae", 0.6), ("kmeans", 0.5)):
        for seed in range(3):
            made.edit(arm, 256, seed, metrics={"mse": error, "usage": 0.5})
    declaration = PaperTable(name="t", title="t", columns=["mse", "usage"], relative_to="kmeans")
    results = read(made.folder)
    table = paper_table(declaration, Grid(results))
    assert table is not None
    assert table.columns == ["Arm", "MSE ↓", "over `kmeans`", "Usage, %"]
    assert [row[2].text for row in table.blocks[0].rows] == ["+20.0 %", "+0.0 %"]


def test_one_more_run_is_expected_in_a_wider_interval_than_the_mean() -> None:
    assert not is_outside(Interval(1.0, 0.1, 3), 1.19)
    assert is_outside(Interval(1.0, 0.1, 3), 1.21)
    assert not is_outside(Interval(1.0, None, 1), 5.0)


@pytest.mark.usefixtures("figures")
def test_a_plot_of_the_table_has_a_ring_a_figure(synthetic: Make) -> None:
    made = synthetic(("vq_vae", "simvq"), sizes=(256, 512), seeds=1, artefacts=False)
    results = read(made.folder)
    plot = AgainstPublished("against", PaperTable.model_validate(DECLARATION))
    figure = plot.draw(Grid(results), arm_styles(results.plan["arms"], []))
    assert figure is not None
    rings = [line for axis in figure.axes for line in axis.lines if line.get_markerfacecolor() == "none"]
    found = [(line.get_xdata().tolist(), line.get_ydata().tolist()) for line in rings if len(line.get_xdata())]
    assert found == [([pytest.approx(256, rel=0.02)], [6.0]), ([pytest.approx(256, rel=0.02)], [0.5])]


@pytest.mark.usefixtures("figures")
@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"paper": "Inventde et al."}, "no published figures of the paper 'Inventde et al.' (did you mean"),
        ({"where": {"codebooksize": "256"}}, "have no column `codebooksize` (did you mean `codebook_size`?)"),
        ({"where": {"codebook_size": "{dataset.shift}"}}, "refer to the axis `dataset.shift`"),
        ({"where": {"codebook_size": "1024"}}, "2 published values of `error` of 'Sim' fit"),
    ],
)
def test_a_declaration_that_fits_nothing_is_one_sentence(synthetic: Make, change: dict, sentence: str) -> None:
    made = synthetic(("vq_vae", "simvq"), sizes=(256,), seeds=1, artefacts=False)
    made.edit_plan(tables=[{**DECLARATION, "published": {**DECLARATION["published"], **change}}], plots=["usage"])
    with pytest.raises(UsageError, match=re.escape(sentence)):
        build(read(made.folder))


def test_a_plot_needs_its_table() -> None:
    with pytest.raises(UsageError, match="the plot `p` is of a table `q` that is not declared"):
        check_plots([{"name": "p", "table": "q"}], ["main", DECLARATION], ["vq_vae", "simvq"])


def test_the_published_mean_shift_figures_are_found() -> None:
    plan = plan_suite("mean_shift", seeds=[0])
    [declaration] = [PaperTable.model_validate(t) for t in plan.suite.file.tables if isinstance(t, dict)]
    assert declaration.published is not None
    found = {
        (cell.arm, *cell.point.values()): figure.value
        for cell in plan.cells
        if (
            figure := find(
                declaration.published, cell.arm, "usage", {"codebook_size": cell.codebook_size, **cell.point}
            )
        )
    }
    assert len(found) == 5 * (4 + 2)
    assert found["linear", "gaussian", 2] == pytest.approx(0.9935, abs=1e-4)
    assert found["online", "uniform", 2] == pytest.approx(0.54578)


def test_steps_and_final_figures_of_the_mean_shift_study_agree() -> None:
    steps = pd.read_csv(FILE.with_name("mean_shift_steps.csv"))
    final = steps[(steps["step"] == 2000) & (steps["law"] == "gaussian") & (steps["arm"] == "ema")]
    table = pd.read_csv(FILE, dtype=str)
    table = table[table["table"].fillna("").str.startswith("simulation") & (table["dataset"] == "gaussian d=8")]
    errors = table[(table["method"] == "EMA") & (table["metric"] == "quant_error")]["value"].astype(float)
    assert final["quantization_error"].tolist() == pytest.approx(errors.tolist(), abs=1e-4)


@pytest.mark.usefixtures("figures")
def test_a_metric_that_nobody_measured_is_a_dash(synthetic: Make) -> None:
    made = synthetic(("vq_vae", "simvq"), sizes=(256,), seeds=2, artefacts=False)
    results = read(made.folder)
    declaration = PaperTable.model_validate({**DECLARATION, "columns": ["usage", "mse", "utmos"]})
    table = paper_table(declaration, Grid(results))
    assert table is not None
    assert table.data.groupby("metric")["n"].sum().to_dict() == {"mse": 4, "usage": 4, "utmos": 0}


def test_a_format_of_a_billion_digits_is_refused_before_it_is_tried():
    with pytest.raises(UsageError, match="the format `.999999999f` is not like `.3f` or `,d`"):
        tables_of([{"name": "mine", "title": "t", "columns": ["mse"], "formats": {"mse": ".999999999f"}}], {})
    with pytest.raises(UsageError, match="asks for hundreds of characters"):
        published._filled("{codebook_size:999999999d}", {"codebook_size": 8})
