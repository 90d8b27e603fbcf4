"""Tables and plots of priors: a table of their own, means over tokenizers, the priors' own spread, pictures."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import matplotlib.image
import numpy as np
import pytest

from benchmark.report import read
from benchmark.report.build import build, summary
from benchmark.report.grid import Grid
from benchmark.report.page.content import content
from benchmark.report.page.details import order
from benchmark.report.plots import PLOTS
from benchmark.report.selection import selected
from benchmark.report.style import arm_styles
from benchmark.report.tables import TABLES

Make = Callable[..., "SyntheticResults"]  # noqa: F821 - of conftest.py, which is no module
ARMS = ("vq_vae", "simvq", "no_quantization")


def _with_priors(made: Any) -> Any:
    """A prior for every tokenizer with codes, and two more on the first of SimVQ at 256."""
    cells = [cell for cell in made.plan["cells"] if cell["arm"] != "no_quantization"]
    priors = [_prior(made, cell, 0) for cell in cells]
    first = next(cell for cell in cells if (cell["arm"], cell["codebook_size"], cell["seed"]) == ("simvq", 256, 0))
    priors += [_prior(made, first, seed) for seed in (1, 2)]
    without = [cell for cell in made.plan["cells"] if cell["arm"] == "no_quantization"]
    priors += [
        {**cell, "prior_seed": 0, "key": None, "tokenizer": None, "unavailable": "this method has none"}
        for cell in without
    ]
    shared = {
        "prior": {"name": "transformer", "version": 1, "layers": 4, "width": 128, "heads": 4},
        "classes": 10,
        "class_names": ["shirt", "shoe"],
        "training": {"steps": 500, "batch_size": 64},
        "sampling": {"images": 10_000, "temperature": 1.0},
    }
    made.edit_plan(generation=shared, priors=priors)
    return made


def _prior(made: Any, cell: dict[str, Any], prior_seed: int) -> dict[str, Any]:
    key = f"prior_{cell['key'][:-8]}{prior_seed}{cell['key'][-7:]}"
    record = json.loads((made.folder / "runs" / cell["key"] / "record.json").read_text())
    folder = made.folder / "runs" / key
    folder.mkdir()
    nll = 4.0 + cell["seed"] + (cell["arm"] == "simvq") + 0.1 * prior_seed
    record |= {
        "key": key,
        "config": {"tokenizer": record["config"], "training": {"steps": 500}, "seed": prior_seed},
        "metrics": {
            "code_length": 1.5,
            "nll": nll,
            "single_entropy": 7.0,
            "structure": 7.0 - nll,
            "samples_fd_fashion_classifier": 30.0 + 10 * (cell["arm"] == "simvq") + cell["codebook_size"] / 100,
            "reconstructions_fd_fashion_classifier": 3.0 + cell["codebook_size"] / 1000,
            "uniform_fd_fashion_classifier": 900.0,
        },
        "details": {},
    }
    (folder / "record.json").write_text(json.dumps(record))
    (folder / "history.csv").write_text(
        "step,seconds,learning_rate,loss,validation_nll\n1,0,0,5,5\n10,1,0,4,4\n500,9,0,3,3\n"
    )
    matplotlib.image.imsave(folder / "generated.png", np.random.default_rng(0).random((56, 224, 3)))
    return {**cell, "prior_seed": prior_seed, "key": key, "tokenizer": cell["key"]}


@pytest.fixture
def made(synthetic: Make) -> Any:
    return _with_priors(synthetic(ARMS, (256, 1024), 3))


def test_priors_have_a_table_of_their_own(made: Any) -> None:
    results = read(made.folder)
    grid = Grid(results)
    table = TABLES["generation"](grid)
    assert table is not None
    assert table.columns[:4] == ["Arm", "Code length, bits/dim ↓", "NLL, bits/position", "Single codes, bits/position"]
    assert [block.heading for block in table.blocks] == ["K = 256", "K = 1,024"]
    row = {cell[0].text: [found.text for found in cell] for cell in table.blocks[0].rows}["`simvq`"]
    assert row[2] == "6.000 ± 2.484"  # 5, 6 and 7: the further priors on one tokenizer are not in it
    assert row[-1] == "3"
    text = table.markdown()
    assert "1 arm has no prior (this method has none): `no_quantization`." in text
    assert "over several priors on one tokenizer (how many): " in text
    assert "NLL `simvq` 0.1000 (3)" in text  # of 5.0, 5.1 and 5.2
    assert "10,000 samples at temperature 1" in text

    # The tokenizers' own tables and marks are as they were without priors.
    assert set(results.cells["key"].dropna()).isdisjoint(results.priors["key"].dropna())
    assert "prior" not in "".join(
        cell.text for block in TABLES["main"](grid).blocks for row in block.rows for cell in row
    )  # type: ignore[union-attr]
    assert len(summary(results)) == len(results.records)
    assert not results.problems


def test_anchors_stand_beside_samples(made: Any) -> None:
    table = TABLES["generation_anchors"](Grid(read(made.folder)))
    assert table is not None
    assert table.columns == ["Arm", "Images", "FD (Fashion-MNIST classifier) ↓"]
    shown = [[cell.text for cell in row] for row in table.blocks[0].rows]
    assert shown[:4] == [
        ["`vq_vae`", "its reconstructions", "3.26 ± 0.00"],
        ["`vq_vae`", "samples", "32.56 ± 0.00"],
        ["`vq_vae`", "single codes", "–"],
        ["`vq_vae`", "uniform codes", "900.00 ± 0.00"],
    ]
    assert [row[1] for row in shown].count("training images") == 1


@pytest.mark.parametrize("name", ["generated", "generation", "prior_training"])
def test_plots_of_priors(made: Any, name: str) -> None:
    grid = Grid(read(made.folder))
    assert PLOTS.find(name).draw(grid, arm_styles(grid.results.plan["arms"], [])) is not None
    one = Grid(selected(grid.results, ["simvq"], [256]))
    assert len(one.results.priors) == 5
    assert PLOTS.find(name).draw(one, arm_styles(one.results.plan["arms"], [])) is not None


def test_a_folder_without_priors_has_nothing_of_them(shared_synthetic: Make) -> None:
    grid = Grid(read(shared_synthetic(ARMS, (256,), 1).folder))
    assert TABLES["generation"](grid) is None
    assert [PLOTS.find(n).draw(grid, {}) for n in ("generated", "generation", "prior_training")] == [None] * 3


def test_a_whole_report_with_priors(made: Any) -> None:
    made.edit_plan(tables=["main", "generation"], plots=["generation"])
    written = {path.relative_to(made.folder).as_posix() for path in build(read(made.folder))}
    assert {"tables/generation.md", "tables/generation.tex", "plots/generation.png"} <= written


def test_the_page_of_tokenizers_has_no_priors_among_its_runs(made: Any) -> None:
    grid = Grid(read(made.folder))
    data, _ = content(grid)
    assert not [key for key in [*data["runs"]["key"], *order(grid)] if key.startswith("prior_")]
    assert len(data["runs"]["key"]) == len({cell["key"] for cell in made.plan["cells"]})


def test_priors_of_other_settings_are_told(made: Any) -> None:
    left = [prior for prior in made.plan["priors"] if prior["prior_seed"] == 0]
    made.edit_plan(priors=left)
    assert read(made.folder).problems == [f"{made.folder}: 2 priors are not those of plan.json: they are in no table"]
    assert Path(made.folder).is_dir()
