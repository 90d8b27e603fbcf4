"""The second extractor, with a small one in its place."""

import pytest
import torch

from benchmark.metrics import distances
from benchmark.metrics.parts.extra import create_metrics, evaluation_options
from benchmark.metrics.parts.features import Extractor
from methods.core.usage import UsageError


class Means(Extractor):
    name, distance, num_features, weights = "means", "fd_means", 3, "0" * 64

    def __init__(self, device: torch.device) -> None:
        pass

    def __call__(self, images: torch.Tensor) -> torch.Tensor:
        return images.float().mean((2, 3))

    def input_size(self, height: int, width: int) -> tuple[int, int]:
        return height, width


def test_a_second_extractor_beside_the_first(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setitem(distances.EXTRACTORS, "means", Means)
    options = {"features": None, "lpips": [], "extra": [{"name": "distances", "features": "means"}]}
    supplied = {"item_shape": (3, 8, 8), "device": torch.device("cpu"), "originals_key": "key", "sample_rate": None}
    metrics = create_metrics("image", options, **supplied)
    images = torch.rand(20, 3, 8, 8, generator=torch.Generator().manual_seed(0)) * 2 - 1
    metrics.update(images, images)
    measured = metrics.compute()
    assert measured["fd_means"] == pytest.approx(0, abs=1e-3)
    assert "kid_means" in measured
    assert metrics.details()["fd_means"]["input"] == "8×8"


def test_options():
    found = evaluation_options("image", {"extra": ["distances"]})
    assert found["extra"] == [{"name": "distances", "features": "efficientnet_lite2"}]
    with pytest.raises(UsageError, match="efficientnet_lite2"):
        create_metrics(
            "image",
            {"features": None, "lpips": [], "extra": [{"name": "distances", "features": "lite2"}]},
            item_shape=(3, 8, 8),
            device=torch.device("cpu"),
            originals_key="",
            sample_rate=None,
        )
