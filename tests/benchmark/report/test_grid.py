"""Results over more axes than the codebook size: places, lines, and the tables and plots that follow them."""

import io
import json
from collections.abc import Callable

import pandas as pd
import pytest

from benchmark.report.build import summary_csv
from benchmark.report.frame import read
from benchmark.report.grid import Grid
from benchmark.report.places import Axis, Place
from benchmark.report.plots import PLOTS
from benchmark.report.style import arm_styles
from benchmark.report.tables import TABLES

Make = Callable[..., "SyntheticResults"]  # noqa: F821 - of conftest.py, which is no module


@pytest.fixture(scope="module")
def shifted(synthetic_of_module: Make) -> Grid:
    """Four invented sizes made to stand for two laws at two shifts of one size."""
    made = synthetic_of_module(
        ("vq_vae", "simvq", "no_quantization"), sizes=(256, 512, 1024, 2048), seeds=2, artefacts=False
    )
    points = {256: ("gaussian", 0), 512: ("gaussian", 2), 1024: ("uniform", 0), 2048: ("uniform", 2)}
    cells = []
    for cell in made.plan["cells"]:
        law, shift = points[cell["codebook_size"]]
        cells.append({**cell, "codebook_size": 256, "point": {"dataset.law": law, "dataset.shift": shift}})
    axes = {"dataset.law": ["gaussian", "uniform"], "dataset.shift": [2, 0]}
    made.edit_plan(codebook_sizes=[256], axes=axes, cells=cells, tuned="9 trials an arm")
    return Grid(read(made.folder))


def test_lines_go_along_numbers_and_words_head_them(shifted: Grid) -> None:
    assert shifted.x.name == "dataset.shift"
    assert [(line, [place.values for place in places]) for line, places in shifted.lines()] == [
        ("gaussian", [(256, "gaussian", 0), (256, "gaussian", 2)]),
        ("uniform", [(256, "uniform", 0), (256, "uniform", 2)]),
    ]
    assert shifted.title(Place((256, "uniform", 2))) == "uniform · shift = 2"


def test_the_codebook_size_is_the_axis_where_there_are_several(synthetic: Make) -> None:
    grid = Grid(read(synthetic(("vq_vae",), sizes=(256, 1024), seeds=1, artefacts=False).folder))
    assert grid.x.name == "codebook_size"
    assert [line for line, _ in grid.lines()] == [""]
    assert grid.title(grid.places[1]) == "K = 1,024"


def test_words_have_rows_of_arms_on_one_scale_and_a_column_a_word(synthetic: Make) -> None:
    made = synthetic(("vq_vae", "simvq"), sizes=(256, 1024), seeds=2, artefacts=False)
    laws = {256: "gaussian", 1024: "uniform"}
    cells = [
        {**cell, "codebook_size": 256, "point": {"law": laws[cell["codebook_size"]]}} for cell in made.plan["cells"]
    ]
    made.edit_plan(codebook_sizes=[256], axes={"law": ["gaussian", "uniform"]}, cells=cells)
    results = read(made.folder)
    figure = PLOTS.all()["usage"].draw(Grid(results), arm_styles(results.plan["arms"], []))
    assert figure is not None
    assert [axes.get_title() for axes in figure.axes] == ["gaussian", "uniform"] * 2
    assert [axes.get_xlabel() for axes in figure.axes] == ["Usage, %"] * 2 + ["Perplexity"] * 2
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == ["vq_vae", "simvq"]
    assert figure.axes[2].get_xlim() == figure.axes[3].get_xlim()
    usage = Grid(results).interval("simvq", Grid(results).places[1], "usage")
    assert usage is not None
    [dot] = [
        line for line in figure.axes[1].get_lines() if list(line.get_ydata()) == [1] and len(line.get_xdata()) == 1
    ]
    assert dot.get_xdata()[0] == pytest.approx(100 * usage.mean)


def test_tables_have_a_block_a_line_and_a_column_a_value(shifted: Grid) -> None:
    grid, results = shifted, shifted.results
    usage = TABLES["usage_by_size"](grid)
    assert usage is not None
    assert usage.title.endswith("by shift of the mean")
    assert usage.columns == ["Arm", "shift = 0", "shift = 2"]
    assert [block.heading for block in usage.blocks] == ["gaussian", "uniform"]
    record = json.loads((results.folder / "runs" / results.cells["key"][0] / "record.json").read_text())
    other = json.loads((results.folder / "runs" / results.cells["key"][1] / "record.json").read_text())
    mean = (record["metrics"]["usage"] + other["metrics"]["usage"]) / 2
    first = usage.data[(usage.data["arm"] == "vq_vae") & (usage.data["metric"] == "usage")].iloc[0]
    assert (first["dataset.law"], first["dataset.shift"], first["mean"]) == ("gaussian", 0, pytest.approx(mean))

    main = TABLES["main"](grid)
    assert main is not None
    headings = [block.heading.split(" · N")[0] for block in main.blocks]
    assert headings[:2] == ["Codebook size 256 · gaussian · shift = 0", "Codebook size 256 · gaussian · shift = 2"]
    comparison = TABLES["comparison"](grid)
    assert comparison is not None
    assert "A block is a place of the grid (law, shift) and a seed" in comparison.notes[0]
    assert "8 blocks, 2 seeds" in comparison.blocks[0].heading


@pytest.mark.parametrize("name", ["usage", "distortion", "disguise", "rate_distortion", "price"])
def test_plots_draw_every_line(shifted: Grid, name: str) -> None:
    figure = PLOTS.all()[name].draw(shifted, arm_styles(shifted.results.plan["arms"], []))
    assert figure is not None
    if name == "usage":
        titles = [axis.get_title() for axis in figure.axes]
        assert titles == [f"{q} · {law}" for law in ("gaussian", "uniform") for q in ("Usage, %", "Perplexity")]
        assert figure.axes[0].get_xlabel() == "Shift of the mean"
        assert [tick.get_text() for tick in figure.axes[0].get_xticklabels()] == ["0", "2"]


def test_how_axes_are_called() -> None:
    assert Axis("training.batch_size", (16, 32)).at(32) == "batch size = 32"
    assert Axis("model.latent_dim", (4, 8)).at(8) == "D = 8"
    assert Axis("dataset.kind", ("clustered",)).at("clustered") == "clustered"
    assert Axis("model.latent_dim", (4, 8)).words == "latent dimension"


def test_the_summary_says_where_a_run_stands(synthetic: Make) -> None:
    made = synthetic(("vq_vae", "no_quantization"), sizes=(256,), seeds=2, artefacts=False)
    made.edit_plan(
        axes={"model.latent_dim": [64]}, cells=[{**c, "point": {"model.latent_dim": 64}} for c in made.plan["cells"]]
    )
    summary = pd.read_csv(io.StringIO(summary_csv(read(made.folder))))
    assert list(summary.columns[3:6]) == ["codebook_size", "model.latent_dim", "level_sizes"]
    assert summary["model.latent_dim"].tolist() == [64] * 4
