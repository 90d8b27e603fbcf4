"""The speech codec: shapes, hops, both decoders, causality, and the inverse transform against torch's own."""

import pytest
import torch

from benchmark.models import models
from benchmark.models.codec import Codec
from benchmark.models.parts.seanet import Conv, Upsample
from benchmark.models.parts.vocos import VocosDecoder
from methods.core.usage import UsageError

SMALL = {"latent_dim": 6, "filters": 2, "decoder_width": 12, "decoder_layers": 2}


def build(samples: int = 640, **options: object) -> Codec:
    torch.manual_seed(0)
    model = models.create("codec", {**SMALL, **options}, item_shape=(1, samples))
    assert isinstance(model, Codec)
    return model


@pytest.mark.parametrize("decoder", ["vocos", "seanet"])
@pytest.mark.parametrize("strides", [[2, 4, 5, 8], [8, 5, 4, 2], [4, 4], [3, 5]])
def test_a_token_a_hop_and_back(decoder: str, strides: list[int]) -> None:
    hop = torch.tensor(strides).prod().item()
    model = build(4 * hop, decoder=decoder, strides=strides)
    assert model.positions == (4,)
    for tokens in (4, 9):
        latents = model.encode(torch.randn(2, 1, tokens * hop) / 10)
        assert latents.shape == (2, tokens, 6)
        assert model.decode(latents).shape == (2, 1, tokens * hop)


def test_the_paper_s_setting_has_seventy_five_tokens_a_second() -> None:
    with torch.device("meta"):
        model = models.create(
            "codec",
            {
                "latent_dim": 512,
                "filters": 32,
                "lstm_layers": 2,
                "causal": True,
                "decoder_width": 768,
                "decoder_layers": 12,
            },
            item_shape=(1, 24_000),
        )
    assert model.positions == (75,)
    # 512 latents to 768 by kernel 7; 12 blocks of depthwise 7, 768 x 2304 twice; a head of 1280 + 2.
    backbone = 512 * 768 * 7 + 12 * (768 * 7 + 2 * 768 * 2304) + 768 * 1282
    weights = sum(p.numel() for p in model.decoder.parameters() if p.dim() > 1)
    assert weights == backbone


def test_a_hop_that_is_not_full_is_filled_up() -> None:
    model = build(640)
    waveform = torch.randn(1, 1, 700)
    assert model.decode(model.encode(waveform)).shape == (1, 1, 960)


@pytest.mark.parametrize("causal", [True, False])
def test_a_causal_encoder_does_not_hear_the_future(causal: bool) -> None:
    model = build(6400, causal=causal, lstm_layers=1)
    waveform = torch.randn(1, 1, 6400)
    changed = waveform.clone()
    changed[..., 4800:] = 0  # far from the beginning, which reflection fills from what follows
    first, second = model.encode(waveform), model.encode(changed)
    assert torch.allclose(first[:, :15], second[:, :15], atol=1e-6) == causal


def test_every_sample_has_its_gradient() -> None:
    for decoder in ("vocos", "seanet"):
        model = build(640, decoder=decoder)
        waveform = torch.randn(1, 1, 640, requires_grad=True)
        model.decode(model.encode(waveform)).square().sum().backward()
        assert waveform.grad is not None
        assert (waveform.grad != 0).all()
        assert all(p.grad is not None for p in model.parameters())


@pytest.mark.parametrize("strides", [[2, 4, 5, 8], [8, 5, 4, 2]])
def test_a_signal_survives_the_untrained_encoder(strides: list[int]) -> None:
    model = build(6400, strides=strides, filters=8)
    with torch.no_grad():
        latents = model.encode(torch.randn(4, 1, 6400) / 10)
    assert 0.001 < float(latents.var(dim=(0, 1)).mean()) < 0.1


def test_convolutions_keep_their_length() -> None:
    for causal in (True, False):
        assert Conv(1, 2, 7, causal=causal)(torch.randn(1, 1, 50)).shape[-1] == 50
        assert Conv(1, 2, 10, stride=5, causal=causal)(torch.randn(1, 1, 50)).shape[-1] == 10
        assert Conv(1, 2, 7, dilation=4, causal=causal)(torch.randn(1, 1, 5)).shape[-1] == 5
        assert Upsample(1, 2, 5, causal=causal)(torch.randn(1, 1, 10)).shape[-1] == 50


def test_the_inverse_transform_undoes_a_spectrum() -> None:
    decoder = VocosDecoder(4, 8, 16, 1, hop=40)
    waveform = torch.randn(2, 400)
    spectrum = torch.stft(
        torch.nn.functional.pad(waveform, (60, 60)), 160, 40, window=decoder.window, center=False, return_complex=True
    )
    assert torch.allclose(decoder._inverse(spectrum.transpose(1, 2)), waveform, atol=1e-5)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"strides": []}, "strides must be whole numbers of at least 2"),
        ({"strides": [2, 1]}, "strides must be whole numbers of at least 2"),
        ({"decoder": "voco"}, "did you mean `vocos`"),
        ({"filters": 0}, "filters must be a whole number from 1 to 65536"),
        ({"lstm_layers": -1}, "lstm_layers must be a whole number"),
    ],
)
def test_what_cannot_be_built(options: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        models.identity("codec", options)


def test_clips_are_a_whole_number_of_hops() -> None:
    with pytest.raises(UsageError, match="clips of 650 samples are not a whole number of hops of 320"):
        models.create("codec", {}, item_shape=(1, 650))
