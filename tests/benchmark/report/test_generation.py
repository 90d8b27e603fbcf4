"""Tables and plots of priors: a table of their own, means over tokenizers, the priors' own spread, pictures."""

import io
import json
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import matplotlib.image
import numpy as np
import pytest

from benchmark.report import read
from benchmark.report.build import build, summary
from benchmark.report.declarations import PaperTable, tables_of
from benchmark.report.grid import Grid
from benchmark.report.page.content import content
from benchmark.report.page.details import order
from benchmark.report.plots import PLOTS
from benchmark.report.selection import selected
from benchmark.report.style import arm_styles
from benchmark.report.tables import TABLES
from benchmark.report.tables.paper import paper_table

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
        "details": {"prior": {"weights": 9_000 + cell["codebook_size"], "apart_from_codes": 9_000}},
    }
    (folder / "record.json").write_text(json.dumps(record))
    (folder / "history.csv").write_text(
        "step,seconds,learning_rate,loss,validation_nll\n1,0,0,5,5\n10,1,0,4,4\n500,9,0,3,3\n"
    )
    for name in ("generated.png", "nearest.png"):
        (folder / name).write_bytes(_picture())
    return {**cell, "prior_seed": prior_seed, "key": key, "tokenizer": cell["key"]}


@cache
def _picture() -> bytes:
    content = io.BytesIO()
    matplotlib.image.imsave(content, np.random.default_rng(0).random((56, 224, 3)), format="png")
    return content.getvalue()


def _with_second(made: Any, distances: dict[str, float]) -> Any:
    """A second prior on every tokenizer, whose samples have the ``distances`` by arm, and a little more by seed."""
    cells = [prior for prior in made.plan["priors"] if prior["prior_seed"] == 0]
    priors = []
    for cell in cells:
        if cell["key"] is None:
            priors.append(cell)
            continue
        tokenizer = next(own for own in made.plan["cells"] if own["key"] == cell["tokenizer"])
        second = _prior(made, tokenizer, 9) | {"prior_seed": 0}
        path = made.folder / "runs" / second["key"] / "record.json"
        record = json.loads(path.read_text())
        record["metrics"]["samples_fd_fashion_classifier"] = distances[cell["arm"]] + 0.01 * cell["seed"]
        record["metrics"]["code_length"] = 2.0 + 0.1 * (cell["arm"] == "simvq") + 0.01 * cell["seed"]
        path.write_text(json.dumps(record))
        priors.append(second)
    shared = made.plan["generation"] | {"prior": {"name": "pixelcnn", "version": 1, "layers": 15}}
    made.edit_plan(second={"generation": shared, "priors": priors})
    return made


@pytest.fixture
def made(synthetic: Make) -> Any:
    """A folder with priors for tests that change it."""
    return _with_priors(synthetic(ARMS, (256, 1024), 3, artefacts=False))


@pytest.fixture(scope="module")
def grid(synthetic_of_module: Make) -> Grid:
    """The same results, read once."""
    return Grid(read(_with_priors(synthetic_of_module(ARMS, (256, 1024), 3, artefacts=False)).folder))


def test_priors_have_a_table_of_their_own(grid: Grid) -> None:
    results = grid.results
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
    alike = "(transformer: layers 4, width 128, heads 4, 9,000 weights apart from embedding and head), told the class"
    assert f"All arms have the same prior {alike}" in text

    # The tokenizers' own tables and marks are as they were without priors.
    assert set(results.cells["key"].dropna()).isdisjoint(results.priors["key"].dropna())
    assert "prior" not in "".join(
        cell.text for block in TABLES["main"](grid).blocks for row in block.rows for cell in row
    )  # type: ignore[union-attr]
    assert len(summary(results)) == len(results.records)
    assert not results.problems


def test_whether_use_of_the_codebook_tells_how_well_codes_are_modelled(synthetic: Make) -> None:
    arms = ("vq_vae", "simvq", "fsq", "lfq", "bsq", "no_quantization")
    made = _with_priors(synthetic(arms, (256,), 1, artefacts=False))
    for prior in made.plan["priors"]:
        if prior["key"] is None:
            continue
        rank = arms.index(prior["arm"])
        for key, metrics in ((prior["tokenizer"], {"usage": rank / 10}), (prior["key"], {"code_length": 3.0 - rank})):
            path = made.folder / "runs" / key / "record.json"
            record = json.loads(path.read_text())
            record["metrics"] |= metrics
            path.write_text(json.dumps(record))
    table = TABLES["generation"](Grid(read(made.folder)))
    assert table is not None
    [note] = [note for note in table.shown_notes if note.startswith("Does use of the codebook tell")]
    assert "K = 256: Usage with Code length −1.00 (p = 0.017, 5 arms), " in note  # 2 of 5! orders
    one = Grid(selected(read(made.folder), ["simvq", "fsq", "lfq", "bsq"], [256]))
    fewer = TABLES["generation"](one)
    assert fewer is not None
    assert "Does use of the codebook" not in "".join(fewer.shown_notes)


def test_anchors_stand_beside_samples(grid: Grid) -> None:
    table = TABLES["generation_anchors"](grid)
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


def test_guided_samples_and_trained_classifiers_have_columns_where_they_were_measured(made: Any) -> None:
    for prior in made.plan["priors"]:
        if prior["key"] is None:
            continue
        path = made.folder / "runs" / prior["key"] / "record.json"
        record = json.loads(path.read_text())
        record["metrics"] |= {
            "guidance_strength": 1.5,
            "guided_fd_fashion_classifier": 20.0,
            "samples_coverage": 0.2,
            "guided_coverage": 0.25,
            "samples_trained_accuracy": 0.7,
            "train_trained_accuracy": 0.9,
        }
        record["details"]["guidance"] = {"kid_validation": {"1": 0.2, "1.5": 0.1}}
        path.write_text(json.dumps(record))
    generation = made.plan["generation"] | {
        "prior": {"name": "native", "version": 1, "layers": 2},
        "guidance": {"dropped": 0.1, "strengths": [1.0, 1.5], "images": 2000},
        "classifier": {"steps": 1000, "batch_size": 64},
    }
    made.edit_plan(generation=generation)
    grid = Grid(read(made.folder))
    table, anchors = (TABLES[name](grid) for name in ("generation", "generation_anchors"))
    assert table is not None
    assert anchors is not None
    headings = ["Trained on samples, % ↑", "Trained on real images, % ↑", "Guidance"]
    assert [name for name in table.columns if name in headings] == headings
    assert "FD (Fashion-MNIST classifier), guided ↓" in table.columns
    text = table.markdown()
    assert "nothing guided but the columns that say so" in text
    assert "the class was not told of 10 % of the training items; for every prior the best of 1, 1.5 by 2,000" in text
    assert "validation images; 12 of 12 have the strongest, and a better one may lie beyond." in text
    assert "1,000 steps of 64 images" in text
    assert "Native track: a softmax for each level, digit or bit" in text
    rows = {(row[0].text, row[1].text): [cell.text for cell in row[2:]] for row in anchors.blocks[0].rows}
    assert rows["`simvq`", "samples, guided"] == ["20.00 ± 0.00", "25.0 ± 0.0", "–"]
    assert rows["", "training images"] == ["–", "–", "90.0 ± 0.0"]


def test_published_figures_stand_beside_those_of_priors(grid: Grid) -> None:
    paper = {
        "name": "paper",
        "title": "beside another",
        "columns": ["samples_fd_fashion_classifier", "usage"],
        "published": {
            "paper": "VQ-WAE (ICML 2023; ICLR-23 submission text)",
            "where": {"table": "Table 3 PixelCNN", "dataset": "MNIST"},
            "methods": {"vq_vae": "VQ-VAE"},
            "metrics": {"samples_fd_fashion_classifier": "gFID_uncond"},
        },
    }
    [declared] = tables_of([paper], TABLES)
    assert isinstance(declared, PaperTable)
    table = paper_table(declared, grid)
    assert table is not None
    rows = {row[0].text.strip("`†"): [cell.text for cell in row[1:4]] for row in table.blocks[0].rows}
    assert rows["vq_vae"] == ["32.56 ± 0.00", "27.01", "+20.5 %"]
    assert rows["simvq"] == ["42.56 ± 0.00", "–", "–"]


@pytest.mark.parametrize("name", ["generated", "nearest", "generation", "prior_training"])
def test_plots_of_priors(grid: Grid, name: str) -> None:
    assert PLOTS.find(name).draw(grid, arm_styles(grid.results.plan["arms"], [])) is not None
    one = Grid(selected(grid.results, ["simvq"], [256]))
    assert len(one.results.priors) == 5
    assert PLOTS.find(name).draw(one, arm_styles(one.results.plan["arms"], [])) is not None


def test_a_folder_without_priors_has_nothing_of_them(shared_synthetic: Make) -> None:
    grid = Grid(read(shared_synthetic(ARMS, (256,), 1).folder))
    assert TABLES["generation"](grid) is None
    assert [PLOTS.find(n).draw(grid, {}) for n in ("generated", "nearest", "generation", "prior_training")] == [
        None
    ] * 4


def test_a_whole_report_with_priors(made: Any) -> None:
    made.edit_plan(tables=["main", "generation"], plots=["generation"])
    written = {path.relative_to(made.folder).as_posix() for path in build(read(made.folder))}
    assert {"tables/generation.md", "tables/generation.tex", "plots/generation.png"} <= written


def test_the_page_of_tokenizers_has_no_priors_among_its_runs(grid: Grid) -> None:
    data, _ = content(grid)
    assert not [key for key in [*data["runs"]["key"], *order(grid)] if key.startswith("prior_")]
    assert len(data["runs"]["key"]) == len({cell["key"] for cell in grid.results.plan["cells"]})


def test_priors_of_other_settings_are_told(made: Any) -> None:
    left = [prior for prior in made.plan["priors"] if prior["prior_seed"] == 0]
    made.edit_plan(priors=left)
    assert read(made.folder).problems == [f"{made.folder}: 2 priors are not those of plan.json: they are in no table"]
    assert Path(made.folder).is_dir()


def test_two_priors_stand_side_by_side_and_pairs_that_they_turn_are_named(made: Any) -> None:
    alone = Grid(read(made.folder))
    before = {name: TABLES[name](alone) for name in ("main", "generation", "generation_anchors")}
    assert TABLES["generation_priors"](alone) is None
    _with_second(made, {"vq_vae": 60.0, "simvq": 50.0})
    results = read(made.folder)
    grid = Grid(results)
    table = TABLES["generation_priors"](grid)
    assert table is not None
    assert table.columns == [
        "Arm",
        *("Code length, bits/dim ↓, transformer", "Code length, bits/dim ↓, pixelcnn"),
        *("NLL, bits/position, transformer", "NLL, bits/position, pixelcnn"),
        "FD (Fashion-MNIST classifier), samples ↓, transformer",
        "FD (Fashion-MNIST classifier), samples ↓, pixelcnn",
        "n",
    ]
    rows = {row[0].text: [cell.text for cell in row] for row in table.blocks[1].rows}
    assert list(rows) == ["`vq_vae`", "`simvq`"]
    assert rows["`simvq`"][1:3] == ["1.500 ± 0.000", "2.110 ± 0.025"]
    assert rows["`simvq`"][-3:] == ["50.24 ± 0.00", "50.01 ± 0.02", "3"]
    assert list(table.data.columns[:5]) == [
        "arm",
        "codebook_size",
        "n",
        "code_length_first",
        "code_length_first_half_width",
    ]
    text = "\n".join(table.shown_notes)
    apart = "9,000 weights apart from embedding and head"
    assert (
        f"Two priors on the same tokenizers: transformer: layers 4, width 128, heads 4, {apart}; and pixelcnn: "
        f"layers 15, {apart}; "
    ) in text
    assert (
        "FD (Fashion-MNIST classifier), samples by the two priors: the order of arms hangs on the prior, for beyond "
        "chance the first is better by the one and the second by the other of `vq_vae` and `simvq` at K = 256; "
        "`vq_vae` and `simvq` at K = 1,024. Kendall's τ of the two orders: K = 256 −1.00 (1 pair, 1 beyond chance)"
    ) in text
    assert "By their means `vq_vae` and `simvq` at K = 256; `vq_vae` and `simvq` at K = 1,024 are turned" in text
    assert "Code length by the two priors: no pair of arms is told apart by both" in text  # the first ties all
    assert "pixelcnn: Training of every prior: steps 500, batch_size 64." in text
    # Whatever else there is of priors is that of the first.
    for name, old in before.items():
        now = TABLES[name](grid)
        assert old is not None
        assert now is not None
        assert now.markdown() == old.markdown()
    assert not results.problems
    assert len(summary(results)) == len(results.records)
    one = Grid(selected(results, ["simvq"], [256]))
    assert [len(one.results.second), len(one.results.plan["second"]["priors"])] == [3, 3]
    shown = TABLES["generation_priors"](one)
    assert shown is not None
    assert [len(shown.blocks), len(shown.blocks[0].rows)] == [1, 1]
    data, _ = content(one)
    assert not [key for key in data["runs"]["key"] if key.startswith("prior_")]


def test_of_one_seed_two_priors_say_that_it_is_one(synthetic: Make) -> None:
    made = _with_second(_with_priors(synthetic(ARMS, (256,), 1, artefacts=False)), {"vq_vae": 30.0, "simvq": 60.0})
    table = TABLES["generation_priors"](Grid(read(made.folder)))
    assert table is not None
    assert table.blocks[0].rows[0][-1].text == "1"
    text = "\n".join(table.shown_notes)
    assert "one tokenizer a cell (n = 1), no interval" in text
    assert (
        "By their means no pair is turned. There is one seed at K = 256, and nothing tells its order from chance."
        in text
    )
