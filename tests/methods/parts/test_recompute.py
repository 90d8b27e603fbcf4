"""Functions in chunks: the values, gradients and draws of one piece, without its inner tensors."""

import pytest
import torch

from methods.parts.recompute import by_chunks

CODEBOOK = torch.randn(5, 3, generator=torch.Generator().manual_seed(0), requires_grad=True)


def soft_assignment(rows: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    weights = (rows @ CODEBOOK.T).softmax(1)
    return weights @ CODEBOOK, (weights * weights.log()).sum(1)


@pytest.mark.parametrize("elements", [5, 40, 1000])
def test_chunks_change_neither_values_nor_gradients(elements, monkeypatch) -> None:
    monkeypatch.setattr("methods.parts.recompute._CHUNK_ELEMENTS", elements)
    found = []
    for run in (lambda rows: by_chunks(soft_assignment, rows, width=5), soft_assignment):
        rows = torch.randn(11, 3, generator=torch.Generator().manual_seed(1)).requires_grad_()
        mixtures, entropies = run(rows)
        loss = mixtures.square().sum() + entropies.sum()
        found.append([mixtures, entropies, *torch.autograd.grad(loss, (rows, CODEBOOK))])
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other)


def test_the_backward_pass_draws_what_the_forward_pass_drew(monkeypatch) -> None:
    monkeypatch.setattr("methods.parts.recompute._CHUNK_ELEMENTS", 4)
    torch.manual_seed(0)
    rows = torch.ones(10, 2, requires_grad=True)
    (noisy,) = by_chunks(lambda part: (part * torch.rand(part.shape),), rows, width=2)
    torch.rand(3)
    before = torch.get_rng_state()
    noisy.sum().backward()
    torch.testing.assert_close(rows.grad, noisy.detach())
    assert torch.equal(torch.get_rng_state(), before)
