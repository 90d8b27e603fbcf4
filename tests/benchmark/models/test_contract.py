"""What every model promises: latents on its grid, items back, the same weights from a seed, a gradient everywhere."""

from typing import Any

import pytest
import torch

from benchmark.models import Autoencoder, models
from benchmark.models.conv import Residual
from methods.core.usage import UsageError

OF_IMAGES = {"channels": 4, "multipliers": [1, 2], "latent_dim": 5}
TINY: dict[str, tuple[dict[str, Any], tuple[int, ...]]] = {
    "codec": ({"latent_dim": 5, "filters": 2, "decoder_width": 12, "decoder_layers": 1, "strides": [4, 4]}, (1, 64)),
    "conv": ({"width": 6, "latent_dim": 5, "residual_blocks": 1, "residual_width": 3}, (3, 8, 12)),
    "hqa_stack": ({"layers": 2, "latent_dim": 5, "encoder_widths": [4, 6], "decoder_widths": [6, 4]}, (3, 8, 12)),
    "identity": ({}, (5, 3)),
    "pytorch_vae": ({"widths": [6, 4], "latent_dim": 5}, (3, 8, 12)),
    "simvq": (OF_IMAGES, (3, 8, 12)),
    "sq_vae": ({"latent_dim": 6, "residual_blocks": 1}, (3, 8, 12)),
    "vqgan": (OF_IMAGES, (3, 8, 12)),
}
RECOMPUTING = ("simvq", "vqgan")


def build(name: str, **options: Any) -> Autoencoder:
    tiny, shape = TINY[name]
    torch.manual_seed(0)
    return models.create(name, {**tiny, **options}, item_shape=shape)


def items(name: str) -> torch.Tensor:
    return torch.randn(2, *TINY[name][1], generator=torch.Generator().manual_seed(1)) / 3


def gradients(model: Autoencoder, name: str) -> dict[str, torch.Tensor]:
    model.decode(model.encode(items(name))).square().mean().backward()
    found = {label: parameter.grad for label, parameter in model.named_parameters()}
    assert all(gradient is not None for gradient in found.values()), [k for k, v in found.items() if v is None]
    return {label: gradient for label, gradient in found.items() if gradient is not None}


def test_every_model_is_here() -> None:
    assert set(models.available()) == set(TINY)


@pytest.mark.parametrize("name", TINY)
def test_latents_lie_on_the_grid_and_items_come_back(name: str) -> None:
    model = build(name)
    for precise in (True, False):
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=not precise):
            latents = model.encode(items(name))
            assert latents.shape == (2, *model.positions, model.latent_dim)
            assert model.decode(latents).shape == items(name).shape


@pytest.mark.parametrize("name", TINY)
def test_a_seed_gives_the_same_weights_whose_options_the_key_names(name: str) -> None:
    named = models.identity(name, TINY[name][0])
    first, again = build(name).state_dict(), build(name, **named).state_dict()
    assert first.keys() == again.keys()
    assert all(torch.equal(value, again[key]) for key, value in first.items())


@pytest.mark.parametrize("name", sorted(TINY.keys() - {"identity"}))
def test_every_weight_has_a_gradient(name: str) -> None:
    gradients(build(name), name)


@pytest.mark.parametrize("name", RECOMPUTING)
def test_what_is_computed_anew_has_the_same_gradients(name: str) -> None:
    kept, anew = (gradients(build(name, recompute=recompute), name) for recompute in (False, True))
    assert all(torch.equal(gradient, anew[label]) for label, gradient in kept.items())


def test_pixels_that_are_doubled_leave_no_chequers() -> None:
    """With all its weights equal such a decoder gives all pixels away from the edges the same value."""
    model = build("conv", upsampling="nearest")
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.fill_(0.1)
        inner = model.decode(torch.ones(1, 8, 8, 5))[..., 14:18, 14:18]
    assert inner.shape == (1, 3, 4, 4)
    torch.testing.assert_close(inner, inner.mean().expand_as(inner))
    assert models.identity("conv", {"upsampling": "transposed"}) == models.identity("conv", {})
    assert "upsampling" not in models.identity("conv", {})
    with pytest.raises(UsageError, match="upsampling"):
        models.identity("conv", {"upsampling": "bilinear"})


def test_rectified_blocks_add_to_what_relu_makes_of_their_input() -> None:
    block = Residual(3, 2, rectified=True)
    features = torch.randn(2, 3, 4, 4, generator=torch.Generator().manual_seed(0))
    rectified = features.relu()
    torch.testing.assert_close(block(features.clone()), rectified + block.block[1:](rectified))
    gradients(build("conv", residual="rectified"), "conv")
    at_paper_size = models.create("conv", {"residual": "rectified"}, item_shape=(1, 28, 28))
    assert sum(parameter.numel() for parameter in at_paper_size.parameters()) == 658_625
    assert "residual" not in models.identity("conv", {"residual": "plain"})
    with pytest.raises(UsageError, match="residual"):
        models.identity("conv", {"residual": "biased"})


@pytest.mark.parametrize(("convolutions", "shape", "weights"), [(2, (1, 28, 28), 232_193), (3, (3, 32, 32), 308_483)])
def test_sq_vaes_networks_have_as_many_weights_as_the_authors(
    convolutions: int, shape: tuple[int, ...], weights: int
) -> None:
    model = models.create("sq_vae", {"convolutions": convolutions}, item_shape=shape)
    assert sum(parameter.numel() for parameter in model.parameters()) == weights
    assert model.positions == (shape[1] // 4, shape[2] // 4)
    with pytest.raises(UsageError, match="2 or 3, not 4"):
        models.identity("sq_vae", {"convolutions": 4})
    with pytest.raises(UsageError, match="30x28 images can't be downsampled by 4"):
        models.create("sq_vae", {"convolutions": convolutions}, item_shape=(1, 30, 28))
