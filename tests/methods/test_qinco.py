"""QINCo: residual quantization at the start, exhaustive choice of codes, losses of every prefix, dropped levels."""

import pytest
import torch
from torch.nn.functional import mse_loss

import methods.qinco as qinco
from methods import UsageError, create
from methods.contract import check_quantizer

D = 4


def build(size: int = 64, *, bent: bool = False, **params):
    """A quantizer, with the networks moved away from the identity if ``bent``."""
    torch.manual_seed(0)
    quantizer = create("qinco", size, D, hidden=8, **params)
    if bent:
        with torch.no_grad():
            for name, parameter in quantizer.steps.named_parameters():
                if "concat" in name or "blocks" in name:
                    parameter.normal_(std=0.4)
    return quantizer


def adapted(step, prefix: torch.Tensor) -> torch.Tensor:
    """All adapted codewords ``[N, K, D]`` of a level, by its formula."""
    base = step.codebook.expand(len(prefix), -1, -1)
    paired = torch.cat([base, prefix[:, None].expand_as(base)], 2)
    u = base + paired @ step.concat.weight.T + step.concat.bias
    for block in step.blocks:
        u = u + (u @ block[0].weight.T).clamp(min=0) @ block[2].weight.T
    return u


@pytest.mark.parametrize(
    "params",
    [{"depth": 1, "beam": 4}, {"depth": 3, "candidates": 2, "beam": 3, "hidden": 16}, {"candidates": 0, "blocks": 0}],
)
def test_options_keep_the_contract(params) -> None:
    assert [result for result in check_quantizer("qinco", params=params) if not result.passed] == []


def test_start_is_residual_quantization_with_the_same_codebooks() -> None:
    quantizer, latents = build(512, depth=3, candidates=0), torch.randn(200, D)
    residual, codes = latents.double(), []
    for codebook in [quantizer.first, *[step.codebook for step in quantizer.steps]]:
        codes.append((residual[:, None] - codebook.double()).square().sum(2).argmin(1))
        residual = residual - codebook.double()[codes[-1]]
    assert torch.equal(quantizer.encode(latents), torch.stack(codes, 1))
    torch.testing.assert_close(quantizer.decode(torch.stack(codes, 1)).double(), latents - residual)


def test_code_is_the_best_of_all_adapted_codewords() -> None:
    quantizer, latents = build(bent=True, candidates=0), torch.randn(100, D)
    codes = quantizer.encode(latents)
    prefix = quantizer.first[codes[:, 0]]
    options = adapted(quantizer.steps[0], prefix)
    best = (latents[:, None] - prefix[:, None] - options).square().sum(2).argmin(1)
    assert torch.equal(codes[:, 1], best)
    torch.testing.assert_close(quantizer.decode(codes), prefix + options[torch.arange(100), best])


def test_a_beam_that_keeps_all_prefixes_finds_the_best_of_all_codes() -> None:
    quantizer, latents = build(64, bent=True, depth=3, candidates=0), torch.randn(60, D)
    every = torch.cartesian_prod(*[torch.arange(4)] * 3)
    best = torch.cdist(latents, quantizer.decode(every)).argmin(1)
    greedy = quantizer.encode(latents)
    quantizer.beam = 16
    assert torch.equal(quantizer.encode(latents), every[best])
    assert not torch.equal(greedy, every[best])


def test_a_wider_beam_is_no_worse_on_the_whole(monkeypatch) -> None:
    quantizer, latents = build(4096, bent=True, depth=3, candidates=4), torch.randn(300, D)
    errors = []
    for quantizer.beam in (1, 3, 12):
        found = quantizer.encode(latents)
        errors.append(mse_loss(quantizer.decode(found), latents).item())
    assert errors[0] > errors[1] > errors[2]
    monkeypatch.setattr(qinco, "_CHUNK_ELEMENTS", 2000)
    assert torch.equal(quantizer.encode(latents), found), "chunks change nothing"


def test_candidates_are_those_the_selector_finds_nearest() -> None:
    quantizer, latents = build(256, bent=True, candidates=3), torch.randn(100, D)
    step, codes = quantizer.steps[0], quantizer.encode(latents)
    prefix = quantizer.first[codes[:, 0]]
    tried = (latents[:, None] - prefix[:, None] - step.selector).square().sum(2).argsort(1)[:, :3]
    errors = (latents[:, None] - prefix[:, None] - adapted(step, prefix)).square().sum(2).gather(1, tried)
    assert torch.equal(codes[:, 1], tried.gather(1, errors.argmin(1, keepdim=True)).squeeze(1))


def test_chunks_change_nothing(monkeypatch) -> None:
    quantizer, latents = build(bent=True), torch.randn(50, D)
    whole = quantizer.encode(latents)
    monkeypatch.setattr(qinco, "_CHUNK_ELEMENTS", 500)
    assert torch.equal(quantizer.encode(latents), whole)


def test_loss_sums_the_errors_of_all_prefixes_and_the_selection() -> None:
    quantizer, latents = build(512, depth=3, candidates=2, beta=0.5, bent=True), torch.randn(60, D)
    result, codes = quantizer(latents), quantizer.encode(latents)
    prefix = quantizer.first[codes[:, 0]]
    expected = mse_loss(prefix, latents)
    for step, level in zip(quantizer.steps, codes.unbind(1)[1:], strict=True):
        expected = expected + mse_loss(prefix + step.selector[level], latents)
        prefix = prefix + adapted(step, prefix)[torch.arange(60), level]
        expected = expected + mse_loss(prefix, latents)
    torch.testing.assert_close(result.loss, expected + 0.5 * mse_loss(prefix, latents))


def test_later_levels_train_the_first_codebook_but_selection_does_not() -> None:
    quantizer, latents = build(64, bent=True, candidates=0), torch.randn(60, D)
    codes = quantizer.encode(latents)
    prefix = quantizer.first[codes[:, 0]]
    second = prefix + adapted(quantizer.steps[0], prefix)[torch.arange(60), codes[:, 1]]
    (expected,) = torch.autograd.grad(mse_loss(prefix, latents) + mse_loss(second, latents), quantizer.first)
    for chosen in (quantizer, build(64, bent=True, candidates=7)):
        chosen.load_state_dict(quantizer.state_dict(), strict=False)
        _, loss = chosen._decode(codes, latents)
        torch.testing.assert_close(torch.autograd.grad(loss, chosen.first)[0], expected)


def test_encoder_gets_the_commitment_alone() -> None:
    quantizer, latents = build(beta=0.5, bent=True), torch.randn(60, D, requires_grad=True)
    result = quantizer(latents)
    (gradient,) = torch.autograd.grad(result.loss, latents)
    quantized = quantizer.decode(result.codes).detach()
    torch.testing.assert_close(gradient, 0.5 * 2 * (latents.detach() - quantized) / latents.numel())


def test_a_dropped_level_adds_nothing() -> None:
    quantizer, latents = build(bent=True), torch.randn(20, D)
    codes = quantizer.encode(latents)
    codes[:, 1] = -1
    assert torch.equal(quantizer.decode(codes), quantizer.first[codes[:, 0]])
    assert not quantizer.decode(torch.full_like(codes, -1)).any()


def test_codebooks_start_at_the_centroids_of_what_is_left_over() -> None:
    quantizer = build(16, depth=2)
    centres = torch.tensor([[8.0, 0, 0, 0], [-8.0, 0, 0, 0], [0, 8.0, 0, 0], [0, -8.0, 0, 0]])
    offsets = torch.tensor([[0, 0, 1.0, 0], [0, 0, -1.0, 0], [0, 0, 0, 1.0], [0, 0, 0, -1.0]])
    rows = (centres[:, None] + offsets).reshape(16, D).repeat(1300, 1)
    quantizer.initialise(iter([rows]))
    assert mse_loss(quantizer.eval()(rows[:16]).latents, rows[:16]) < 1e-9


def test_too_many_candidates_are_refused() -> None:
    assert create("qinco", 2**22, 2).level_sizes == (2048, 2048)
    with pytest.raises(UsageError, match="2,048 times a level"):
        create("qinco", 2**22, 2, candidates=0)


def test_candidates_are_the_head_of_a_full_sort(monkeypatch) -> None:
    torch.manual_seed(0)
    latents, codewords = torch.randn(50, 4), torch.randn(30, 4)
    distances = (latents[:, None].double() - codewords.double()).square().sum(2)
    expected = distances.argsort(1)[:, :7]
    assert torch.equal(qinco.nearest_candidates(latents, codewords, 7), expected)
    monkeypatch.setattr(qinco, "_CHUNK_ELEMENTS", 100)
    assert torch.equal(qinco.nearest_candidates(latents, codewords, 7), expected)
