"""Faults that were reported of other projects: of each an input, and the value that is right, here."""

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from benchmark.metrics.codes import CodeStatistics
from methods import Quantizer, create
from methods.parts.kmeans import kmeans

Check = Callable[[], None]
REPORTS: list[tuple[str, Check]] = []


def report(*where: str) -> Callable[[Check], Check]:
    """Add a check to the table; ``where``: repository and number of the issue or pull request, several of one fault."""

    def add(check: Check) -> Check:
        REPORTS.extend((one, check) for one in where)
        return check

    return add


def build(method: str, codewords: list[list[float]], **params: object) -> Quantizer:
    """The method in training, with these codewords."""
    quantizer = create(method, len(codewords), len(codewords[0]), **params).train()
    assert isinstance(quantizer.codebook, Tensor)
    quantizer.codebook.data = torch.tensor(codewords)
    return quantizer


def rows(*values: float) -> Tensor:
    """Latents of one dimension, [1, N, 1], with a gradient."""
    return torch.tensor(values).reshape(1, -1, 1).requires_grad_()


# Losses and their gradients


@report(
    "CompVis/taming-transformers#46",
    "CompVis/taming-transformers#57",
    "huggingface/diffusers#8226",
    "karpathy/deep-vector-quantization#2",
)
def beta_weighs_the_commitment_and_not_the_codebook() -> None:
    quantizer, z = build("vq_vae", [[0.0], [10.0]], beta=0.25), rows(1.0)
    quantizer(z).loss.backward()
    assert z.grad is not None
    assert z.grad.item() == pytest.approx(0.25 * 2 * (1 - 0))
    assert quantizer.codebook.grad.flatten().tolist() == pytest.approx([2 * (0 - 1), 0])


@report("andylolu2/jax-vqvae-gpt#2", "showlab/Olaf-World#8", "EdoardoBotta/RQ-VAE-Recommender#24")
def the_codebook_term_sees_the_codeword_and_not_the_straight_through_output() -> None:
    quantizer = create("residual_vq", 16, 1, depth=2, level="vq_vae", level_params={"init": "normal"}).train()
    quantizer(rows(3.0, 4.0, 5.0)).loss.backward()
    for level in quantizer.levels:
        assert level.codebook.grad.abs().max() > 0.1


@report("facebookresearch/encodec#25", "lucidrains/vector-quantize-pytorch#33")
def commitment_of_every_level_reaches_the_encoder() -> None:
    quantizer = create("residual_vq", 4, 1, depth=2, level="vq_vae", level_params={"beta": 1.0}).train()
    for level, codewords in zip(quantizer.levels, ([[0.0], [8.0]], [[-1.0], [1.0]]), strict=True):
        level.codebook.data = torch.tensor(codewords)
    z = rows(8.5)  # leaves 0.5 and then -0.5: were the second level's part missing, 2 * 0.5 / 2 would stay
    quantizer(z).loss.backward()
    assert z.grad is not None
    assert z.grad.item() == pytest.approx((2 * 0.5 + 2 * -0.5) / 2, abs=1e-6)


@report("descriptinc/descript-audio-codec#107")
def a_level_is_not_trained_by_the_errors_of_later_ones() -> None:
    quantizer = create("residual_vq", 4, 1, depth=2, level="vq_vae").train()
    for level, codewords in zip(quantizer.levels, ([[0.0], [8.0]], [[-3.0], [3.0]]), strict=True):
        level.codebook.data = torch.tensor(codewords)
    quantizer(rows(8.0)).loss.backward()  # no error at the first level, 3 at the second
    assert quantizer.levels[0].codebook.grad.abs().max() == 0
    assert quantizer.levels[1].codebook.grad.abs().max() == pytest.approx(2 * 3)


@report("myscience/open-genie#9")
def lfq_rewards_codes_that_differ() -> None:
    quantizer = create("lfq", 4, 2, commitment_weight=0.0, entropy_weight=1.0).train()
    quantizer.project_in, quantizer.project_out = torch.nn.Identity(), torch.nn.Identity()
    corners = torch.tensor([[[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]]])
    assert quantizer(corners).loss.item() == pytest.approx(-math.log(4), abs=1e-3)
    assert quantizer(corners[:, :1].expand(1, 4, 2)).loss.item() == pytest.approx(0, abs=1e-3)


@report("lucidrains/vector-quantize-pytorch#85")
def entropies_of_sure_latents_are_finite() -> None:
    quantizer = create("lfq", 16, 4).train()
    z = (1e4 * torch.randn(1, 8, 4)).requires_grad_()
    loss = quantizer(z).loss
    loss.backward()
    assert loss.isfinite()
    assert z.grad is not None
    assert z.grad.isfinite().all()


# Moving averages


@report("zalandoresearch/pytorch-vq-vae#5")
def the_output_is_the_codeword_before_its_update() -> None:
    quantizer = build("vq_vae_ema", [[0.0], [10.0]], decay=0.5)
    assert quantizer(rows(2.0)).latents.item() == 0
    assert quantizer.codebook[0].item() == pytest.approx(2, rel=1e-3)


@report("maxjcohen/vqvae#1")
def an_average_is_of_sums_over_an_average_of_counts() -> None:
    quantizer = build("vq_vae_ema", [[0.0], [100.0]], decay=0.5)
    quantizer(rows(1.0, 2.0, 3.0))
    quantizer(rows(4.0))
    sums, counts = 0.5 * (0.5 * 6) + 0.5 * 4, 0.5 * (0.5 * 3) + 0.5 * 1
    assert quantizer.codebook[0].item() == pytest.approx(sums / counts, rel=1e-4)


@report("lucidrains/vector-quantize-pytorch#20")
def codewords_reach_the_latents_without_a_gradient() -> None:
    quantizer = build("vq_vae_ema", [[0.0], [1.0], [2.0], [3.0]], decay=0.1)
    for _ in range(6):
        quantizer(rows(-0.3, 1.2, 1.9, 3.4))
    assert quantizer.codebook.flatten().tolist() == pytest.approx([-0.3, 1.2, 1.9, 3.4], abs=1e-3)


@report("espnet/espnet#6284")
def a_redrawn_codeword_stays_where_it_was_put() -> None:
    quantizer = build("codebook_reset", [[0.0], [1000.0]], keep_statistics=False, decay=0.5, threshold=0.1)
    quantizer._started = True
    quantizer.statistics.counts.copy_(torch.tensor([1.0, 0.0]))
    quantizer.statistics.sums.copy_(torch.tensor([[0.0], [0.0]]))
    quantizer(rows(5.0, 5.0))
    assert quantizer.codebook[1].item() == pytest.approx(5, abs=0.1)
    quantizer(rows(5.0, 5.0))
    assert quantizer.codebook[1].item() == pytest.approx(5, abs=0.1)


@report("lucidrains/vector-quantize-pytorch#66")
def codewords_that_start_from_data_are_not_thrown_out_by_the_first_update() -> None:
    quantizer, z = create("codebook_reset", 8, 4).train(), 5 + torch.randn(1, 512, 4)
    quantizer.initialise(iter([z]))
    before = quantizer.codebook.clone()
    used = quantizer(z).codes.unique()
    assert len(used) == 8
    assert (quantizer.codebook - before).norm(dim=1).max() < 2  # to the mean of their latents, and not to zero
    assert len(quantizer(z).codes.unique()) == 8


@report("EdoardoBotta/RQ-VAE-Recommender#27")
def an_empty_cluster_leaves_no_nan() -> None:
    centroids = kmeans(torch.tensor([[0.0], [0.0], [9.0]]), 3, start=torch.tensor([[0.0], [0.0], [9.0]]))
    assert centroids.isfinite().all()
    assert {0.0, 9.0} <= set(centroids.flatten().tolist())


# Training and evaluation


@report("lucidrains/vector-quantize-pytorch#68")
def evaluation_changes_no_codebook() -> None:
    for method in ("vq_vae_ema", "codebook_reset", "cvq_vae", "affine_vq", "residual_vq", "rotation_trick"):
        quantizer, z = create(method, 16, 4), torch.randn(2, 8, 4)
        quantizer.initialise(iter([z]))
        quantizer.eval()
        before = {name: value.clone() for name, value in quantizer.state_dict().items()}
        with torch.no_grad():
            quantizer(3 + z)
        assert all(torch.equal(value, before[name]) for name, value in quantizer.state_dict().items()), method


@report("lucidrains/vector-quantize-pytorch#65")
def codes_alone_give_the_output_projections_and_maps_included() -> None:
    for method in ("factorized_vq", "fsq", "lfq", "simvq", "vqgan_lc", "residual_simvq"):
        quantizer, z = create(method, 256, 4), torch.randn(1, 32, 4)
        quantizer.initialise(iter([z]))
        quantizer.eval()
        assert torch.equal(quantizer.decode(quantizer(z).codes), quantizer(z).latents), method


@report("lucidrains/vector-quantize-pytorch#162")
def a_shared_codebook_evaluates_by_the_codebook_it_has() -> None:
    quantizer, z = create("residual_vq", 8**3, 4, depth=3, shared=True), torch.randn(1, 64, 4)
    quantizer.initialise(iter([z]))
    for _ in range(20):
        quantizer.train()(z)
    quantizer.eval()
    result, (codewords, *_) = quantizer(z), quantizer.codewords()
    assert (result.latents - codewords[result.codes].sum(-2)).abs().max() < 1e-6
    assert (z - result.latents).square().mean() < 0.5 * z.square().mean()


@report("EdoardoBotta/RQ-VAE-Recommender#48", "EdoardoBotta/RQ-VAE-Recommender#54")
def a_rotated_latent_is_its_codeword_and_training_sees_what_evaluation_sees() -> None:
    quantizer, z = create("rotation_trick", 16, 4), torch.randn(1, 64, 4)
    quantizer.initialise(iter([z]))
    evaluated = quantizer.eval()(z).latents
    assert torch.equal(quantizer.train()(z.clone().requires_grad_()).latents, evaluated)


@report("cfifty/rotation_trick#6")
def a_rotation_scales_a_gradient_by_the_ratio_of_lengths() -> None:
    quantizer = build("rotation_trick", [[0.0, 2.0], [90.0, 90.0]])
    z = torch.tensor([[[0.5, 0.5]]], requires_grad=True)  # of length 1/√2, and 45° from its codeword
    quantizer(z).latents[..., 1].sum().backward()
    ratio = 2 / math.sqrt(0.5)
    assert z.grad is not None
    assert z.grad.flatten().tolist() == pytest.approx([ratio / math.sqrt(2)] * 2)


# Levels that are dropped


@report("kaiidams/soundstream-pytorch#7")
def the_last_level_is_trained_too() -> None:
    quantizer, z = create("residual_vq", 2**3, 2, depth=3, level="vq_vae", dropout=1.0).train(), torch.randn(1, 2, 2)
    depths = {int((quantizer(z).codes[0, 0] >= 0).sum()) for _ in range(40)}
    assert depths == {1, 2, 3}


@report("lucidrains/vector-quantize-pytorch#191")
def residual_simvq_drops_levels_and_keeps_its_shapes() -> None:
    quantizer, z = create("residual_simvq", 2**3, 2, depth=3, dropout=1.0).train(), torch.randn(2, 5, 2)
    for _ in range(20):
        result = quantizer(z)
        assert result.codes.shape == (2, 5, 3)
        assert result.latents.shape == z.shape
        assert result.loss.shape == ()


# Grids and precision


@report("lucidrains/vector-quantize-pytorch#94")
def an_even_number_of_levels_is_centred() -> None:
    quantizer = create("fsq", 256, 4)  # levels 8, 6, 5
    assert quantizer.bound(torch.zeros(3)).abs().max() < 1e-6  # 5.7e-5 with tan in place of arctanh


@report("lucidrains/vector-quantize-pytorch#237")
def no_channel_needs_a_latent_far_out() -> None:
    for size in (8, 256, 1024, 4096):
        assert create("fsq", size, 4).shift.abs().max() < 0.3, size  # 3.8 with two levels, which are never chosen


@report("lucidrains/vector-quantize-pytorch#114")
def codes_are_counted_in_integers() -> None:
    quantizer, codes = create("fsq", 1024, 4).bfloat16().eval(), torch.arange(1000)
    grid = quantizer.look_up(codes).bfloat16() * quantizer.half_width  # digits, as a network in bfloat16 has them
    inner = torch.atanh(((grid + quantizer.offset) / quantizer.scale).float()) - quantizer.shift
    assert torch.equal(quantizer.assign(inner.bfloat16()), codes)


@report("lucidrains/vector-quantize-pytorch#145", "lucidrains/vector-quantize-pytorch#100")
def half_precision_around_a_quantizer_does_not_end_it() -> None:
    for method in ("lfq", "fsq", "vq_vae", "residual_vq"):
        quantizer, z = create(method, 256, 4), torch.randn(1, 8, 4)
        quantizer.initialise(iter([z]))
        quantizer.train()
        with torch.autocast("cpu", torch.bfloat16):
            result = quantizer(z.bfloat16())
        assert result.loss.isfinite(), method
        assert result.codes.dtype == torch.int64, method


# Counting


@report("bshall/VectorQuantizedVAE#3")
def perplexity_is_of_the_whole_set_and_not_of_its_batches() -> None:
    whole, parts = CodeStatistics([512], "cpu"), CodeStatistics([512], "cpu")
    codes = torch.arange(512).reshape(-1, 1, 1)
    whole.update(codes)
    for batch in codes.split(4):  # of which each has a perplexity of 4
        parts.update(batch)
    assert parts.compute() == whole.compute()
    assert parts.compute()["perplexity"] == pytest.approx(512)


@pytest.mark.parametrize("check", [pytest.param(check, id=where) for where, check in REPORTS])
def test_it_is_right_here(check: Check) -> None:
    torch.manual_seed(0)
    check()
