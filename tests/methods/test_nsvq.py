"""NSVQ: isotropic noise, the authors' starts, and the last tenth without replacement."""

import pytest
import torch

from methods import UsageError, create
from methods.contract import check_quantizer

K, D, N = 16, 5, 60


def build(**params):
    torch.manual_seed(0)
    quantizer = create("nsvq", K, D, **params)
    with torch.no_grad():
        quantizer.codebook.normal_()
    return quantizer


@pytest.mark.parametrize("params", [{"init": "kmeans", "replace_every": 1}, {"init": "uniform"}])
def test_options_keep_the_contract(params) -> None:
    assert [result for result in check_quantizer("nsvq", params=params) if not result.passed] == []


def test_nsvq_noise_is_isotropic() -> None:
    quantizer = build()
    latents = torch.zeros(40_000, D)
    result = quantizer(latents)
    length = quantizer.codebook[result.codes[0, 0]].norm()
    covariance = result.latents.detach().T.cov() / length**2
    torch.testing.assert_close(covariance, torch.eye(D) / D, atol=0.01, rtol=0)


def test_nothing_is_replaced_in_the_last_tenth() -> None:
    quantizer, latents = build(replace_every=10), torch.zeros(1, D)
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
    assert changed_at == [9, 19, 29, 39]


def test_replacement_ends_where_the_authors_example_ends_it() -> None:
    quantizer, allowed = create("nsvq", K, D, replace_every=1000), []
    for step in range(999, 20_000, 1000):
        quantizer.anneal(step, 20_000)
        allowed.append(quantizer.activity.replacing)
    assert allowed == [step <= 20_000 - 2 * 1000 for step in range(999, 20_000, 1000)]


def test_starts_are_those_of_the_authors() -> None:
    torch.manual_seed(0)
    assert abs(create("nsvq", 64, 500).codebook.std().item() - 1) < 0.02
    uniform = create("nsvq", 64, 500, init="uniform").codebook
    assert -1 / 64 <= uniform.min() < -0.015
    assert 0.015 < uniform.max() <= 1 / 64


def test_parameters_out_of_range_are_refused() -> None:
    with pytest.raises(UsageError, match="init must be one of"):
        create("nsvq", 8, 2, init="zeros")
    with pytest.raises(UsageError, match="replace_share must be between 0 and 1, not 1.1"):
        create("nsvq", 8, 2, replace_share=1.1)
