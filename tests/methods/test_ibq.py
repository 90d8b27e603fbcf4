"""IBQ: largest dot product, and the hand-derived gradients against automatic ones of the formulas in float64."""

import pytest
import torch
from torch import Tensor

from methods import create
from methods.ibq import IndexBackpropagation

N, K, D = 30, 12, 4


def build(**params):
    torch.manual_seed(0)
    return create("ibq", K, D, **params)


def draw(seed=1) -> Tensor:
    return torch.randn(N, D, generator=torch.Generator().manual_seed(seed))


def in_words_of_the_paper(latents: Tensor, codebook: Tensor, beta: float, weight: float, temperature: float):
    """Output and loss of IBQ, everything kept, differentiated automatically."""
    logits = latents @ codebook.T
    soft = logits.softmax(1)
    hard = torch.nn.functional.one_hot(logits.argmax(1), len(codebook)).to(soft)
    index = hard - soft.detach() + soft
    output, chosen = index @ codebook, hard @ codebook
    loss = (output - latents).square().mean() + (chosen.detach() - latents).square().mean()
    loss = loss + beta * (chosen - latents.detach()).square().mean()
    sharp = (logits / temperature).softmax(1)
    mean = sharp.mean(0)
    sample, whole = -(sharp * sharp.log()).sum(1).mean(), -(mean * (mean + 1e-5).log()).sum()
    return output, loss + weight * (sample - whole), index


@pytest.mark.parametrize("elements", [1, 5 * K, 1 << 20])
def test_output_loss_and_gradients(monkeypatch, elements):
    monkeypatch.setattr("methods.parts.recompute._CHUNK_ELEMENTS", elements)
    quantizer = build(beta=0.3, entropy_weight=0.7, temperature=0.5)
    latents, direction = draw().requires_grad_(), draw(2)
    result = quantizer(latents)
    ((result.latents * direction).sum() + result.loss).backward()
    z = latents.detach().double().requires_grad_()
    e = quantizer.codebook.detach().double().requires_grad_()
    output, loss, index = in_words_of_the_paper(z, e, 0.3, 0.7, 0.5)
    ((output * direction.double()).sum() + loss).backward()
    assert torch.allclose(index.sum(1), torch.ones(N, dtype=torch.float64))
    assert torch.allclose(result.latents.double(), output, atol=1e-6)
    assert float(result.loss.detach()) == pytest.approx(float(loss.detach()), rel=1e-5)
    assert torch.allclose(latents.grad.double(), z.grad, atol=1e-5)
    assert torch.allclose(quantizer.codebook.grad.double(), e.grad, atol=1e-5)


def test_gradients_by_finite_differences():
    inputs = [tensor.double().requires_grad_() for tensor in (draw()[:5], draw(3)[:6])]

    def entropy_terms(latents, codebook):
        _, _, entropies, total = IndexBackpropagation.apply(latents, codebook, 0.8)
        return entropies, total

    assert torch.autograd.gradcheck(entropy_terms, inputs)


def test_output_is_the_codeword_of_the_largest_dot_product_bit_for_bit():
    quantizer, latents = build(), draw()
    expected = (latents.double() @ quantizer.codebook.detach().double().T).argmax(1)
    for mode in (True, False):
        result = quantizer.train(mode)(latents)
        assert torch.equal(result.codes.squeeze(-1), expected)
        assert torch.equal(result.latents, quantizer.codebook[expected])


def test_largest_dot_product_is_the_nearest_only_among_codewords_of_equal_norm():
    quantizer, latents = build(), draw()

    def nearest() -> Tensor:
        return torch.cdist(latents.double(), quantizer.codebook.detach().double()).argmin(1)

    assert 0.1 < float((quantizer.encode(latents).squeeze(-1) == nearest()).float().mean()) < 0.9
    with torch.no_grad():
        quantizer.codebook /= quantizer.codebook.norm(dim=1, keepdim=True)
    assert torch.equal(quantizer.encode(latents).squeeze(-1), nearest())


def test_every_codeword_gets_gradient_chosen_or_not():
    quantizer = build(entropy_weight=0.0)
    result = quantizer(draw()[:3])
    (result.latents * draw(2)[:3]).sum().backward()
    assert len(result.codes.unique()) < K
    assert bool((quantizer.codebook.grad.abs().sum(1) > 1e-6).all())


def test_latents_far_out_stay_finite():
    quantizer, latents = build(), (1e4 * draw()).requires_grad_()
    result = quantizer(latents)
    (result.loss + result.latents.sum()).backward()
    assert bool(result.loss.isfinite())
    assert bool(latents.grad.isfinite().all())
    assert bool(quantizer.codebook.grad.isfinite().all())
