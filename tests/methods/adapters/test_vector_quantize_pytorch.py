"""The classes of vector-quantize-pytorch as methods: the contract, what they do not promise, sizes, mistakes."""

import sys

import pytest
import torch

from methods import UsageError, create, get
from methods.adapters.vector_quantize_pytorch import CLASSES
from methods.contract import CHECKS, check_quantizer
from methods.contract.promises import PromiseError
from methods.contract.subject import Subject
from methods.core.registry import resolve_params

NAME = "vector_quantize_pytorch"


@pytest.mark.parametrize("name", CLASSES)
def test_a_class_keeps_the_contract_but_for_what_it_declares(name):
    params = {"class": name}
    found = {result.name for result in check_quantizer(NAME, params=params) if not result.passed}
    assert found == set(get(NAME).not_promised(**params))


@pytest.mark.parametrize(
    ("name", "size", "options"),
    [
        ("VectorQuantize", 64, {"affine_param": True}),
        ("ResidualVQ", 64, {"num_quantizers": 2, "diveq": True}),
        ("ResidualVQ", 64, {"num_quantizers": 2, "beam_size": 2}),
        ("ResidualFSQ", 625, {"num_quantizers": 2, "levels": [5, 5], "orthogonal_rotation": True}),
        ("ResidualLFQ", 256, {"num_quantizers": 2, "orthogonal_rotation": True}),
        ("ResidualLFQ", 256, {"num_quantizers": 2, "spherical": True}),
    ],
)
def test_what_an_option_breaks_is_declared_and_seen(name, size, options):
    params = {"class": name, **options}
    for check, words in get(NAME).not_promised(**params).items():
        assert f"`{next(reversed(options))}`" in words
        if check != "deterministic":  # memory that was never written may be zeros
            with pytest.raises((PromiseError, RuntimeError)):
                CHECKS[check](Subject(get(NAME), size, 8, params))


def test_a_check_tells_what_is_declared(monkeypatch):
    monkeypatch.setattr("methods.contract.CHECKS", {name: CHECKS[name] for name in ("builds", "decode")})
    builds, decode = check_quantizer(NAME, params={"class": "SimVQ"})
    assert (builds.passed, builds.declared) == (True, "")
    assert not decode.passed
    assert not decode.broken
    assert "off the eval output by up to" in decode.message
    assert decode.declared == "its estimator stays on in evaluation: output and way back differ by rounding, 5e-7"


@pytest.mark.parametrize(
    ("params", "size", "sizes"),
    [
        ({}, 300, (300,)),
        ({"class": "VectorQuantize", "heads": 2}, 64, (8, 8)),
        ({"class": "ResidualVQ"}, 1024, (8, 8, 4, 4)),
        ({"class": "GroupedResidualVQ", "groups": 2, "num_quantizers": 2}, 256, (4, 4, 4, 4)),
        ({"class": "FSQ"}, 1024, (1000,)),
        ({"class": "FSQ", "levels": [10, 10, 10]}, 1024, (1000,)),
        ({"class": "FSQ", "num_codebooks": 2}, 65536, (240, 240)),
        ({"class": "ResidualFSQ", "num_quantizers": 2}, 65536, (240, 240)),
        ({"class": "ResidualLFQ", "num_quantizers": 2}, 256, (16, 16)),
        ({"class": "RandomProjectionQuantizer", "codebook_dim": 4}, 50, (50,)),
    ],
)
def test_sizes(params, size, sizes):
    built = create(NAME, size, 8, **params)
    assert get(NAME).resolve_size(size, **params) == built.level_sizes == sizes


@pytest.mark.parametrize(
    ("params", "size", "sentence"),
    [
        ({"class": "SimQV"}, 64, r"`class` must be one of .*, not `SimQV` \(did you mean `SimVQ`\?\)"),
        ({"class": ["SimVQ"]}, 64, r"`class` must be one of"),
        (
            {"class": "SimVQ", "decay": 0.9},
            64,
            r"has no parameter `decay`; it has: `class`, `library`, `rotation_trick`",
        ),
        (
            {"class": "SimVQ", "rotation_trik": True},
            64,
            r"no parameter `rotation_trik` \(did you mean `rotation_trick`\?\)",
        ),
        ({"class": "ResidualSimVQ"}, 1024, r"^ResidualSimVQ needs levels of one size: .* n\^4 .* which 1,024 is not"),
        ({"class": "LFQ"}, 100, r"^LFQ needs a power of two from 2 on as the size of a level, not 100"),
        ({"class": "FSQ", "levels": [8, 8]}, 1024, r"^`levels` make 64 codes, which is not within 7 % of 1,024"),
        ({"class": "FSQ", "levels": 8}, 64, r"^`levels` must be a list of whole numbers"),
        ({"class": "FSQ", "levels": [32, 2]}, 64, r"^FSQ of vector-quantize-pytorch refuses .*preserve_symmetry"),
        ({"class": "GroupedResidualVQ", "groups": 3}, 2**12, r"refuses these parameters: assert \(dim % groups\) == 0"),
        ({"class": "ResidualVQ", "num_quantizers": "4"}, 64, r"`num_quantizers` must be a whole number"),
        ({"class": "VectorQuantize", "learnable_codebook": True}, 64, r"learnable codebook not compatible with EMA"),
        ({"library": "0.1"}, 64, r"`library` says vector-quantize-pytorch 0.1, and \S+ is installed"),
    ],
)
def test_mistakes_are_one_sentence(params, size, sentence):
    with pytest.raises(UsageError, match=sentence) as told:
        create(NAME, size, 8, **params)
    assert "\n" not in str(told.value)


def test_without_the_library_one_sentence_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "vector_quantize_pytorch", None)
    with pytest.raises(UsageError, match=r"needs the package vector-quantize-pytorch, .* \(the extra `libraries`\)"):
        create(NAME, 64, 8)


def test_the_parameters_are_those_of_the_class_in_full():
    """So that a run's key holds the library's version and its defaults."""
    params = resolve_params(NAME, {"class": "SimVQ"})
    assert params.pop("library").count(".") == 2
    assert params == {
        "class": "SimVQ",
        "rotation_trick": True,
        "input_to_quantize_commit_loss_weight": 0.25,
        "commitment_weight": 1.0,
        "frozen_codebook_dim": None,
    }
    assert {"decay", "num_quantizers", "quantize_dropout", "groups"} <= set(
        resolve_params(NAME, {"class": "GroupedResidualVQ"})
    )


def test_what_looks_at_values_is_not_refused_where_there_are_none():
    with torch.device("meta"), pytest.raises(RuntimeError, match="meta"):
        create("vector_quantize_pytorch", 64, 8, **{"class": "FSQ"})
