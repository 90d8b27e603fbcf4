"""Every method gives the same codes compiled, and its way back can be exported and traced."""

import copy

import pytest
import torch
from torch import nn

from methods import available, create, get
from methods.contract import CHECKS, size_of
from methods.contract.subject import Subject

WITH_CODES = [name for name in available() if get(name).has_codes]


class Back(nn.Module):
    def __init__(self, quantizer):
        super().__init__()
        self.quantizer = quantizer.eval()

    def forward(self, codes):
        return self.quantizer.decode(codes)


def started(name):
    torch.manual_seed(0)
    quantizer = create(name, size_of(get(name), {}), 8)
    quantizer.initialise(iter([torch.randn(8, 16, 8) for _ in range(8)]))
    quantizer.anneal(0, 10)
    return quantizer


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # of what PyTorch deprecates in itself
@pytest.mark.parametrize("training", [False, True], ids=["eval", "training"])
@pytest.mark.parametrize("name", WITH_CODES)
def test_compiled_it_gives_the_same_codes(name, training):
    torch._dynamo.reset()
    quantizer = started(name).train(training)
    twin, latents = copy.deepcopy(quantizer), torch.randn(4, 6, 8)
    torch.manual_seed(1)
    expected = quantizer(latents)
    torch.manual_seed(1)
    found = torch.compile(twin, backend="eager")(latents)
    assert torch.equal(found.codes, expected.codes)
    torch.testing.assert_close(found.latents, expected.latents, rtol=0, atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("name", available())
def test_a_training_step_is_one_graph_but_where_a_method_says_otherwise(name):
    said = CHECKS["one_graph"](Subject(get(name), size_of(get(name), {}), 8))
    assert (said is not None) is (name in {"affine_vq", "cvq_vae", "optvq", "vector_quantize_pytorch", "vq_wae"})


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "params", "whole"),
    [
        ("simvq", {"upkeep": "copies"}, True),
        ("simvq", {"upkeep": "reset"}, False),
        ("vq_vae", {"upkeep": "reset"}, True),
        ("residual_vq", {"level": "simvq", "level_params": {}}, True),
        ("residual_vq", {"level": "affine_vq", "level_params": {}}, False),
        ("residual_vq", {"dropout": 0.5}, False),
    ],
)
def test_options_say_whether_a_step_is_one_graph(name, params, whole):
    assert (CHECKS["one_graph"](Subject(get(name), size_of(get(name), params), 8, params)) is None) is whole


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", WITH_CODES)
def test_its_way_back_is_exported_and_traced(name):
    quantizer = started(name).eval()
    with torch.no_grad():
        codes = quantizer.encode(torch.randn(4, 6, 8))
        expected = quantizer.decode(codes)
        assert torch.equal(torch.export.export(Back(quantizer), (codes,)).module()(codes), expected)
        assert torch.equal(torch.jit.trace(Back(quantizer), (codes,))(codes), expected)
