"""Training lengths: the table of Kendall's tau, the shortest length that will do, and where it is said."""

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import Any

import pytest

from benchmark.report.frame import Results, read
from benchmark.report.grid import Grid
from benchmark.report.lengths import length_note
from benchmark.report.tables import TABLES

Make = Callable[..., "SyntheticResults"]  # noqa: F821 - of conftest.py, which is no module
ARMS = ("vq_vae", "simvq", "cvq_vae", "codebook_reset")
POINTS = {256: (256, 1000), 512: (256, 4000), 1024: (256, 16000), 2048: (1024, 1000), 4096: (1024, 4000)}
POINTS |= {8192: (1024, 16000)}
"""The invented sizes that stand for two sizes at three lengths."""
SAME, OTHER = [1.0, 2.0, 3.0, 4.0], [2.0, 1.0, 3.0, 4.0]


@pytest.fixture(scope="module")
def invented(synthetic_of_module: Make) -> Callable[[int], Results]:
    """Four arms at those places, read once for each number of seeds."""

    @cache
    def make(seeds: int) -> Results:
        made = synthetic_of_module(ARMS, sizes=tuple(POINTS), seeds=seeds, artefacts=False, name=f"{seeds} seeds")
        places = [POINTS[cell["codebook_size"]] for cell in made.plan["cells"]]
        cells = [
            {**cell, "codebook_size": size, "point": {"training.steps": steps}}
            for cell, (size, steps) in zip(made.plan["cells"], places, strict=True)
        ]
        made.edit_plan(codebook_sizes=[256, 1024], axes={"training.steps": [1000, 4000, 16000]}, cells=cells)
        return read(made.folder)

    return make


@pytest.fixture
def lengths(invented: Callable[[int], Results]) -> Callable[..., Grid]:
    """Four arms whose order at each (size, steps) is given; the reverse of nothing else."""

    def make(orders: dict[tuple[int, int], list[float]], seeds: int = 3, **plan: Any) -> Grid:
        results = invented(seeds)
        cells = [
            (orders.get(results.places[cell.place].values, SAME)[ARMS.index(cell.arm)], ARMS.index(cell.arm), cell.seed)
            for cell in results.cells.itertuples()
        ]
        psnr = [value + 0.01 * seed + 0.001 * arm * seed**2 for value, arm, seed in cells]
        return Grid(replace(results, plan={**results.plan, **plan}, cells=results.cells.assign(psnr=psnr)))

    return make


def test_table_of_planted_orders(lengths) -> None:
    table = TABLES["length_agreement"](lengths({(256, 1000): OTHER}))
    assert table is not None
    assert [block.heading for block in table.blocks] == ["K = 256", "K = 1,024"]
    rows = [[cell.text for cell in row] for block in table.blocks for row in block.rows]
    assert rows == [
        ["1,000 to 4,000", "0.67", "6", "0.67", "6", "3"],
        ["4,000 to 16,000", "1.00", "6", "1.00", "6", "3"],
        ["1,000 to 4,000", "1.00", "6", "1.00", "6", "3"],
        ["4,000 to 16,000", "1.00", "6", "1.00", "6", "3"],
    ]
    assert list(table.data.columns[:4]) == ["codebook_size", "metric", "shorter", "longer"]
    assert r"$\tau$" in table.latex()


@pytest.mark.parametrize(
    ("orders", "verdict"),
    [
        ({}, "1,000 steps."),
        ({(256, 1000): OTHER}, "4,000 steps."),
        ({(256, 1000): OTHER, (256, 4000): OTHER}, "none, so 16,000 steps, the longest."),
        ({(256, 1000): OTHER, (1024, 4000): OTHER}, "none, so 16,000 steps, the longest."),
    ],
)
def test_the_shortest_length_from_which_on_all_agree(lengths, orders, verdict: str) -> None:
    note = length_note(lengths(orders))
    assert note is not None
    assert note.endswith(f"next longer one's (τ ≥ 0.9): {verdict}")


def test_the_note_stands_under_the_other_tables(lengths) -> None:
    grid = lengths({(256, 1000): OTHER})
    note = length_note(grid)
    assert note is not None
    assert "1,000 to 4,000 steps 0.67 (K = 256), 1.00 (K = 1,024); 4,000 to 16,000 steps 1.00" in note
    for name in ("main", "usage_by_size", "distortion_by_size", "length_agreement"):
        table = TABLES[name](grid)
        assert table is not None
        assert note in table.shown_notes


def test_one_seed_is_no_verdict(lengths) -> None:
    note = length_note(lengths({}, seeds=1))
    assert note is not None
    assert "not tested" in note
    assert note.endswith("not known, since runs are missing.")


def test_one_length_has_no_table(synthetic: Make) -> None:
    results = read(synthetic(("vq_vae", "simvq"), sizes=(256, 1024), artefacts=False).folder)
    assert TABLES["length_agreement"](Grid(results)) is None
    assert length_note(Grid(results)) is None


def test_arms_are_compared_at_the_longest_length_alone(lengths) -> None:
    """After 1,000 steps the order is another one, which must not weigh."""
    both = {(size, 1000): [9.0, 2.0, 3.0, 4.0] for size in (256, 1024)}
    base = lengths(both)
    arms = [{**arm, "tuned": {"learning_rate": 1e-3}} for arm in base.results.plan["arms"]]
    table = TABLES["comparison"](lengths(both, tuned="9 trials an arm", arms=arms))
    assert table is not None
    assert table.title == "arms compared over codebook sizes and seeds, after 16,000 steps"
    psnr = table.data[table.data["metric"] == "psnr"].set_index("arm")
    assert (psnr["blocks"] == 2 * 3).all()
    assert psnr["mean_rank"].to_dict() == {"codebook_reset": 1.0, "cvq_vae": 2.0, "simvq": 3.0, "vq_vae": 4.0}
