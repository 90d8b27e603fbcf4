"""The comparison of arms in invented results: with whom, over which blocks, and what is never called best."""

import math
from collections.abc import Callable

import numpy as np
from reported import table

from benchmark.report.table import Block, Table

Make = Callable[..., "SyntheticResults"]  # noqa: F821 - of conftest.py, which is no module


def compared(synthetic: Make, sizes: tuple[int, ...] = (256, 1024)):
    """Two arms by size, tuned; `vq_vae` has the larger quantization error, and `simvq` that of validation."""
    made = synthetic(("vq_vae", "simvq", "no_quantization"), sizes=sizes, artefacts=False)
    made.edit_plan(tuned="9 trials an arm")
    for size, offset in zip(sizes, (0.0, -1.0), strict=False):
        made.set_metric("simvq", size, "quantization_error", [2.0 + offset, 2.1 + offset, 2.2 + offset])
        made.set_metric("vq_vae", size, "quantization_error", [3.0 + offset, 3.2 + offset, 3.1 + offset])
        made.set_metric("simvq", size, "validation_error", [0.2, 0.2, 0.2])
        made.set_metric("vq_vae", size, "validation_error", [0.1, 0.1, 0.1])
    return made


def block_of(built: Table | None, label: str) -> Block:
    assert built is not None
    [block] = [block for block in built.blocks if block.heading.startswith(label)]
    return block


def texts(block: Block) -> list[list[str]]:
    return [[cell.text for cell in row] for row in block.rows]


def test_comparison_with_the_arm_that_validation_chooses(synthetic: Make):
    built = table(compared(synthetic).folder, "comparison")
    assert built is not None
    assert built.columns == ["Arm", "Mean rank", "Difference from `vq_vae`", "p (Holm)"]
    block = block_of(built, "Quantization error")
    assert block.heading == "Quantization error ↓ · 6 blocks, 3 seeds"
    differences = -np.array([1.0, 1.1, 0.9])  # of each seed, at both sizes
    # 97.5 % quantile of Student's t with two degrees of freedom, from a printed table.
    half_width = 4.302653 * differences.std(ddof=1) / math.sqrt(3)
    assert texts(block) == [
        ["`vq_vae`", "2.00", "", ""],
        ["`simvq`", "1.00", f"−1.00000 ± {half_width:.5f}", "0.003"],
    ]
    assert not any(cell.bold for row in block.rows for cell in row), "chosen on validation, and worse on test"
    assert not any("no_quantization" in row[0].text for block in built.blocks for row in block.rows)
    assert any("lowest mean rank over these blocks by validation error" in note for note in built.shown_notes)


def test_of_one_size_its_title_says_which_and_nothing_is_averaged(synthetic: Make):
    both, one = (table(compared(synthetic, sizes).folder, "comparison") for sizes in ((256, 1024), (256,)))
    assert both is not None
    assert one is not None
    assert both.title == "arms compared over codebook sizes and seeds"
    assert one.title == "arms compared over seeds, K = 256"
    assert block_of(one, "Quantization error").heading.endswith("3 blocks, 3 seeds")
    assert any(note.startswith("A block is a codebook size and a seed;") for note in both.shown_notes)
    assert any(note.startswith("A block is a seed;") for note in one.shown_notes)
    for word in ("averaged over the sizes of a seed", "of these sizes together"):
        assert any(word in note for note in both.shown_notes)
        assert not any(word in note for note in one.shown_notes)


def test_comparison_with_the_best_of_a_metric_where_validation_errors_are_missing(synthetic: Make):
    made = compared(synthetic)
    made.set_metric("vq_vae", 256, "validation_error", [0.1, None, 0.1])
    built = table(made.folder, "comparison")
    block = block_of(built, "Quantization error")
    assert texts(block)[0] == ["`simvq`", "1.00", "best", ""]
    assert block.rows[0][2].bold
    assert built is not None
    [note] = [note for note in built.shown_notes if note.startswith("Chosen by the metric itself")]
    assert "Quantization error" in note
    assert not any(block.heading.startswith(("Usage", "Perplexity")) for block in built.blocks)


def test_usage_and_perplexity_are_compared_and_never_best(synthetic: Make):
    made = compared(synthetic)
    for size in (256, 1024):
        made.set_metric("vq_vae", size, "usage", [0.90, 0.91, 0.92])
        made.set_metric("simvq", size, "usage", [0.50, 0.52, 0.51])
    built = table(made.folder, "comparison")
    block = block_of(built, "Usage")
    assert block.heading == "Usage, % · 6 blocks, 3 seeds"
    half_width = 4.302653 * 1.0 / math.sqrt(3)
    assert texts(block) == [["`vq_vae`", "–", "", ""], ["`simvq`", "–", f"−40.00 ± {half_width:.2f}", "< 0.001"]]
    assert not any(cell.bold for row in block.rows for cell in row)
    assert block_of(built, "Perplexity")


def test_missing_blocks_are_named(synthetic: Make):
    made = compared(synthetic)
    made.edit("simvq", 1024, 2, status="diverged", metrics={})
    built = table(made.folder, "comparison")
    assert built is not None
    assert block_of(built, "MSE").heading == "MSE ↓ · 4 blocks, 2 seeds"
    missing = "blocks are missing for every arm because `simvq` lacks 1"
    left_out = "1 more are left out, of seeds that lack sizes which others have"
    assert f"Every metric: {missing}; {left_out}." in built.shown_notes
    made.edit("simvq", 256, 1, status="diverged", metrics={})
    built = table(made.folder, "comparison")
    assert texts(block_of(built, "Quantization error"))[1][2:] == ["−1.00000", "–"]
    assert built is not None
    assert any(note.endswith("one seed is left, so nothing is tested.") for note in built.shown_notes)
    assert not any(note.startswith("Bold") for note in built.shown_notes)


def test_untuned_arms_are_not_ranked(synthetic: Make):
    made = compared(synthetic)
    made.edit_plan(tuned=False)
    assert table(made.folder, "comparison") is None
    built = table(made.folder)
    assert built is not None
    assert not any(cell.bold for block in built.blocks for row in block.rows for cell in row)
    assert not any("Bold" in note for note in built.shown_notes)
