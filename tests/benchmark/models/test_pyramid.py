"""The two families of image autoencoders: sizes, downsampling, attention, the authors' names, what can't be built."""

from typing import Any

import pytest
import torch

from benchmark.models import models
from benchmark.models.parts.pyramid import ImageAutoencoder
from benchmark.models.simvq import DepthToSpace
from methods.core.usage import UsageError

FAMILIES = ("simvq", "vqgan")


def on_paper(name: str, size: str, side: int, **options: Any) -> ImageAutoencoder:
    """Shapes without numbers."""
    with torch.device("meta"):
        model = models.create(name, {"size": size, **options}, item_shape=(3, side, side))
    assert isinstance(model, ImageAutoencoder)
    return model


@pytest.mark.parametrize(
    ("name", "size", "side", "grid", "dim"),
    [
        ("simvq", "tiny", 32, 8, 64),
        ("simvq", "small", 64, 8, 64),
        ("simvq", "paper", 128, 16, 128),
        ("vqgan", "tiny", 32, 8, 64),
        ("vqgan", "small", 128, 16, 64),
        ("vqgan", "paper", 256, 16, 256),
    ],
)
def test_named_sizes(name: str, size: str, side: int, grid: int, dim: int) -> None:
    model = on_paper(name, size, side)
    assert (model.positions, model.latent_dim) == ((grid, grid), dim)


@pytest.mark.parametrize(("multipliers", "grid"), [([1, 2, 2], 16), ([1, 1, 2, 2], 8), ([1, 1, 1, 2, 2], 4)])
@pytest.mark.parametrize("name", FAMILIES)
def test_as_many_multipliers_as_resolutions(name: str, multipliers: list[int], grid: int) -> None:
    assert on_paper(name, "tiny", 64, multipliers=multipliers).positions == (grid, grid)


def test_a_size_and_its_numbers_are_one_configuration() -> None:
    numbers = {"channels": 16, "multipliers": [1, 2, 4], "blocks": 1, "latent_dim": 64}
    named = models.identity("simvq", {"size": "tiny"})
    assert named == models.identity("simvq", numbers) == {**numbers, "recompute": False}


def test_the_paper_s_sizes_have_the_authors_names_and_shapes() -> None:
    shapes = {name: tuple(value.shape) for name, value in on_paper("simvq", "paper", 128).state_dict().items()}
    assert shapes["encoder.conv_in.weight"] == (128, 3, 3, 3)
    assert shapes["encoder.down.1.block.0.nin_shortcut.weight"] == (256, 128, 1, 1)
    assert shapes["encoder.down.2.downsample.bias"] == (256,)
    assert shapes["encoder.mid_block.1.conv2.weight"] == (512, 512, 3, 3)
    assert shapes["encoder.conv_out.weight"] == (128, 512, 1, 1)
    assert shapes["decoder.up.3.upsample.conv1.weight"] == (2048, 512, 3, 3)
    assert shapes["decoder.conv_out.bias"] == (3,)
    assert not {name for name in shapes if ".block." in name and name.endswith("conv1.bias")}
    shapes = {name: tuple(value.shape) for name, value in on_paper("vqgan", "paper", 256).state_dict().items()}
    assert {name for name in shapes if ".attn." in name and name.endswith("q.weight")} == {
        *(f"encoder.down.4.attn.{block}.q.weight" for block in range(2)),
        *(f"decoder.up.4.attn.{block}.q.weight" for block in range(3)),
    }
    assert shapes["encoder.down.3.downsample.conv.weight"] == (256, 256, 3, 3)
    assert shapes["encoder.mid.attn_1.proj_out.weight"] == (512, 512, 1, 1)
    assert shapes["decoder.up.1.upsample.conv.weight"] == (128, 128, 3, 3)
    assert shapes["post_quant_conv.weight"] == (256, 256, 1, 1)


def test_attention_where_it_is_said() -> None:
    names = on_paper("vqgan", "tiny", 32, attention=[32, 16]).state_dict()
    assert {name.split(".attn.")[0] for name in names if ".down." in name and ".attn." in name} == {
        "encoder.down.0",
        "encoder.down.1",
    }
    assert not [name for name in on_paper("vqgan", "tiny", 32, attention=[]).state_dict() if ".attn." in name]


def test_depth_becomes_space() -> None:
    module = DepthToSpace(2)
    torch.nn.init.zeros_(module.conv1.weight)
    with torch.no_grad():
        module.conv1.bias.copy_(torch.arange(8.0))
        pixels = module(torch.zeros(1, 2, 1, 1))
    assert pixels.tolist() == [[[[0, 2], [4, 6]], [[1, 3], [5, 7]]]]


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("simvq", {"size": "tinny"}, "did you mean `tiny`"),
        ("simvq", {"channels": 6}, "channels must be a multiple of 4, not 6"),
        ("vqgan", {"multipliers": [1]}, "multipliers must be a list of at least two, one a resolution"),
        ("vqgan", {"multipliers": [1, 0]}, "each of the multipliers must be a whole number from 1 to 256"),
        ("vqgan", {"blocks": 0}, "blocks must be a whole number from 1 to 256"),
        ("vqgan", {"attention": 16}, "attention must be a list of resolutions in pixels"),
        ("simvq", {"recompute": 1}, "`recompute` must be true or false, not 1"),
    ],
)
def test_what_is_typed_wrong(name: str, options: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        models.identity(name, options)


@pytest.mark.parametrize("name", FAMILIES)
def test_an_odd_size_is_not_downsampled(name: str) -> None:
    with pytest.raises(UsageError, match="30x30 images can't be downsampled by 4, the factor of 3 multipliers"):
        on_paper(name, "tiny", 30)


def test_attention_at_a_resolution_that_does_not_occur() -> None:
    with pytest.raises(UsageError, match=r"attention at 12 pixels, .* images of 32 pixels have 32, 16, 8"):
        on_paper("vqgan", "tiny", 32, attention=[16, 12])
