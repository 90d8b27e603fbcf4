"""Guidance: what a strength does to the law of samples, and that the strength is chosen by validation images."""

import math
from importlib.util import find_spec
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from scipy.stats import chi2
from torch import Tensor

from benchmark.data import Dataset
from benchmark.priors.base import Prior
from benchmark.priors.guidance import choose
from benchmark.priors.pixelcnn import PixelCNNPrior
from benchmark.priors.transformer import TransformerPrior

CPU = torch.device("cpu")
needs_extra = pytest.mark.skipif(
    find_spec("x_transformers") is None, reason="needs x-transformers, of the extra [generation]"
)


@pytest.mark.parametrize("kind", [pytest.param(TransformerPrior, marks=needs_extra), PixelCNNPrior])
@torch.no_grad()
def test_a_guided_sample_has_the_mixed_logits(kind: type[Prior]) -> None:
    torch.manual_seed(0)
    small = {"layers": 1, "width": 8} | ({"heads": 2} if kind is TransformerPrior else {"head": 8})
    prior = kind((4,), (1, 2), classes=2, guided=True, **small).eval()
    for weight in prior.parameters():
        torch.nn.init.normal_(weight, std=0.7)
    count, strength, temperature = 4_000, 2.5, 1.5
    pair = torch.zeros(1, 2, dtype=torch.int64)
    told, none = (prior(pair, torch.tensor([label]))[0, 0].double() for label in (1, 2))
    shares = ((none + strength * (told - none)) / temperature).softmax(0)
    labels = torch.ones(count, dtype=torch.int64)
    drawn = prior.sample(count, torch.Generator().manual_seed(0), labels, temperature, strength)
    assert drawn.shape == (count, 2)
    found = torch.bincount(drawn[:, 0], minlength=4).double()
    assert chi2.sf(float(((found - count * shares).square() / (count * shares)).sum()), 3) > 0.001
    # A strength of 1 is none at all: the same draws.
    plain = prior.sample(8, torch.Generator().manual_seed(0), labels[:8])
    assert torch.equal(plain, prior.sample(8, torch.Generator().manual_seed(0), labels[:8], guidance=1.0))


class _Drifting(Prior):
    """Draws the code that is the strength of its guidance."""

    version = 0

    def __init__(self) -> None:
        super().__init__((8,), (1,), classes=2, guided=True)
        self.codes = self.head = torch.nn.Linear(1, 1)

    def sample(self, count: int, generator: torch.Generator, *given: Any) -> Tensor:
        return torch.full((count, 1), int(given[-1]))


def test_the_strength_whose_samples_are_nearest_to_validation_images_is_chosen() -> None:
    def images(index: Tensor) -> Tensor:
        noise = torch.randn(len(index), 1, 4, 4, generator=torch.Generator().manual_seed(int(index[0])))
        return index.reshape(-1, 1, 1, 1) / 4 - 1 + 0.05 * noise

    def decode(index: Tensor) -> Any:
        yield images(index)

    def features(items: Tensor) -> Tensor:
        return items[:, :1].float().mean((2, 3)) / 64

    validation = ((images(torch.full((40, 1), 3)) + 1) * 127.5).clamp(0, 255).to(torch.uint8)
    tokenizer: Any = SimpleNamespace(dataset=Dataset(validation, validation, validation), device=CPU, decode=decode)
    settings = {"dropped": 0.1, "strengths": [4.0, 1.0, 3.0, 2.0], "images": 30}
    config = {"guidance": settings, "seed": 0, "sampling": {"temperature": 1.0}}
    extractor: Any = features
    found = choose(_Drifting(), tokenizer, extractor, config)
    assert found.strength == 3.0
    assert list(found.distances) == ["1", "2", "3", "4"]
    assert min(found.distances.values()) == found.distances["3"]
    assert all(math.isfinite(value) for value in found.distances.values())
