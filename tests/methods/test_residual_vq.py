"""Residual quantization: sizes, sums and prefixes, gradients in closed form, dropout, shared levels, hooks."""

from itertools import pairwise

import pytest
import torch
from scipy.stats import chisquare

from methods import UsageError, create, get
from methods.contract import check_quantizer

D = 4


def build(depth=3, size=8, **params):
    torch.manual_seed(0)
    return create("residual_vq", size**depth, D, depth=depth, **params)


def latents(*shape, seed=1):
    return torch.randn(*(shape or (2, 3, 3)), D, generator=torch.Generator().manual_seed(seed))


def normal_levels(depth=3, **params):
    """Levels of plain VQ-VAE with N(0, 1) codebooks."""
    return build(depth, level="vq_vae", level_params={"init": "normal"}, **params)


@pytest.mark.parametrize(
    "params",
    [
        {"depth": 2, "level": "simvq", "dropout": 1.0},
        {"depth": 3, "shared": True},
        {"depth": 2, "level": "cvq_vae", "level_params": {"anchor": "random", "anchor_after_step": True}},
        {"depth": 2, "level": "vq_vae", "level_params": {"init": "kmeans"}},
    ],
)
def test_options_keep_the_contract(params) -> None:
    assert [result for result in check_quantizer("residual_vq", params=params) if not result.passed] == []


@pytest.mark.parametrize(
    ("codebook_size", "depth", "sizes"),
    [
        (64, 3, (4, 4, 4)),
        (1000, 3, (10, 10, 10)),
        (1024, 4, (8, 8, 4, 4)),
        (8192, 3, (32, 16, 16)),
        (65536, 4, (16, 16, 16, 16)),
        (262_144, 4, (32, 32, 16, 16)),
        (7, 1, (7,)),
    ],
)
def test_level_sizes_have_the_codebook_size_as_product(codebook_size, depth, sizes) -> None:
    assert get("residual_vq").resolve_size(codebook_size, depth=depth) == sizes
    quantizer = create("residual_vq", codebook_size, D, depth=depth)
    assert quantizer.level_sizes == sizes
    assert quantizer.codebook_size == codebook_size
    assert [tuple(codewords.shape) for codewords in quantizer.codewords()] == [(size, D) for size in sizes]


@pytest.mark.parametrize(
    ("codebook_size", "params", "message"),
    [
        (12, {"depth": 2}, r"12 codes can't be split over 2 levels"),
        (8, {"depth": 4}, r"power of two from 16 on"),
        (64, {"depth": 0}, "depth must be at least 1"),
        (64, {"depth": 2.5}, "whole number"),
        (1024, {"depth": 4, "shared": True}, "levels of one size"),
        (64, {"depth": 2, "level": "vq_vea"}, "did you mean `vq_vae`"),
        (64, {"depth": 2, "level": "no_quantization"}, "can't be a level"),
        (64, {"depth": 2, "level": "sc_vae"}, "can't be a level"),
        (64, {"depth": 2, "level": "ll_vq_vae"}, "can't be a level"),
        (64, {"depth": 2, "level": "sq_vae"}, "can't be a level of residual_vq: its loss and that of"),
        (64, {"depth": 2, "level": "affine_vq", "shared": True}, "`affine_vq` can't be shared"),
        (64, {"depth": 2, "level": "diveq", "shared": True}, "`diveq` can't be shared"),
        (64, {"depth": 2, "level": "cvq_vae", "level_params": {"anchor_after_step": True}, "shared": True}, "shared"),
        (65536, {"depth": 2, "level": "residual_vq"}, "can't be a level"),
        (64, {"depth": 2, "level_params": {"betta": 1.0}}, "did you mean `beta`"),
        (64, {"depth": 2, "dropout": 1.5}, "dropout"),
    ],
)
def test_what_cannot_be_is_told_in_a_sentence(codebook_size, params, message) -> None:
    with pytest.raises(UsageError, match=message):
        create("residual_vq", codebook_size, D, **params)


def test_output_is_the_sum_of_the_levels_and_prefixes_decode_to_partial_sums() -> None:
    quantizer, z = normal_levels().eval(), latents()
    result = quantizer(z)
    residual, total = z, torch.zeros_like(z)
    for level, codewords in enumerate(quantizer.codewords()):
        codes = torch.cdist(residual.reshape(-1, D), codewords.detach()).argmin(1)
        assert torch.equal(result.codes[..., level].flatten(), codes)
        chosen = codewords.detach()[codes].reshape(z.shape)
        residual, total = residual - chosen, total + chosen
        prefix = result.codes.clone()
        prefix[..., level + 1 :] = -1
        torch.testing.assert_close(quantizer.decode(prefix).detach(), total)
    torch.testing.assert_close(result.latents.detach(), total)


@pytest.mark.parametrize("level", ["vq_vae", "vq_vae_ema", "simvq", "codebook_reset"])
def test_one_level_is_that_method(level) -> None:
    found = []
    for name, params in (
        (level, {"beta": 0.02}),
        ("residual_vq", {"depth": 1, "level": level, "level_params": {"beta": 0.02}}),
    ):
        torch.manual_seed(0)
        quantizer = create(name, 16, D, **params).train()
        quantizer.initialise(iter([latents(seed=9)]))
        z = latents().requires_grad_()
        torch.manual_seed(1)
        result = quantizer(z)
        (result.loss + (result.latents * latents(seed=2)).sum()).backward()
        gradients = [parameter.grad for parameter in quantizer.parameters() if parameter.requires_grad]
        found.append([result.latents, result.codes, result.loss, z.grad, *gradients])
    for one, other in zip(*found, strict=True):
        assert torch.equal(one, other)


def test_every_level_has_its_share_of_the_encoders_gradient() -> None:
    """Loss: the mean over levels of beta · mean |z - sg Q_j|²; EnCodec's levels after the first give nothing."""
    quantizer, z = build(level="vq_vae_ema", level_params={"beta": 0.5}).train(), latents().requires_grad_()
    codewords = [level.clone() for level in quantizer.codewords()]
    result = quantizer(z)
    partial = torch.stack([codewords[j][result.codes[..., j]] for j in range(3)]).cumsum(0)
    errors = z.detach() - partial
    torch.testing.assert_close(result.loss.detach(), 0.5 * errors.square().mean())
    (gradient,) = torch.autograd.grad(result.loss, z, retain_graph=True)
    torch.testing.assert_close(gradient, (0.5 * 2 * errors / z.numel()).mean(0))
    direction = latents(seed=2)
    (through,) = torch.autograd.grad(result.latents, z, direction)
    torch.testing.assert_close(through, direction)


def test_a_levels_codebook_has_the_gradient_it_would_have_alone() -> None:
    quantizer, z = normal_levels().train(), latents()
    quantizer(z).loss.backward()
    residual = z
    for level in quantizer.levels:
        alone = create("vq_vae", 8, D)
        alone.load_state_dict(level.state_dict())
        result = alone.train()(residual)
        result.loss.backward()
        torch.testing.assert_close(level.codebook.grad, alone.codebook.grad)
        residual = residual - result.latents.detach()


def test_the_residual_never_grows_where_zero_is_a_codeword() -> None:
    quantizer, z = normal_levels().eval(), latents(200)
    with torch.no_grad():
        for level in quantizer.levels:
            level.codebook[3] = 0
    codes = quantizer.encode(z)
    norms = [z.norm(dim=-1)]
    for level in range(3):
        prefix = codes.clone()
        prefix[..., level + 1 :] = -1
        norms.append((z - quantizer.decode(prefix).detach()).norm(dim=-1))
    for before, after in pairwise(norms):
        assert (after <= before + 1e-6).all()
    assert norms[-1].mean() < 0.7 * norms[0].mean()


def test_dropout_reaches_every_depth_alike_and_leaves_dropped_levels_alone() -> None:
    quantizer, z = build(4, 4, dropout=1.0), latents(4)
    quantizer.initialise(iter([z]))
    quantizer.train()
    torch.manual_seed(0)
    used = torch.zeros(4, dtype=torch.int64)
    for _ in range(200):
        before = [int(level.statistics.steps) for level in quantizer.levels]
        with torch.no_grad():
            result = quantizer(z)
        kept = (result.codes >= 0).all(0)
        depth = int(kept.sum())
        assert kept.tolist() == [True] * depth + [False] * (4 - depth)
        assert (result.codes[:, depth:] == -1).all()
        steps = [int(level.statistics.steps) for level in quantizer.levels]
        assert [after - b for after, b in zip(steps, before, strict=True)] == [1] * depth + [0] * (4 - depth)
        used[depth - 1] += 1
    assert chisquare(used.numpy()).pvalue > 0.01
    assert (quantizer.eval()(z).codes >= 0).all()


def test_dropout_is_a_probability() -> None:
    quantizer, z = build(4, 4, level="vq_vae", dropout=0.3).train(), latents(1)
    torch.manual_seed(0)
    with torch.no_grad():
        full = sum(int((quantizer(z).codes >= 0).all()) for _ in range(400))
    assert full / 400 == pytest.approx(0.7 + 0.3 / 4, abs=0.06)


def test_loss_of_dropped_levels_is_left_out_of_the_mean() -> None:
    quantizer, z = normal_levels(dropout=1.0).train(), latents()
    for seed in range(10):
        torch.manual_seed(seed)
        result = quantizer(z)
        depth = int((result.codes[0, 0, 0] >= 0).sum())
        residual, losses = z, []
        for j in range(depth):
            chosen = quantizer.levels[j].codebook[result.codes[..., j]].detach()
            residual = residual - chosen
            losses.append(1.25 * residual.square().mean().item())
        assert result.loss.item() == pytest.approx(sum(losses) / depth, rel=1e-5)


def test_a_shared_codebook_is_one_quantizer_updated_at_every_level() -> None:
    quantizer = build(shared=True).train()
    quantizer(latents())
    assert len(quantizer.levels) == 1
    assert int(quantizer.levels[0].statistics.steps) == 3
    one, *others = quantizer.codewords()
    assert all(torch.equal(one, other) for other in others)
    assert quantizer.level_sizes == (8, 8, 8)


def test_levels_start_one_after_another_from_what_is_left_over() -> None:
    quantizer, z = build(level="kmeans"), latents(300)
    quantizer.initialise(iter([z]))
    errors = []
    for level in range(3):
        prefix = quantizer.encode(z)
        prefix[..., level + 1 :] = -1
        errors.append((z - quantizer.decode(prefix)).square().mean().item())
    assert errors[0] < 0.7
    assert errors[1] < 0.75 * errors[0]
    assert errors[2] < 0.75 * errors[1]


def test_hooks_reach_the_levels() -> None:
    annealed = build(level="gumbel_vq")
    annealed.anneal(10, 10)
    assert [level.temperature for level in annealed.levels] == pytest.approx([annealed.levels[0].final_temperature] * 3)
    assert len(annealed.parameter_groups(1e-3)) == 3
    moved = build(level="cvq_vae", level_params={"anchor_after_step": True}).train()
    before = [level.codebook.detach().clone() for level in moved.levels]
    moved(latents())
    assert all(torch.equal(level.codebook, start) for level, start in zip(moved.levels, before, strict=True))
    moved.after_step()
    assert not any(torch.equal(level.codebook, start) for level, start in zip(moved.levels, before, strict=True))
    pretrained, asked = build(level="vqgan_lc", level_params={"features": "patches"}), []
    pretrained.use_pretrained(lambda count: asked.append(count) or torch.randn(count, 1280))
    assert asked == list(pretrained.level_sizes)


def test_a_level_that_a_cpu_is_too_slow_for_is_told() -> None:
    method = get("residual_vq")
    method.check_on_cpu(65_536, depth=2, level="ibq")
    with pytest.raises(UsageError, match="`ibq` is declared up to 4,096 codes on a CPU"):
        method.check_on_cpu(65_536, depth=1, level="ibq")


def test_default_level_has_rq_vaes_settings_under_the_given_ones() -> None:
    level = build(level_params={"decay": 0.9}).levels[0]
    assert (level.beta, level.upkeep.keep_statistics, level.statistics.decay) == (0.25, False, 0.9)


def dropped_levels(rank: int) -> list[int]:
    torch.manual_seed(rank)
    quantizer = create("residual_vq", 256, D, dropout=1.0).train()
    torch.manual_seed(50 + rank)
    return [int((quantizer(latents(4, seed=rank)).codes[0] < 0).sum()) for _ in range(12)]


def test_two_processes_drop_the_same_levels(in_two_processes) -> None:
    first, second = in_two_processes("dropped_levels")
    assert first == second
    assert len(set(first)) > 2
