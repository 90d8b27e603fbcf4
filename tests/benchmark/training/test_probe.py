"""The probe that draws the curves costs little beside the training it watches."""

import pytest

from benchmark.training.probe import probe_items


@pytest.mark.parametrize(
    ("items_trained", "probed"),
    [(20 * 32, 64), (250 * 64, 100), (1000 * 128, 512), (5000 * 64, 512)],
)
def test_items_grow_with_the_training_within_bounds(items_trained: int, probed: int) -> None:
    assert probe_items(items_trained, 512) == probed
