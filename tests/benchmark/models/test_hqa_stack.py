"""HQA's stack: sizes as published, pixels in and out as they were, sides that can't be halved told in a sentence."""

from typing import Any

import pytest
import torch

from benchmark.models import Stack, models
from methods.core.usage import UsageError


def build(shape: tuple[int, ...] = (1, 28, 28), **options: Any) -> Stack:
    built = models.create("hqa_stack", options, item_shape=shape)
    assert isinstance(built, Stack)
    return built


def test_five_layers_take_28_pixels_to_one_position_by_the_published_sizes() -> None:
    stack = build(border=2)
    assert [layer.positions for layer in stack.each] == [(16, 16), (8, 8), (4, 4), (2, 2), (1, 1)]
    assert [layer.item_shape for layer in stack.each[:2]] == [(1, 32, 32), (64, 16, 16)]
    weights = [sum(parameter.numel() for parameter in layer.parameters()) for layer in stack.each]
    assert weights[0] == (72 + 8) + (1152 + 16) + (1024 + 64) + (9216 + 16) + (1152 + 8) + (72 + 1)


def test_pixels_enter_between_0_and_1_and_leave_as_they_were() -> None:
    stack, images = build((3, 4, 4), layers=1, border=2), 2 * torch.rand(2, 3, 4, 4) - 1
    inside = stack.enter(images)
    assert inside.shape == (2, 3, 8, 8)
    assert float(inside.min()) == float(inside[..., 0, 0].max()) == 0.0
    torch.testing.assert_close(stack.leave(inside), images)
    assert float(stack.decode(stack.encode(images)).detach().abs().max()) <= 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"layers": 40, "encoder_widths": [16] * 40, "decoder_widths": [16] * 40}, "halved 40 times, once a layer$"),
        ({"layers": 3}, r"28x28 pixels, .* can't be halved 3 times, once a layer; with a border of 2 they can"),
        ({"layers": 5, "border": 1}, r"30x30 pixels, a border of 1 included, .* with a border of 2 they can"),
    ],
)
def test_sides_that_cannot_be_halved_so_often_are_one_sentence(options: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        build(**options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"layers": 6}, "6 layers need as many encoder_widths, and there are 5"),
        ({"layers": 0}, "layers must be a whole number from 1 to 256"),
        ({"decoder_widths": 16}, "decoder_widths must be a list of whole numbers, one a layer, not 16"),
        ({"encoder_widths": [1, 2, 2, 2, 2]}, "one of the encoder_widths must be a whole number from 2 to 65536"),
    ],
)
def test_options_that_do_not_fit_are_one_sentence(options: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        models.identity("hqa_stack", options)


def test_widths_of_layers_that_are_not_built_are_not_in_the_key() -> None:
    named = models.identity("hqa_stack", {"layers": 2})
    assert (named["encoder_widths"], named["decoder_widths"]) == ([16, 16], [16, 64])
