"""The peers do what this project does; else their times would mean nothing."""

import sys

import pytest
import torch

from benchmark.perf.cases import MEMORY_LIMIT, OURS, Shape
from benchmark.perf.groups import GROUPS
from benchmark.perf.peers import formula_simvq, formula_vq_vae, package_missing, package_simvq
from benchmark.perf.search import ALL_PAIRS
from methods import create

CPU = torch.device("cpu")


@pytest.mark.parametrize("group", ["search", "simvq_trained"])
def test_every_search_finds_the_same_codes(group, short_trainings):
    shape = Shape(294, 700, 12)
    found = {}
    for contender in GROUPS[group].contenders:
        if contender.left_out(shape, CPU) is None:
            found[contender.name] = contender.prepare(shape, CPU)()
    assert found.pop("matrix product alone") is None
    others = {"torch.cdist, argmin", "formula, argmin"} if group == "search" else set()
    assert set(found) == {OURS, ALL_PAIRS, "faiss.knn", *others}
    for name, codes in found.items():
        assert (torch.as_tensor(codes) == found[OURS]).all(), name


def result_of(module, latents):
    latents = latents.clone().requires_grad_()
    result = module(latents)
    output, loss = result[:2] if isinstance(result, tuple) and len(result) == 2 else (result.latents, result.loss)
    (output.square().mean() + loss).backward()
    trained = {tuple(p.shape): p.grad for p in module.parameters() if p.grad is not None}
    return output.detach(), loss.detach(), latents.grad, trained


@pytest.mark.parametrize("make", [formula_simvq, package_simvq])
def test_simvq_of_others_takes_the_same_step(make):
    torch.manual_seed(0)
    ours, theirs = create("simvq", 50, 6, bias=make is formula_simvq).train(), make(50, 6)
    if make is formula_simvq:
        theirs.codebook.data.copy_(ours.codebook)
        theirs.transform.load_state_dict(ours.map[0].state_dict())
    else:
        theirs.module.frozen_codebook.data.copy_(ours.codebook)
        theirs.module.code_transform.load_state_dict(ours.map[0].state_dict())
    compare(ours, theirs)


def test_simvq_of_others_starts_at_the_same_scale():
    torch.manual_seed(0)
    codebooks = create("simvq", 5000, 16).codebook, formula_simvq(5000, 16).codebook
    theirs = package_simvq(5000, 16).module.frozen_codebook
    for codebook in (*codebooks, theirs):
        assert codebook.std().item() == pytest.approx(16**-0.5, rel=0.02)


def test_the_formula_of_vq_vae_takes_the_same_step():
    torch.manual_seed(0)
    ours, theirs = create("vq_vae", 50, 6, init="normal").train(), formula_vq_vae(50, 6)
    theirs.codebook.data.copy_(ours.codebook)
    compare(ours, theirs)


def compare(ours, theirs):
    latents = torch.randn(1, 80, 6)
    expected, found = result_of(ours, latents), result_of(theirs, latents)
    for one, other in zip(expected[:3], found[:3], strict=True):
        torch.testing.assert_close(other, one)
    assert expected[3].keys() == found[3].keys()
    for shape, gradient in expected[3].items():
        torch.testing.assert_close(found[3][shape], gradient)


@pytest.mark.parametrize("name", sorted(set(GROUPS) - {"search"}))
def test_every_step_runs_and_trains(name, short_trainings):
    group, shape = GROUPS[name], Shape(98, 16, 4)
    for contender in group.contenders:
        if contender.left_out(shape, CPU) is None:
            operation = contender.prepare(shape, CPU)
            operation()
            operation()


def test_the_first_contender_is_the_reference_and_always_there():
    for group in GROUPS.values():
        assert group.contenders[0].name == group.reference == OURS
        for shape in group.shapes + group.quick_shapes:
            assert group.contenders[0].left_out(shape, CPU) is None


def test_what_needs_too_much_memory_or_is_missing_is_left_out(monkeypatch):
    formula = GROUPS["search"].contender("formula, argmin")
    assert formula.left_out(Shape(6272, 65536, 64), CPU) is None
    assert formula.left_out(Shape(6272, 262144, 64), CPU) == "would need 20 GB"
    assert MEMORY_LIMIT < 3.1 * 4 * 6272 * 262144
    assert GROUPS["search"].contender("faiss.knn").left_out(Shape(1, 1, 1), torch.device("cuda")) == "runs on a CPU"
    monkeypatch.setitem(sys.modules, "vector_quantize_pytorch", None)
    assert "extra `perf`" in package_missing(CPU)
