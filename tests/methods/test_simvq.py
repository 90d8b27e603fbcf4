"""SimVQ against closed forms: the frozen codebook, gradients of map and bias, and how a step moves every codeword."""

import pytest
import torch

from methods import create

N, K, D = 40, 12, 5


def start(**params):
    torch.manual_seed(0)
    return create("simvq", K, D, **params).train()


def brute_force(quantizer, latents):
    """In fp64: C, the effective codewords and the codes of the latents."""
    c = quantizer.codebook.detach().double()
    linear = quantizer.map[0]
    effective = c @ linear.weight.detach().double().T + linear.bias.detach().double()
    codes = (latents.detach().double()[:, None] - effective).square().sum(2).argmin(1)
    return c, effective, codes


def test_codewords_are_the_mapped_codebook():
    quantizer = start()
    _, effective, _ = brute_force(quantizer, torch.randn(N, D))
    torch.testing.assert_close(quantizer.codewords()[0].double(), effective, rtol=1e-5, atol=1e-6)
    assert not torch.allclose(quantizer.codewords()[0], quantizer.codebook)


def test_decode_looks_up_the_mapped_codebook_and_not_the_frozen_one():
    quantizer, codes = start().eval(), torch.arange(K)[:, None]
    assert torch.equal(quantizer.decode(codes), quantizer.codewords()[0])


def test_gradients_of_map_and_bias_are_the_closed_forms():
    quantizer, latents = start(beta=0.4), torch.randn(N, D, requires_grad=True)
    c, effective, codes = brute_force(quantizer, latents)
    result = quantizer(latents)
    assert torch.equal(result.codes.squeeze(-1), codes)
    result.loss.backward()
    z, q = latents.detach().double(), effective[codes]
    scale = 2 / (N * D)
    torch.testing.assert_close(
        quantizer.map[0].weight.grad.double(), scale * (q - z).T @ c[codes], rtol=1e-4, atol=1e-7
    )
    torch.testing.assert_close(quantizer.map[0].bias.grad.double(), scale * (q - z).sum(0), rtol=1e-4, atol=1e-7)
    torch.testing.assert_close(latents.grad.double(), 0.4 * scale * (z - q), rtol=1e-4, atol=1e-8)
    assert result.loss.item() == pytest.approx(1.4 * (q - z).square().mean().item(), rel=1e-5)
    assert quantizer.codebook.grad is None


def test_decoder_gradient_reaches_neither_map_nor_codebook():
    quantizer, latents, direction = start(train_codebook=True), torch.randn(N, D, requires_grad=True), torch.randn(N, D)
    quantizer(latents).latents.backward(direction)
    assert torch.equal(latents.grad, direction)
    assert all(parameter.grad is None for parameter in quantizer.parameters())


def test_one_step_moves_every_codeword_by_the_step_of_the_map():
    quantizer = start()
    latents = torch.randn(3, D)
    c, before, codes = brute_force(quantizer, latents)
    optimiser = torch.optim.SGD(quantizer.parameter_groups(0.5))
    quantizer(latents).loss.backward()
    step_weight, step_bias = -0.5 * quantizer.map[0].weight.grad.double(), -0.5 * quantizer.map[0].bias.grad.double()
    optimiser.step()
    moved = quantizer.codewords()[0].detach().double() - before
    torch.testing.assert_close(moved, c @ step_weight.T + step_bias, rtol=1e-3, atol=1e-6)
    unchosen = [code for code in range(K) if code not in codes.tolist()]
    assert len(unchosen) >= K - 3
    assert moved[unchosen].norm(dim=1).min() > 1e-3


def test_frozen_codebook_is_bit_identical_after_training_and_saved():
    quantizer = start()
    frozen = quantizer.codebook.detach().clone()
    optimiser = torch.optim.AdamW(quantizer.parameter_groups(1e-2), weight_decay=0.1)
    for step in range(50):
        optimiser.zero_grad()
        quantizer(torch.randn(N, D, generator=torch.Generator().manual_seed(step))).loss.backward()
        optimiser.step()
    assert torch.equal(quantizer.codebook, frozen)
    assert "codebook" in quantizer.state_dict()
    grouped = [id(p) for group in quantizer.parameter_groups(1e-2) for p in group["params"]]
    assert id(quantizer.codebook) not in grouped


def test_training_both_moves_rows_of_the_codebook_only_where_they_are_chosen():
    quantizer, latents = start(train_codebook=True), torch.randn(4, D)
    before = quantizer.codebook.detach().clone()
    result = quantizer(latents)
    result.loss.backward()
    torch.optim.SGD(quantizer.parameter_groups(0.5)).step()
    moved = (quantizer.codebook.detach() != before).any(1).nonzero().flatten().tolist()
    assert moved == sorted(result.codes.unique().tolist())


def test_identity_map_is_vq_vae():
    simvq, vq_vae = start(), create("vq_vae", K, D)
    with torch.no_grad():
        simvq.map[0].weight.copy_(torch.eye(D))
        simvq.map[0].bias.zero_()
        vq_vae.codebook.copy_(simvq.codebook)
    latents = torch.randn(N, D)
    ours, theirs = simvq.eval()(latents), vq_vae.eval()(latents)
    assert torch.equal(ours.codes, theirs.codes)
    torch.testing.assert_close(ours.latents, theirs.latents)
    torch.testing.assert_close(ours.loss, theirs.loss)
    without_map = create("simvq", K, D, layers=0)
    with torch.no_grad():
        without_map.codebook.copy_(vq_vae.codebook)
    assert torch.equal(without_map.eval()(latents).latents, theirs.latents)


def test_training_output_is_the_eval_output_up_to_rounding():
    quantizer, latents = start(), torch.randn(N, D)
    trained, evaluated = quantizer(latents), quantizer.eval()(latents)
    assert torch.equal(trained.codes, evaluated.codes)
    torch.testing.assert_close(trained.latents, evaluated.latents, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(trained.loss, evaluated.loss, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("init", ["gaussian", "uniform"])
def test_codebook_starts_with_variance_one_over_dim(init):
    torch.manual_seed(0)
    codebook = create("simvq", 2000, 64, init=init, init_scale=2.0).codebook
    assert codebook.std().item() == pytest.approx(2 / 8, rel=0.01)
    if init == "uniform":
        assert codebook.abs().max().item() <= 2 * 3**0.5 / 8


def test_map_starts_as_a_linear_layer_of_pytorch():
    torch.manual_seed(0)
    linear = create("simvq", K, 64).map[0]
    assert linear.weight.abs().max() <= 1 / 8
    assert linear.weight.std().item() == pytest.approx(1 / 8 / 3**0.5, rel=0.03)
    assert linear.bias is not None


def test_variants_of_the_map():
    assert start(bias=False).map[0].bias is None
    assert [type(module).__name__ for module in start(layers=3).map] == ["Linear", "ReLU", "Linear", "ReLU", "Linear"]
    assert start(train_map=False).parameter_groups(1e-3) == []


def test_centred_codewords_have_at_most_the_rank_of_the_map():
    quantizer = start()
    with torch.no_grad():
        quantizer.map[0].weight[2:] = 0
    words = quantizer.codewords()[0].detach()
    assert torch.linalg.matrix_rank(words - words.mean(0), atol=1e-5).item() == 2
