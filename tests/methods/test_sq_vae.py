"""SQ-VAE: posterior and loss against fp64 sums, limits of variance and temperature, bounded memory."""

import math

import pytest
import torch
from scipy.stats import chisquare

from methods import UsageError, create
from methods.contract import check_quantizer

K, D = 6, 4
SHAPE = (3, 5, 2)
"""Examples and a latent grid that is neither square nor 8 x 8."""


def build(variance_type="I", **params):
    torch.manual_seed(0)
    quantizer = create("sq_vae", K, D, variance_type=variance_type, **params)
    if quantizer.head is not None:
        torch.nn.init.normal_(quantizer.head[-1].weight)
    return quantizer


def latents(seed=1):
    return torch.randn(*SHAPE, D, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("variance_type", ["II", "III"])
def test_types_keep_the_contract(variance_type) -> None:
    results = check_quantizer("sq_vae", params={"variance_type": variance_type})
    assert [result for result in results if not result.passed] == []


@pytest.mark.parametrize("variance_type", ["I", "II", "III"])
def test_loss_in_eval_mode_is_the_sum_over_positions_an_example(variance_type) -> None:
    quantizer, z = build(variance_type, initial_variance=2.0).eval(), latents()
    result = quantizer(z)
    z, e = z.double(), quantizer.codebook.detach().double()
    log_variance = torch.zeros(*SHAPE, dtype=torch.float64)
    if quantizer.head is not None:
        log_variance = quantizer.head(z.float()).detach().double().squeeze(-1)
    if variance_type == "II":
        log_variance = log_variance.mean((1, 2), keepdim=True).expand(SHAPE)
    variance = log_variance.exp() + 2.0
    distances = (z[..., None, :] - e).square().sum(-1)
    posterior = torch.softmax(-distances / (2 * variance[..., None]), -1)
    discrete = (posterior * posterior.log()).sum() / SHAPE[0]
    continuous = (distances.min(-1).values / (2 * variance)).sum() / SHAPE[0]
    assert result.loss.item() == pytest.approx((discrete + continuous).item(), rel=1e-5)
    assert -math.log(K) * SHAPE[1] * SHAPE[2] <= discrete.item() <= 0
    assert result.log["variance"].item() == pytest.approx(variance.mean().item(), rel=1e-5)
    assert result.log["posterior_entropy"].item() == pytest.approx(
        -discrete.item() * SHAPE[0] / math.prod(SHAPE), rel=1e-4
    )


def test_type_one_has_variance_one_plus_the_learned_scalar() -> None:
    torch.testing.assert_close(build(initial_variance=10.0).variance(latents()), torch.full((*SHAPE, 1), 11.0))


def test_heads_start_as_type_one_and_differ_by_example_or_position() -> None:
    for variance_type in ("II", "III"):
        torch.manual_seed(0)
        fresh = create("sq_vae", K, D, variance_type=variance_type)
        torch.testing.assert_close(fresh.variance(latents()), torch.full((*SHAPE, 1), 11.0))
        variance = build(variance_type).variance(latents()).detach().flatten(1)
        assert len(set(variance[:, 0].tolist())) == SHAPE[0]
        assert (variance.std(1) > 1e-4).tolist() == [variance_type == "III"] * SHAPE[0]


def test_codes_and_posterior_do_not_change_when_all_is_scaled() -> None:
    quantizer, scaled = build(), build()
    with torch.no_grad():
        scaled.codebook *= 3
        scaled.log_variance.copy_(math.log(9 * 11 - 1))
    one, other = quantizer.eval()(latents()), scaled.eval()(3 * latents())
    assert torch.equal(one.codes, other.codes)
    torch.testing.assert_close(one.log["posterior_entropy"], other.log["posterior_entropy"])
    torch.testing.assert_close(one.loss, other.loss)


def test_small_variance_gives_the_nearest_codeword_in_training() -> None:
    """Latents and codebook a thousand times larger are a variance a million times smaller."""
    quantizer = build(initial_variance=1e-6).train()
    with torch.no_grad():
        quantizer.codebook *= 1e3
    z = 1e3 * latents()
    result = quantizer(z)
    nearest = torch.cdist(z.reshape(-1, D), quantizer.codebook.detach()).argmin(1)
    assert torch.equal(result.codes.flatten(), nearest)
    torch.testing.assert_close(result.latents.detach().reshape(-1, D), quantizer.codebook.detach()[nearest])


def test_low_temperature_draws_codewords_from_the_posterior_and_not_the_nearest() -> None:
    quantizer = build(initial_variance=2.0, temperature=1e-4, final_temperature=1e-4).train()
    z = torch.full((1, 20_000, D), 0.3)
    drawn = quantizer(z).latents.detach().reshape(-1, D)
    distances, codes = torch.cdist(drawn, quantizer.codebook.detach()).min(1)
    assert (distances < 1e-2).float().mean() > 0.99
    posterior = torch.softmax(-(quantizer.codebook.detach().double() - 0.3).square().sum(1) / 6, 0)
    counts = codes.bincount(minlength=K).numpy()
    assert chisquare(counts, (20_000 * posterior).numpy()).pvalue > 0.01
    assert counts.max() < 0.7 * 20_000


def test_temperature_falls_exponentially_over_the_run() -> None:
    quantizer = build(temperature=1.0, final_temperature=0.25)
    found = []
    for step in (0, 50, 100):
        quantizer.anneal(step, 101)
        found.append(quantizer.temperature)
    assert found == pytest.approx([1.0, 0.5, 0.25])


def test_temperature_by_steps_is_that_of_the_papers_code_whatever_the_length() -> None:
    quantizer = build(temperature_decay=1e-5)
    found = []
    for step, total in ((0, 10), (99_999, 100_000), (99_999, 200_000), (156_299, 156_300), (300_000, 400_000)):
        quantizer.anneal(step, total)
        found.append(quantizer.temperature)
    assert found == pytest.approx([math.exp(-1e-5), math.exp(-1), math.exp(-1), 0.20951, 0.15], rel=1e-4)


def test_reconstruction_term_is_half_the_elements_times_the_log_of_the_mean_error() -> None:
    errors = torch.tensor([2.0, 6.0])
    assert build().reconstruction_loss(errors, 784).item() == pytest.approx(784 / 2 * math.log(4.0))
    assert build().reconstruction_loss(torch.zeros(2), 784).isfinite()


def train_step(chunk, monkeypatch):
    monkeypatch.setattr("methods.parts.recompute._CHUNK_ELEMENTS", chunk)
    # The same noise whatever the chunks: a function of the logits' values.
    monkeypatch.setattr("methods.sq_vae.gumbel_noise", lambda logits: torch.sin(50 * logits.detach()))
    quantizer, z = build("III").train(), latents().requires_grad_()
    result = quantizer(z)
    (result.loss + result.latents.square().sum()).backward()
    return [result.latents, result.loss, z.grad, *[parameter.grad for parameter in quantizer.parameters()]]


def test_chunks_change_nothing(monkeypatch) -> None:
    for one, other in zip(train_step(1 << 22, monkeypatch), train_step(4 * K, monkeypatch), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)


def test_recomputed_noise_is_that_of_the_forward_pass(monkeypatch) -> None:
    monkeypatch.setattr("methods.parts.recompute._CHUNK_ELEMENTS", 4 * K)
    quantizer, z = build().train(), latents()
    weights = torch.randn(z.shape, generator=torch.Generator().manual_seed(5))

    def output() -> torch.Tensor:
        torch.manual_seed(3)
        return (quantizer(z).latents * weights).sum()

    value = output()
    torch.rand(7)
    value.backward()
    step = 1e-2
    with torch.no_grad():
        quantizer.codebook[2, 1] += step
        higher = output()
        quantizer.codebook[2, 1] -= 2 * step
        lower = output()
    assert quantizer.codebook.grad[2, 1].item() == pytest.approx((higher - lower).item() / (2 * step), rel=1e-2)


def test_no_tensor_of_latents_by_codes_is_kept_for_the_backward_pass(monkeypatch) -> None:
    monkeypatch.setattr("methods.parts.recompute._CHUNK_ELEMENTS", 1 << 12)
    torch.manual_seed(0)
    quantizer = create("sq_vae", 256, D).train()
    z = torch.randn(1, 1024, D, requires_grad=True)
    kept = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        kept[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        result = quantizer(z)
    assert sum(kept.values()) < 1024 * 256
    (result.loss + result.latents.sum()).backward()
    assert z.grad.isfinite().all()


@pytest.mark.parametrize(
    "params",
    [{"variance_type": "IV"}, {"initial_variance": 0}, {"final_temperature": 0.0}, {"temperature_decay": -1e-5}],
)
def test_wrong_options_are_told(params) -> None:
    with pytest.raises(UsageError, match=next(iter(params))):
        create("sq_vae", K, D, **params)
