"""SC-VAE: soft threshold, limits of the sparse code, the unrolled ISTA by hand, the cosine start."""

import math

import pytest
import torch
from torch.nn.functional import softshrink

from methods import create
from methods.contract import check_quantizer
from methods.sc_vae import overcomplete_dct, soft_threshold

K, D = 24, 9


def build(**params):
    torch.manual_seed(0)
    return create("sc_vae", K, D, **params)


@pytest.mark.parametrize("params", [{"beta": 1.0, "iterations": 0}])
def test_options_keep_the_contract(params) -> None:
    assert [result for result in check_quantizer("sc_vae", params=params) if not result.passed] == []


def test_soft_threshold_is_torchs_softshrink() -> None:
    values = torch.randn(1000, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(soft_threshold(values, torch.tensor(0.3)), softshrink(values, 0.3))
    assert torch.equal(soft_threshold(values, torch.tensor(0.0)), values)
    assert not soft_threshold(values, torch.tensor(10.0)).any()


def test_iterations_are_those_of_ista_with_the_matrix_written_out() -> None:
    quantizer, rows = build(beta=0.2, iterations=3), torch.randn(7, D)
    dictionary, c = quantizer.dictionary.detach().double(), quantizer.c.item()
    products = rows.double() @ dictionary
    code = softshrink(products, 0.2 / c)
    for _ in range(3):
        code = softshrink(code @ (torch.eye(K) - dictionary.T @ dictionary / c) + products / c, 0.2 / c)
    torch.testing.assert_close(quantizer.sparse_code(rows).double(), code, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(quantizer(rows).latents.double(), code @ dictionary.T, atol=1e-5, rtol=1e-5)


def test_many_iterations_solve_the_lasso() -> None:
    quantizer, rows = build(beta=0.3, iterations=3000), torch.randn(5, D)
    dictionary = quantizer.dictionary.detach()
    code = quantizer.sparse_code(rows).detach()
    slope = (rows - code @ dictionary.T) @ dictionary
    active = code != 0
    torch.testing.assert_close(slope[active], 0.3 * code[active].sign(), atol=1e-3, rtol=0)
    assert slope[~active].abs().max() <= 0.3 + 1e-3


def test_without_penalty_it_approaches_the_projection_on_the_atoms() -> None:
    torch.manual_seed(0)
    quantizer, rows = create("sc_vae", 4, D, beta=0.0, iterations=2000), torch.randn(6, D)
    dictionary = quantizer.dictionary.detach()
    projection = rows @ dictionary @ torch.linalg.pinv(dictionary.T @ dictionary) @ dictionary.T
    torch.testing.assert_close(quantizer(rows).latents, projection, atol=1e-3, rtol=0)


def test_sparsity_grows_with_beta_up_to_all_zeros() -> None:
    rows, found = torch.randn(50, D, generator=torch.Generator().manual_seed(1)), []
    for beta in (0.01, 0.3, 3.0, 1e4):
        result = build(beta=beta)(rows)
        found.append(result.log["sparsity"].item())
    assert found == sorted(found)
    assert found[0] < 0.5
    assert found[-1] == 1.0
    assert not result.latents.any()


def test_hoyers_sparsity_in_closed_form() -> None:
    quantizer, rows = build(), torch.randn(30, D)
    code = quantizer.sparse_code(rows).detach()
    root = math.sqrt(code.numel())
    expected = (root - code.abs().sum().item() / code.norm().item()) / (root - 1)
    assert quantizer(rows).log["hoyer"].item() == pytest.approx(expected, rel=1e-4)


def test_loss_is_the_mean_squared_error_over_positions_and_dimension() -> None:
    quantizer, latents = build(latent_weight=5.0), torch.randn(4, 2, 3, D)
    result = quantizer(latents)
    assert result.codes is None
    torch.testing.assert_close(result.loss, 5 * (latents - result.latents).square().mean() / (6 * D))


@pytest.mark.parametrize(("dim", "atoms"), [(9, 16), (9, 20), (8, 30), (1, 3), (4, 1), (64, 50)])
def test_start_has_unit_norm_atoms_and_its_largest_singular_value_squared(dim, atoms) -> None:
    dictionary = overcomplete_dct(dim, atoms)
    assert dictionary.shape == (dim, atoms)
    torch.testing.assert_close(dictionary.norm(dim=0), torch.ones(atoms))
    largest = torch.linalg.svdvals(dictionary.double())[0].square()
    torch.testing.assert_close(create("sc_vae", atoms, dim).c.double(), largest, atol=1e-4, rtol=1e-5)


def test_start_in_two_dimensions_is_the_product_of_cosines() -> None:
    dictionary = overcomplete_dct(9, 16).reshape(3, 3, 4, 4)
    wave = torch.tensor([math.cos(math.pi * n * 2 / 4) for n in range(3)])
    wave = (wave - wave.mean()) / (wave - wave.mean()).norm()
    torch.testing.assert_close(dictionary[:, :, 2, 0], wave[:, None].expand(3, 3) / math.sqrt(3))
