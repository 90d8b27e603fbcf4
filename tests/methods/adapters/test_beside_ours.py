"""Classes of vector-quantize-pytorch step by step beside the methods here that they are, from the same start."""

import pytest
import torch

from methods import create

SIZE, DIM, STEPS, RATE = 64, 8, 3, 0.1


def theirs(name, size=SIZE, **params):
    torch.manual_seed(0)
    return create("vector_quantize_pytorch", size, DIM, **{"class": name, **params}).train()


def ours(name, size=SIZE, **params):
    return create(name, size, DIM, **params).train()


def copy_averages(quantizer, codebook):
    """Their start: counts of one, sums that are the codewords."""
    quantizer.codebook.copy_(codebook)
    quantizer.statistics.counts.fill_(1)
    quantizer.statistics.sums.copy_(codebook)


def copy_linear(to, source):
    with torch.no_grad():
        for parameter, value in zip(to.parameters(), source.parameters(), strict=True):
            parameter.copy_(value)


def step(quantizer, number):
    """Codes, output, loss and the latents' gradient of a training step by gradient descent."""
    generator = torch.Generator().manual_seed(number)
    latents = torch.randn(4, 16, DIM, generator=generator).requires_grad_()
    direction = torch.randn(4, 16, DIM, generator=generator)
    result = quantizer(latents)
    quantizer.zero_grad()
    ((result.latents * direction).mean() + result.loss).backward()
    groups = quantizer.parameter_groups(RATE)
    if groups:
        torch.optim.SGD(groups).step()
    quantizer.after_step()
    return result.codes, result.latents.detach(), result.loss.detach(), latents.grad


def assert_alike(one, other, scale=1.0, loss_tolerance=1e-6):
    """Three steps alike; loss and gradients of ``one`` are ``scale`` times those of ``other``."""
    for number in range(STEPS):
        found, expected = step(one, number), step(other, number)
        assert torch.equal(found[0], expected[0])
        torch.testing.assert_close(found[1], expected[1], rtol=0, atol=2e-6)
        torch.testing.assert_close(found[2], scale * expected[2], rtol=loss_tolerance, atol=1e-6)
        torch.testing.assert_close(found[3], scale * expected[3], rtol=1e-4, atol=1e-6)


def test_simvq_without_rotation_is_simvq_without_bias():
    library, own = theirs("SimVQ", rotation_trick=False), ours("simvq", bias=False)
    own.codebook.data.copy_(library.module.frozen_codebook)
    copy_linear(own.map, library.module.code_transform)
    assert_alike(library, own)
    torch.testing.assert_close(own.map[0].weight, library.module.code_transform.weight, rtol=0, atol=1e-6)


@pytest.mark.parametrize(("rotation", "name"), [(True, "rotation_trick"), (False, "vq_vae_ema")])
def test_vector_quantize_is_a_codebook_of_moving_averages(rotation, name):
    library = theirs("VectorQuantize", rotation_trick=rotation)
    own = ours(name, beta=1.0, decay=0.8, debias=False)
    copy_averages(own, library.module.codebook)
    assert_alike(library, own)
    torch.testing.assert_close(own.codebook, library.module.codebook, rtol=1e-5, atol=1e-6)


def test_residual_vq_is_residual_vq_with_gradients_summed_over_levels():
    """Theirs hands the decoder's gradient to the encoder once a level, ours once."""
    level = {"level": "rotation_trick", "level_params": {"debias": False}}
    library, own = theirs("ResidualVQ", 4096, num_quantizers=4), ours("residual_vq", 4096, depth=4, **level)
    for one, layer in zip(own.levels, library.module.layers, strict=True):
        copy_averages(one, layer.codebook)
    assert_alike(library, own, scale=4)


def test_residual_simvq_is_residual_vq_of_simvq_likewise():
    level = {"level": "simvq", "level_params": {"bias": False}}
    library = theirs("ResidualSimVQ", 4096, num_quantizers=4, rotation_trick=False)
    own = ours("residual_vq", 4096, depth=4, **level)
    for one, layer in zip(own.levels, library.module.layers, strict=True):
        one.codebook.data.copy_(layer.frozen_codebook)
        copy_linear(one.map, layer.code_transform)
    assert_alike(library, own, scale=4)


def test_lfq_is_lfq_without_commitment_its_first_channel_the_highest_digit():
    library, own = theirs("LFQ"), ours("lfq", commitment_weight=0.0)
    copy_linear(own.project_in, library.module.project_in)
    copy_linear(own.project_out, library.module.project_out)
    bits = torch.arange(6)
    for number in range(STEPS):
        found, expected = step(library, number), step(own, number)
        digits = (expected[0] >> bits) & 1
        assert torch.equal(found[0], (digits << bits.flip(0)).sum(-1, keepdim=True))
        torch.testing.assert_close(found[1:], expected[1:], rtol=1e-3, atol=1e-4)


def test_fsq_is_fsq_but_for_a_grid_wider_by_a_thousandth():
    """Theirs squashes to (L - 1) (1 + ε) / 2, the paper and ours to (L - 1) (1 - ε) / 2."""
    library, own = theirs("FSQ", 1024), ours("fsq", 1024)
    copy_linear(own.project_in, library.module.project_in)
    copy_linear(own.project_out, library.module.project_out)
    latents = 2 * torch.randn(64, 64, DIM, generator=torch.Generator().manual_seed(1))
    assert library.level_sizes == own.level_sizes == (1000,)
    with torch.no_grad():
        found, expected = library.eval()(latents), own.eval()(latents)
    same = (found.codes == expected.codes).double().mean().item()
    assert same == pytest.approx(0.99, abs=0.005)
    where = (found.codes == expected.codes).expand_as(latents)
    torch.testing.assert_close(found.latents[where], expected.latents[where], rtol=0, atol=1e-6)
