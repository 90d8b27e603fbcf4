"""Estimators by upkeep: every pair keeps the contract or is refused in words, and presets are the pairs they name."""

import pytest
import torch

from methods import UsageError, create
from methods.contract import check_quantizer
from methods.parts.estimators import ESTIMATORS, SUBSTITUTING
from methods.parts.upkeep import UPKEEP

K, D = 24, 4
FAST = {"reset": {"decay": 0.5}, "expiry": {"decay": 0.5}, "copies": {"every": 1, "threshold": 0.5}, "cvq": {}}
"""Parameters with which an upkeep acts within the few steps of a test."""


def refused(method: str, estimator: str, upkeep: str) -> bool:
    return upkeep == "ema" and (method == "simvq" or estimator in SUBSTITUTING)


GRID = [(method, one, other) for method in ("vq_vae", "simvq") for one in ESTIMATORS for other in UPKEEP]


def build(method: str, estimator: str, upkeep: str, **params):
    torch.manual_seed(0)
    chosen = {"estimator": estimator, "upkeep": upkeep, "upkeep_params": FAST.get(upkeep), **params}
    return create(method, K, D, **chosen)


@pytest.mark.parametrize(("method", "estimator", "upkeep"), [pair for pair in GRID if not refused(*pair)])
def test_every_pair_keeps_the_contract(method, estimator, upkeep) -> None:
    params = {"estimator": estimator, "upkeep": upkeep, "upkeep_params": FAST.get(upkeep)}
    results = check_quantizer(method, codebook_size=K, dim=D, params=params)
    assert {result.name: result.message for result in results if not result.passed} == {}


@pytest.mark.parametrize(("method", "estimator", "upkeep"), [pair for pair in GRID if refused(*pair)])
def test_moving_averages_go_with_nothing_that_trains_codewords(method, estimator, upkeep) -> None:
    with pytest.raises(
        UsageError, match=r"upkeep `ema` can't go with .*, which trains the codewords by gradient; `none`"
    ):
        build(method, estimator, upkeep)


PRESETS = {
    "vq_vae_ema": ({}, {"upkeep": "ema"}),
    "codebook_reset": ({"beta": 0.25}, {"upkeep": "reset", "init": "latents"}),
    "cvq_vae": ({"metric": "euclidean"}, {"upkeep": "cvq"}),
    "ema_expiry": ({"beta": 0.25}, {"upkeep": "expiry", "init": "kmeans"}),
    "nsvq": ({}, {"estimator": "nsvq", "upkeep": "copies", "upkeep_params": {"perturbation": 1e-12}, "init": "normal"}),
    "diveq": ({}, {"estimator": "diveq", "upkeep": "copies", "upkeep_params": {"weighted": True}}),
    "rotation_trick": (
        {"beta": 0.25},
        {"estimator": "rotation", "upkeep": "ema", "upkeep_params": {"decay": 0.8}},
    ),
}


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_is_the_pair_that_it_names(name) -> None:
    own, general = PRESETS[name]
    torch.manual_seed(0)
    preset = create(name, K, D, **own)
    torch.manual_seed(0)
    pair = create("vq_vae", K, D, **general)
    pair.codebook.data.copy_(preset.codebook)  # the starts of some are their authors'
    states = []
    for quantizer in (preset, pair):
        torch.manual_seed(1)
        quantizer.initialise(iter([batch(100)] * 3))
        for step in range(4):
            quantizer.train().anneal(step, 4)
            result = quantizer(batch(step))
            quantizer.after_step()
        states.append({**quantizer.state_dict(), "output": result.latents, "loss": result.loss})
    assert states[0].keys() == states[1].keys()
    assert all(torch.equal(states[0][key], states[1][key]) for key in states[0])


def batch(seed: int) -> torch.Tensor:
    return torch.randn(50, D, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("upkeep", ["reset", "expiry"])
@pytest.mark.parametrize("method", ["vq_vae", "simvq"])
def test_unused_codewords_of_a_trained_codebook_become_latents(method, upkeep) -> None:
    """The effective ones, also where a map is between them and the codebook."""
    estimator = "nsvq" if method == "vq_vae" else "straight_through"
    quantizer = build(method, estimator, upkeep, **({"init": "normal"} if method == "vq_vae" else {})).train()
    before = quantizer.codewords()[0].detach().clone()
    latents = 5 + batch(0)
    result = quantizer(latents)
    after = quantizer.codewords()[0].detach()
    moved = (after - before).abs().amax(1) > 1e-4
    used = set(result.codes.flatten().tolist())
    assert moved.sum() > K // 2
    assert not used & set(moved.nonzero().flatten().tolist()) or upkeep == "expiry"
    assert (after[moved][:, None] - latents).norm(dim=2).amin(1).max() < 1e-4
    assert quantizer.statistics.sums is None


def test_anchors_of_a_mapped_codebook_are_latents() -> None:
    quantizer = build("simvq", "straight_through", "cvq").train()
    latents = 5 + batch(0)
    unused = torch.ones(K, dtype=torch.bool)
    unused[quantizer(latents).codes.flatten()] = False
    found = quantizer.codewords()[0].detach()[unused]
    assert (found[:, None] - latents).norm(dim=2).amin(1).max() < 0.03, "0.999 of the way"


def test_a_map_without_inverse_leaves_the_codebook_as_it_is() -> None:
    quantizer = build("simvq", "straight_through", "reset").train()
    with torch.no_grad():
        quantizer.map[0].weight.zero_()
    before = quantizer.codebook.clone()
    quantizer(batch(0))
    assert torch.equal(quantizer.codebook, before)


def test_layers_without_inverse_are_refused() -> None:
    message = "for which the map is inverted, and a map of 2 layers has no inverse; use one layer, or upkeep `copies`"
    with pytest.raises(UsageError, match=message):
        build("simvq", "straight_through", "reset", layers=2)
    build("simvq", "straight_through", "copies", layers=2)


def test_what_was_typed_wrong_is_said() -> None:
    with pytest.raises(UsageError, match=r"upkeep must be one of `none`, .*did you mean `reset`\?"):
        create("vq_vae", K, D, upkeep="resets")
    with pytest.raises(UsageError, match="estimator must be one of `straight_through`"):
        create("vq_vae", K, D, estimator="ste")
    with pytest.raises(UsageError, match="upkeep `ema` has no parameter `treshold`"):
        create("vq_vae", K, D, upkeep="ema", upkeep_params={"treshold": 1})
    with pytest.raises(UsageError, match="`fsq` has no parameter `upkeep`"):
        create("fsq", 64, D, upkeep="reset")
    with pytest.raises(UsageError, match="can only be undone by moving averages"):
        create("simvq", K, D, upkeep="expiry", upkeep_params={"undone": True})


def test_shared_levels_take_what_may_see_several_batches_a_step() -> None:
    level = {"upkeep": "reset", "init": "latents"}
    assert create("residual_vq", K**2, D, depth=2, level="vq_vae", level_params=level, shared=True)
    level = {"upkeep": "copies"}
    with pytest.raises(UsageError, match="can't be shared by levels"):
        create("residual_vq", K**2, D, depth=2, level="vq_vae", level_params=level, shared=True)


@pytest.mark.parametrize("init", ["kmeans", "latents"])
@pytest.mark.parametrize(
    ("upkeep", "upkeep_params"), [("ema", None), ("expiry", {"threshold": 0.0}), ("expiry", {"undone": True})]
)
def test_moving_averages_keep_a_start_from_data_that_no_latent_chose(init, upkeep, upkeep_params) -> None:
    torch.manual_seed(0)
    quantizer = create("vq_vae", K, D, upkeep=upkeep, upkeep_params=upkeep_params, init=init).train()
    quantizer.initialise(iter([batch(0)] * 20))
    start = quantizer.codebook.clone()
    one = start[:1] + 0.01  # of which only the first codeword, nearest to it, hears
    assert quantizer(one.expand(5, D)).codes.unique().tolist() == [0]
    torch.testing.assert_close(quantizer.codebook[1:], start[1:], rtol=1e-3, atol=1e-4)
    assert 0 < float((quantizer.codebook[0] - start[0]).abs().max()) < 0.01


@pytest.mark.parametrize("upkeep", [upkeep for upkeep in UPKEEP if upkeep != "ema"])
@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_entropies_go_with_every_upkeep_of_a_mapped_codebook(estimator, upkeep) -> None:
    latents = batch(0)
    gradients = []
    for weight in (0.0, 0.1):
        quantizer = build("simvq", estimator, upkeep, entropy_weight=weight).train()
        quantizer.anneal(0, 10)
        torch.manual_seed(1)
        result = quantizer(latents)
        (result.loss + result.latents.square().mean()).backward()
        gradients.append(quantizer.map[0].weight.grad)
    assert bool(gradients[1].isfinite().all())
    assert not torch.equal(gradients[0], gradients[1])
