"""Training lengths: the table of Kendall's tau, the shortest length that will do, and where it is said."""

import json
from collections.abc import Callable

import pytest

from benchmark.report.frame import read
from benchmark.report.grid import Grid
from benchmark.report.lengths import length_note
from benchmark.report.tables import TABLES

Make = Callable[..., "SyntheticResults"]  # noqa: F821 - of conftest.py, which is no module
ARMS = ("vq_vae", "simvq", "cvq_vae", "codebook_reset")
POINTS = {256: (256, 1000), 512: (256, 4000), 1024: (256, 16000), 2048: (1024, 1000), 4096: (1024, 4000)}
POINTS |= {8192: (1024, 16000)}
"""The invented sizes that stand for two sizes at three lengths."""
SAME, OTHER = [1.0, 2.0, 3.0, 4.0], [2.0, 1.0, 3.0, 4.0]


@pytest.fixture
def lengths(synthetic: Make) -> Callable[..., "SyntheticResults"]:  # noqa: F821
    """Four arms whose order at each (size, steps) is given; the reverse of nothing else."""

    def make(orders: dict[tuple[int, int], list[float]], seeds: int = 3):
        made = synthetic(ARMS, sizes=tuple(POINTS), seeds=seeds, artefacts=False)
        cells = []
        for cell in made.plan["cells"]:
            place = POINTS[cell["codebook_size"]]
            value = orders.get(place, SAME)[ARMS.index(cell["arm"])] + 0.01 * cell["seed"]
            path = made.record_path(cell["arm"], cell["codebook_size"], cell["seed"])
            record = json.loads(path.read_text())
            record["metrics"]["psnr"] = value + 0.001 * ARMS.index(cell["arm"]) * cell["seed"] ** 2
            path.write_text(json.dumps(record))
            cells.append({**cell, "codebook_size": place[0], "point": {"training.steps": place[1]}})
        made.edit_plan(codebook_sizes=[256, 1024], axes={"training.steps": [1000, 4000, 16000]}, cells=cells)
        return made

    return make


def test_table_of_planted_orders(lengths) -> None:
    results = read(lengths({(256, 1000): OTHER}).folder)
    table = TABLES["length_agreement"](Grid(results))
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
    note = length_note(Grid(read(lengths(orders).folder)))
    assert note is not None
    assert note.endswith(f"next longer one's (τ ≥ 0.9): {verdict}")


def test_the_note_stands_under_the_other_tables(lengths) -> None:
    results = read(lengths({(256, 1000): OTHER}).folder)
    grid = Grid(results)
    note = length_note(grid)
    assert note is not None
    assert "1,000 to 4,000 steps 0.67 (K = 256), 1.00 (K = 1,024); 4,000 to 16,000 steps 1.00" in note
    for name in ("main", "usage_by_size", "distortion_by_size", "length_agreement"):
        table = TABLES[name](grid)
        assert table is not None
        assert note in table.shown_notes


def test_one_seed_is_no_verdict(lengths) -> None:
    note = length_note(Grid(read(lengths({}, seeds=1).folder)))
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
    made = lengths(both)
    made.edit_plan(tuned="9 trials an arm")
    table = TABLES["comparison"](Grid(read(made.folder)))
    assert table is not None
    assert table.title == "arms compared over codebook sizes and seeds, after 16,000 steps"
    psnr = table.data[table.data["metric"] == "psnr"].set_index("arm")
    assert (psnr["blocks"] == 2 * 3).all()
    assert psnr["mean_rank"].to_dict() == {"codebook_reset": 1.0, "cvq_vae": 2.0, "simvq": 3.0, "vq_vae": 4.0}
