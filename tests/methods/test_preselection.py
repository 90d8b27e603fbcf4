"""Nearest candidates against a sort of all distances."""

import torch

import methods.preselection as preselection
from methods.preselection import nearest_candidates


def test_candidates_are_the_head_of_a_full_sort(monkeypatch) -> None:
    torch.manual_seed(0)
    latents, codewords = torch.randn(50, 4), torch.randn(30, 4)
    distances = (latents[:, None].double() - codewords.double()).square().sum(2)
    expected = distances.argsort(1)[:, :7]
    assert torch.equal(nearest_candidates(latents, codewords, 7), expected)
    monkeypatch.setattr(preselection, "_CHUNK_ELEMENTS", 100)
    assert torch.equal(nearest_candidates(latents, codewords, 7), expected)
