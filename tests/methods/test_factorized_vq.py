"""Factorised VQ: unit vectors, cosine search, losses and gradients in closed form."""

import pytest
import torch
from torch.nn.functional import normalize

from methods import UsageError, create

K, D = 20, 6


def build(code_dim=D, **params):
    """A quantizer whose projections are the identity where the dimensions allow."""
    torch.manual_seed(0)
    quantizer = create("factorized_vq", K, D, code_dim=code_dim, **params)
    if code_dim == D:
        with torch.no_grad():
            for projection in (quantizer.project_in, quantizer.project_out):
                projection.weight.copy_(torch.eye(D))
                projection.bias.zero_()
    return quantizer


def draw(*shape) -> torch.Tensor:
    return 3 * torch.randn(*shape, D, generator=torch.Generator().manual_seed(1))


def test_output_is_a_unit_codeword():
    quantizer = build().eval()
    result = quantizer(draw(4, 5))
    assert torch.allclose(result.latents.norm(dim=-1), torch.ones(4, 5))
    rows = quantizer.codebook / quantizer.codebook.norm(dim=1, keepdim=True)
    assert torch.allclose(result.latents, rows[result.codes.squeeze(-1)])


def test_highest_cosine_is_the_nearest_unit_vector_in_float64():
    quantizer, latents = build(), draw(200)
    rows, words = latents.double(), quantizer.codebook.detach().double()
    cosine = (rows @ words.T) / rows.norm(dim=1)[:, None] / words.norm(dim=1)
    distance = torch.cdist(rows / rows.norm(dim=1)[:, None], words / words.norm(dim=1)[:, None])
    found = quantizer.encode(latents).squeeze(-1)
    assert torch.equal(found, cosine.argmax(1))
    assert torch.equal(found, distance.argmin(1))


def test_lengths_of_latents_and_codewords_do_not_matter():
    quantizer, latents = build(), draw(50)
    before = quantizer.encode(latents)
    with torch.no_grad():
        quantizer.codebook *= torch.linspace(0.01, 100, K)[:, None]
    assert torch.equal(quantizer.encode(latents * torch.linspace(0.01, 100, 50)[:, None]), before)


def test_loss_and_gradients():
    quantizer = build(beta=0.5)
    latents = draw(30).requires_grad_()
    result = quantizer(latents)
    z, e = latents.detach(), quantizer.codebook.detach()
    unit, word = normalize(z, dim=1), normalize(e, dim=1)[result.codes.squeeze(-1)]
    error = (word - unit).square().mean()
    assert float(result.loss.detach()) == pytest.approx(1.5 * float(error), rel=1e-5)
    assert float(result.log["commitment"]) == pytest.approx(float(error), rel=1e-5)
    result.loss.backward()
    # d unit / d z = (I - unit unitᵀ) / |z|; the same for each codeword, summed over its latents.
    pull = 0.5 * 2 * (unit - word) / unit.numel()
    expected = (pull - (pull * unit).sum(1, keepdim=True) * unit) / z.norm(dim=1, keepdim=True)
    assert torch.allclose(latents.grad, expected, atol=1e-8)
    pull = torch.zeros_like(e).index_add_(0, result.codes.squeeze(-1), 2 * (word - unit) / unit.numel())
    direction = normalize(e, dim=1)
    expected = (pull - (pull * direction).sum(1, keepdim=True) * direction) / e.norm(dim=1, keepdim=True)
    assert torch.allclose(quantizer.codebook.grad, expected, atol=1e-8)
    unused = torch.ones(K, dtype=torch.bool)
    unused[result.codes.squeeze(-1)] = False
    assert unused.any()
    assert not quantizer.codebook.grad[unused].any()


def test_gradient_of_the_output_passes_straight_through_behind_the_normalisation():
    quantizer = build(beta=0.0)
    latents, direction = draw(30).requires_grad_(), torch.randn(30, D)
    (found,) = torch.autograd.grad(quantizer(latents).latents, latents, direction)
    norm = latents.detach().norm(dim=1, keepdim=True)
    unit = latents.detach() / norm
    assert torch.allclose(found, (direction - (direction * unit).sum(1, keepdim=True) * unit) / norm, atol=1e-6)


def test_codes_live_in_the_inner_dimensions():
    quantizer = build(code_dim=2)
    assert quantizer.codebook.shape == (K, 2)
    (codewords,) = quantizer.codewords()
    assert codewords.shape == (K, D)
    assert torch.linalg.matrix_rank(codewords - codewords.mean(0)) == 2


def test_bad_parameters():
    with pytest.raises(UsageError, match="code_dim must be at least 1"):
        build(code_dim=0)
