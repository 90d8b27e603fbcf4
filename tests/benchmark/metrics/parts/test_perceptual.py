"""LPIPS offline is the real LPIPS."""

from pathlib import Path

import lpips
import pytest
import torch
from scipy.ndimage import gaussian_filter
from skimage import data

from benchmark.metrics.parts.perceptual import load_lpips


def as_batch(image) -> torch.Tensor:
    return torch.from_numpy(image).permute(2, 0, 1)[None].float() * 2 - 1


@pytest.fixture(scope="module")
def alex():
    return load_lpips("alex", torch.device("cpu"))


@pytest.mark.parametrize("network", ["alex", "vgg"])
def test_heads_are_those_of_the_lpips_package(network):
    model = load_lpips(network, torch.device("cpu"))
    published = torch.load(Path(lpips.__file__).parent / f"weights/v0.1/{network}.pth", "cpu", weights_only=True)
    for index, head in enumerate(model.lins):
        assert torch.equal(head.model[-1].weight, published[f"lin{index}.model.1.weight"])
    assert not any(parameter.requires_grad or parameter.is_meta for parameter in model.parameters())


def test_distances_of_a_photograph(alex):
    astronaut, coffee = (image[:256, :256] / 255 for image in (data.astronaut(), data.coffee()))
    blurred = gaussian_filter(astronaut, (2, 2, 0))
    with torch.inference_mode():
        itself, blur, other = (float(alex(as_batch(astronaut), as_batch(x))) for x in (astronaut, blurred, coffee))
    assert itself == 0
    # Found once by other code with the same weights: 0.314 for this blur, about 0.74 for another photograph.
    assert blur == pytest.approx(0.314, abs=0.001)
    assert other == pytest.approx(0.74, abs=0.1)


def test_loading_draws_no_random_numbers():
    torch.manual_seed(3)
    before = torch.random.get_rng_state()
    load_lpips("alex", torch.device("cpu"))
    assert torch.equal(torch.random.get_rng_state(), before)
