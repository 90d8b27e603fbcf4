"""The shared codebook quantizer and its loss: search, exact look-up, start from data, placement of the two weights."""

import pytest
import torch
from torch import nn

from methods import UsageError, create
from methods.parts.codebook import CodebookQuantizer, new_codebook, vq_loss
from methods.parts.codeword_blocks import Blocks
from methods.parts.nearest import nearest_codes

K, D = 7, 3


class Shifted(CodebookQuantizer):
    """A codebook whose effective codewords are not the stored ones."""

    def __init__(self, metric: str = "euclidean"):
        super().__init__(K, D)
        self.metric = metric
        self.codebook = nn.Parameter(torch.randn(K, D, generator=torch.Generator().manual_seed(0)))
        self.register_buffer("initialised", torch.tensor(False))

    def effective_codebook(self):
        return self.codebook + 1.0


def test_search_and_look_up_use_the_effective_codebook():
    quantizer = Shifted()
    latents = torch.randn(2, 4, 5, D, generator=torch.Generator().manual_seed(1))
    codes = quantizer.encode(latents)
    words = quantizer.codebook.detach().double() + 1.0
    expected = (latents.double()[..., None, :] - words).square().sum(-1).argmin(-1)
    assert torch.equal(codes.squeeze(-1), expected)
    assert torch.equal(quantizer.decode(codes), quantizer.codewords()[0][expected])


def test_cosine_metric_looks_only_at_directions():
    quantizer = Shifted("cosine")
    latents = torch.randn(50, D, generator=torch.Generator().manual_seed(1))
    words = quantizer.codewords()[0].detach().double()
    cosines = latents.double() @ words.T / words.norm(dim=1) / latents.double().norm(dim=1, keepdim=True)
    assert torch.equal(quantizer.encode(latents).squeeze(-1), cosines.argmax(1))
    assert torch.equal(quantizer.encode(latents), quantizer.encode(30 * latents))


def test_start_from_data_happens_once():
    quantizer = Shifted()
    rows = torch.randn(K, D)
    quantizer.start_from_kmeans(iter([rows]))
    assert sorted(quantizer.codebook[:, 0].tolist()) == pytest.approx(sorted(rows[:, 0].tolist()), abs=1e-6)
    before = quantizer.codebook.detach().clone()
    quantizer.start_from_kmeans(iter([torch.randn(K, D)]))
    assert torch.equal(quantizer.codebook, before)
    assert quantizer.codebook.requires_grad


def test_weights_fall_on_the_terms_they_are_named_for():
    """beta on the commitment term and so on the latents' gradient, never swapped."""
    latents, quantized = torch.randn(5, D, requires_grad=True), torch.randn(5, D, requires_grad=True)
    loss, log = vq_loss(latents, quantized, beta=0.25, codebook_weight=3.0)
    loss.backward()
    gap = (latents - quantized).detach().double()
    torch.testing.assert_close(latents.grad.double(), 0.25 * 2 * gap / (5 * D), rtol=1e-5, atol=1e-8)
    torch.testing.assert_close(quantized.grad.double(), -3.0 * 2 * gap / (5 * D), rtol=1e-5, atol=1e-8)
    error = gap.square().mean().item()
    assert loss.item() == pytest.approx(3.25 * error, rel=1e-5)
    assert log["commitment"].item() == pytest.approx(error, rel=1e-5)
    assert not log["commitment"].requires_grad


def test_new_codebooks():
    torch.manual_seed(0)
    assert new_codebook(500, 20, "uniform").abs().max().item() <= 1 / 500
    assert new_codebook(500, 20, "normal").std().item() == pytest.approx(1, abs=0.03)
    assert new_codebook(500, 20, "kmeans").std().item() == pytest.approx(1, abs=0.03)
    with pytest.raises(UsageError, match="init must be one of"):
        new_codebook(5, 2, "zeros")


def test_arguments_may_be_named() -> None:
    quantizer, latents = create("vq_vae", 8, 4).eval(), torch.randn(2, 3, 4)
    codes = quantizer.encode(latents=latents)
    assert torch.equal(codes, quantizer.encode(latents))
    assert torch.equal(quantizer.decode(codes=codes), quantizer(latents=latents).latents)
    assert quantizer(latents=latents.bfloat16()).latents.dtype == torch.float32


def test_within_unchanging_the_codebook_is_mapped_once_and_codes_stay_the_same(monkeypatch):
    quantizer, made = create("simvq", 2048, 32).eval(), []
    latents = torch.randn(1, 2500, 3) @ torch.randn(3, 32)  # flat, so that the codebook is put in order
    codes, output = quantizer.encode(latents), quantizer(latents).latents
    quantizer.map.register_forward_hook(lambda *_: made.append("map"))
    follow = Blocks.follow
    monkeypatch.setattr(Blocks, "follow", lambda *args: made.append("follow") or follow(*args))
    with quantizer.unchanging():
        for _ in range(3):
            assert quantizer.encode(latents).equal(codes)
            assert quantizer(latents).latents.equal(output)
    assert made == ["map", "follow"]
    quantizer.map[0].bias.data += 0.01
    codes = quantizer.encode(latents)
    assert made == ["map", "follow"] * 2
    assert codes.equal(create_like(quantizer).encode(latents))


def create_like(quantizer):
    """Another of the same state, which remembers no search."""
    other = create("simvq", 2048, 32).eval()
    other.load_state_dict(quantizer.state_dict())
    return other


def test_within_unchanging_other_codewords_are_searched_as_they_are():
    quantizer = create("vq_vae", 2048, 32, init="normal").eval()
    latents = torch.randn(2500, 3) @ torch.randn(3, 32)
    with quantizer.unchanging():
        quantizer.encode(latents)
        for _ in range(3):
            others = torch.randn(2048, 32)
            assert quantizer.nearest(latents, others).squeeze(1).equal(nearest_codes(latents, others))
