"""FVQ: the start at zero, what moves in a step, the bridge against a plain transformer, and export without it."""

import pytest
import torch
from torch import nn

from methods import UsageError, create
from methods.contract import check_quantizer
from methods.fvq import Block

K, D = 64, 3


def build(*, bent: bool = False, **params):
    """A quantizer, with its last layer moved off zero if ``bent``."""
    torch.manual_seed(0)
    quantizer = create("fvq", K, D, width=16, **params)
    if bent:
        with torch.no_grad():
            quantizer.codebook.normal_()
            quantizer.bridge.out.weight.normal_(std=0.3)
    return quantizer


@pytest.mark.parametrize("params", [{"patch": 2, "depth": 0}])
def test_options_keep_the_contract(params) -> None:
    assert [result for result in check_quantizer("fvq", params=params) if not result.passed] == []


def test_all_codewords_start_at_zero_and_every_latent_takes_code_zero() -> None:
    quantizer = build()
    assert not quantizer.codewords()[0].any()
    assert quantizer.codebook.abs().max() <= 1 / K
    assert not quantizer(torch.randn(50, D)).codes.any()


def test_one_step_moves_the_codewords_no_latent_chose() -> None:
    quantizer, latents = build(bent=True), torch.randn(5, D)
    before = quantizer.codewords()[0].detach().clone()
    used = quantizer.encode(latents).unique()
    quantizer(latents).loss.backward()
    assert quantizer.codebook.grad.any(1).all(), "attention carries the gradient to every raw codeword"
    torch.optim.SGD(quantizer.parameters(), 0.1).step()
    moved = (quantizer.codewords()[0] - before).abs().amax(1)
    assert len(used) <= 5
    assert (moved > 1e-4).all()


def test_patches_are_squares_of_the_codebook_image() -> None:
    quantizer = build(patch=4, depth=0, bent=True)
    before = quantizer.codewords()[0].detach().clone()
    with torch.no_grad():
        quantizer.codebook[8 * 1 + 6] += 5.0
    changed = (quantizer.codewords()[0] != before).any(1).reshape(8, 8)
    expected = torch.zeros(8, 8, dtype=torch.bool)
    expected[:4, 4:] = True
    assert torch.equal(changed, expected)


def test_block_is_a_pre_norm_transformer_block() -> None:
    torch.manual_seed(0)
    block = Block(16, heads=4)
    reference = nn.TransformerEncoderLayer(
        16, 4, dim_feedforward=32, dropout=0.0, activation=nn.GELU("tanh"), norm_first=True, layer_norm_eps=1e-6
    )
    state = reference.state_dict()
    state |= {
        "self_attn.in_proj_weight": block.qkv.weight,
        "self_attn.in_proj_bias": block.qkv.bias,
        "self_attn.out_proj.weight": block.project.weight,
        "self_attn.out_proj.bias": block.project.bias,
        "linear1.weight": block.mlp[0].weight,
        "linear1.bias": block.mlp[0].bias,
        "linear2.weight": block.mlp[2].weight,
        "linear2.bias": block.mlp[2].bias,
    }
    reference.load_state_dict(state)
    tokens = torch.randn(9, 16)
    torch.testing.assert_close(block(tokens), reference(tokens[:, None])[:, 0], atol=1e-5, rtol=1e-5)


def test_the_bridge_can_be_dropped() -> None:
    quantizer, latents = build(bent=True).eval(), torch.randn(200, D)
    plain = create("vq_vae", K, D)
    with torch.no_grad():
        plain.codebook.copy_(quantizer.codewords()[0])
    bridged, exported = quantizer(latents), plain.eval()(latents)
    assert torch.equal(bridged.codes, exported.codes)
    assert torch.equal(bridged.latents, exported.latents)


def test_sizes_are_squares_of_a_multiple_of_the_patch() -> None:
    assert create("fvq", 262_144, 1, width=4).level_sizes == (262_144,)
    for size in (60, 36, 128):
        with pytest.raises(UsageError, match="such as"):
            create("fvq", size, D)
    assert create("fvq", 36, 2, patch=3, width=4).level_sizes == (36,)
