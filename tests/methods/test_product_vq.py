"""Product quantization: the whole is the search over all concatenations; groups over residual levels; bad groups."""

import pytest
import torch

from methods import UsageError, create
from methods.contract import check_quantizer
from methods.parts.codebook import vq_loss

D = 6


def build(codebook_size: int = 64, dim: int = D, **params):
    torch.manual_seed(0)
    return create("product_vq", codebook_size, dim, **params).train()


def draw(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, D, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize(
    "params",
    [
        {"groups": 4, "level": "codebook_reset"},
        {"level": "residual_vq", "level_params": {"depth": 3}},
        {"level": "simvq"},
    ],
)
def test_groups_of_many_kinds_keep_the_contract(params) -> None:
    assert [result for result in check_quantizer("product_vq", params=params) if not result.passed] == []


def test_is_the_search_over_all_concatenations() -> None:
    quantizer = build(level_params={"init": "normal", "beta": 0.5})
    first, second = (level.codebook for level in quantizer.levels)
    whole = torch.cat([first.repeat_interleave(8, 0), second.repeat(8, 1)], dim=1)
    latents = draw(50).requires_grad_()
    result = quantizer(latents)
    joint = 8 * result.codes[:, 0] + result.codes[:, 1]
    assert torch.equal(joint, (latents[:, None] - whole).square().sum(2).argmin(1))
    assert torch.equal(quantizer.decode(result.codes), whole[joint])
    loss, _ = vq_loss(latents, whole[joint], 0.5)
    torch.testing.assert_close(result.loss, loss)
    expected = torch.autograd.grad(loss, [first, second, latents])
    found = torch.autograd.grad(result.loss, [first, second, latents])
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other)


def test_codes_stand_group_after_group_and_codewords_add_up() -> None:
    quantizer = build(level="residual_vq", level_params={"depth": 3})
    assert quantizer.level_sizes == (2, 2, 2, 2, 2, 2)
    quantizer.initialise(iter([draw(4, 5)] * 3))
    result = quantizer.eval()(draw(4, 5))
    rows = [rows[result.codes[..., level]] for level, rows in enumerate(quantizer.codewords())]
    torch.testing.assert_close(sum(rows), result.latents)
    assert not quantizer.codewords()[0][:, D // 2 :].any()
    assert not quantizer.codewords()[3][:, : D // 2].any()


def test_each_group_starts_from_its_own_channels() -> None:
    quantizer = build(level_params={"init": "latents"})
    latents = draw(40)
    quantizer.initialise(iter([latents]))
    for group, level in enumerate(quantizer.levels):
        own = latents[:, 3 * group : 3 * group + 3].tolist()
        assert all(row in own for row in level.codebook.tolist())


def test_uneven_sizes_are_powers_of_two() -> None:
    assert build(128).level_sizes == (16, 8)


def test_what_was_typed_wrong_is_said() -> None:
    with pytest.raises(UsageError, match="4 groups do not divide a latent dimension of 6; these do: 1, 2, 3, 6"):
        build(256, groups=4)
    with pytest.raises(UsageError, match="`no_quantization` can't be a group of product_vq: it has no codes"):
        build(level="no_quantization")
    with pytest.raises(UsageError, match="`ll_vq_vae` can't be a group of product_vq: its codes have no bound"):
        build(level="ll_vq_vae")
    with pytest.raises(UsageError, match="`sq_vae` can't be a group of product_vq: its loss and that of the recon"):
        build(level="sq_vae")
    with pytest.raises(UsageError, match="groups must be a whole number of at least 1, not 0"):
        build(groups=0)
    with pytest.raises(UsageError, match="60 codes can't be split over 2 groups"):
        build(60)
