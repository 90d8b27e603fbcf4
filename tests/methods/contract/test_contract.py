"""Every method keeps the contract, and what a check of one says."""

import pytest
import torch
from sound_method import Sound, broken_promises

from methods import available
from methods.contract import CHECKS, check_quantizer


@pytest.mark.parametrize("name", available())
def test_every_method_keeps_every_promise(name):
    assert broken_promises(name) == {}


@pytest.mark.parametrize("name", ["vq_vae", "vq_vae_ema", "simvq"])
def test_other_sizes(name):
    assert broken_promises(name, codebook_size=300, dim=3) == {}


@pytest.mark.parametrize(
    ("name", "params"),
    [
        ("vq_vae", {"init": "kmeans", "beta": 0.0}),
        ("vq_vae_ema", {"debias": False}),
        ("simvq", {"layers": 2, "bias": False, "train_codebook": True}),
        ("simvq", {"init": "kmeans", "train_map": False}),
        ("simvq", {"layers": 0, "train_codebook": True, "init": "uniform"}),
    ],
)
def test_options_keep_the_contract(name, params):
    assert broken_promises(name, params=params) == {}


def test_every_promise_is_one_line_in_words():
    for result in check_quantizer("vq_vae"):
        assert result.promise.endswith("."), result
        assert len(result.promise.split()) > 5, result


def test_without_codes_only_what_applies_is_checked():
    names = [result.name for result in check_quantizer("no_quantization")]
    assert "gradient" in names
    assert "resume" in names
    assert not {"codes", "decode", "codewords", "precision"} & set(names)
    assert set(names) < set(CHECKS)


def test_global_random_state_is_left_alone():
    torch.manual_seed(5)
    before = torch.get_rng_state()
    check_quantizer("vq_vae_ema")
    assert torch.equal(torch.get_rng_state(), before)


def test_the_sound_method_passes():
    assert broken_promises(Sound) == {}
