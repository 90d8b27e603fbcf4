"""Squared error of vectors, with and without positions."""

from pathlib import Path

import pytest
import torch

from benchmark.metrics import metrics


@pytest.mark.parametrize("shape", [(6,), (6, 2, 3)])
def test_squared_error_is_summed_over_the_latent_dimension(shape: tuple[int, ...], tmp_path: Path) -> None:
    measured = metrics.create("latents", {}, item_shape=shape, device=torch.device("cpu"), originals_key="none")
    for count in (3, 5):
        items = torch.randn(count, *shape)
        measured.update(items, items + 0.5)
        measured.save_samples(items, items, tmp_path)
    assert measured.compute() == {"squared_error": pytest.approx(6 * 0.25)}
    assert not list(tmp_path.iterdir())
