"""TransVQ: linear attention written out, every codeword moves, C stays."""

import pytest
import torch

from methods import UsageError, create
from methods.trans_vq import LinearAttention

K, D = 12, 3


def build(**params):
    torch.manual_seed(0)
    return create("trans_vq", K, D, width=8, **params).train()


def draw(count: int) -> torch.Tensor:
    return torch.randn(count, D, generator=torch.Generator().manual_seed(1))


def test_linear_attention_is_attention_with_a_product_of_features() -> None:
    attention, tokens = LinearAttention(8, 2).double(), torch.randn(5, 8, dtype=torch.float64)
    query, key, value = (
        linear(tokens).detach().reshape(5, 2, 4) for linear in (attention.query, attention.key, attention.value)
    )
    phi = lambda x: torch.where(x > 0, x + 1, x.exp())  # noqa: E731
    rows = []
    for token in range(5):
        heads = []
        for head in range(2):
            weights = phi(query[token, head]) @ phi(key[:, head]).T
            heads.append(weights @ value[:, head] / (weights.sum() + 1e-6))
        rows.append(torch.cat(heads))
    torch.testing.assert_close(attention(tokens), torch.stack(rows) @ attention.out.weight.T)


def test_one_step_moves_every_codeword_and_leaves_c() -> None:
    quantizer, latents = build(), draw(1).expand(6, D)
    before, rows = quantizer.codewords()[0].detach(), quantizer.unmapped_codewords().clone()
    result = quantizer(latents)
    assert len(result.codes.unique()) == 1
    result.loss.backward()
    torch.optim.SGD(quantizer.parameters(), lr=0.1).step()
    assert ((quantizer.codewords()[0] - before).norm(dim=1) > 1e-4).all()
    assert torch.equal(quantizer.unmapped_codewords(), rows)


def test_a_codeword_depends_on_all_rows_and_on_its_place() -> None:
    quantizer = build()
    before = quantizer.codewords()[0].detach()
    quantizer.codebook[3] += 5
    assert ((quantizer.codewords()[0] - before).norm(dim=1) > 1e-6).all()
    quantizer.codebook[:] = quantizer.codebook[0].clone()
    assert len(quantizer.codewords()[0].unique(dim=0)) == K


def test_loss_and_gradient_of_the_latents() -> None:
    quantizer, latents = build(beta=0.5), draw(7).requires_grad_()
    result = quantizer(latents)
    error = (quantizer.codewords()[0][result.codes[:, 0]] - latents).detach()
    assert result.loss.item() == pytest.approx(1.5 * error.square().mean().item(), rel=1e-5)
    (gradient,) = torch.autograd.grad(result.loss, latents)
    torch.testing.assert_close(gradient, -0.5 * 2 * error / (7 * D))


def test_heads_that_do_not_divide_the_width_are_refused() -> None:
    with pytest.raises(UsageError, match="width must be a multiple of heads, and 8 is none of 3"):
        build(heads=3)
