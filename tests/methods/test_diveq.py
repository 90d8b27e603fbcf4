"""DiVeQ: nearly the codeword in training, the authors' starts, replacement for a share of the run."""

import math

import pytest
import torch

from methods import UsageError, create
from methods.contract import check_quantizer

K, D, N = 16, 5, 60


def build(**params):
    torch.manual_seed(0)
    quantizer = create("diveq", K, D, **params)
    with torch.no_grad():
        quantizer.codebook.normal_()
    return quantizer


@pytest.mark.parametrize("params", [{"noise": 0.0, "init": "normal", "replace_every": 1}, {"init": "kmeans"}])
def test_options_keep_the_contract(params) -> None:
    assert [result for result in check_quantizer("diveq", params=params) if not result.passed] == []


def test_without_noise_is_the_codeword_and_its_noise_is_small() -> None:
    latents = torch.randn(N, D, generator=torch.Generator().manual_seed(1))
    exact, disturbed = build(noise=0.0), build(noise=1e-3)
    codeword = exact.codebook[exact.encode(latents).squeeze(-1)]
    torch.testing.assert_close(exact(latents).latents, codeword)
    gap = (disturbed(latents).latents - codeword).square().mean().sqrt().item()
    assert abs(gap - 1e-3 * math.sqrt((D - 1) / D)) < 1e-4, "a step of 1e-3 in the D - 1 tangential directions"


def test_evaluation_is_not_counted() -> None:
    quantizer = build().eval()
    quantizer(torch.randn(N, D))
    assert quantizer.activity.steps == 0
    assert not quantizer.activity.steps_used.any()


@pytest.mark.parametrize(
    ("share", "expected"), [(0.9, [9, 19, 29, 39]), (1.0, [9, 19, 29, 39, 49]), (0.5, [9, 19]), (0.0, [])]
)
def test_replacement_goes_on_for_a_share_of_the_run(share, expected) -> None:
    quantizer, latents = build(replace_every=10, replace_share=share), torch.zeros(1, D)
    changed_at = []
    for step in range(50):
        with torch.no_grad():
            quantizer.codebook[0] = 0.0
            quantizer.codebook[1:] = 1.0
        before = quantizer.codebook.detach().clone()
        quantizer.anneal(step, 50)
        quantizer(latents)
        quantizer.after_step()
        if not torch.equal(quantizer.codebook, before):
            changed_at.append(step)
    assert changed_at == expected


def test_starts_are_those_of_the_authors() -> None:
    torch.manual_seed(0)
    uniform = create("diveq", 64, 500).codebook
    assert 0 <= uniform.min() < 1e-4
    assert 0.0155 < uniform.max() <= 1 / 64
    assert abs(create("diveq", 64, 500, init="normal").codebook.std().item() * 64 - 1) < 0.02


def test_parameters_out_of_range_are_refused() -> None:
    with pytest.raises(UsageError, match="threshold must be between 0 and 1"):
        create("diveq", 8, 2, threshold=1.5)
    with pytest.raises(UsageError, match="noise must be at least 0"):
        create("diveq", 8, 2, noise=-1.0)
