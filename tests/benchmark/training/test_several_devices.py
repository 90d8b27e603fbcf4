"""Two processes with half of every batch do what one does, with every model, objective, optimiser and method."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, get_args

import pytest
import torch
from torch import Tensor

from benchmark.data import Dataset
from benchmark.data.parts.clips import Speech
from benchmark.data.parts.vectors import Vectors
from benchmark.models import models
from benchmark.objectives import objectives
from benchmark.records.settings import Training
from benchmark.training.trainer import Trainer
from methods import available, get
from methods.core.base import Card
from methods.core.registry import resolve_params

CPU = torch.device("cpu")
OPTIMIZERS = get_args(Training.model_fields["optimizer"].annotation)
MEL = {"windows": [512], "bands": [16]}
JUDGED = {**MEL, "discriminator_width": 1, "warmup_steps": 3}
CODEC = {"latent_dim": 4, "strides": [4, 8], "filters": 2, "decoder_width": 8, "decoder_layers": 1}
# Of a weight norm over one weight, whose direction has no gradient, Adam makes whole steps out of rounding errors.
SEANET = {**CODEC, "filters": 4, "decoder": "seanet", "lstm_layers": 1, "causal": True}
CONV = {"width": 8, "latent_dim": 4, "residual_blocks": 1, "residual_width": 4}
PYRAMID = {"channels": 8, "multipliers": [1, 2], "latent_dim": 4}
PATCHES = {"perceptual_weight": 0.0, "adversarial_weight": 0.5, "discriminator_width": 4, "discriminator_layers": 1}
BALANCED = {"weighting": "adaptive", "generator_loss": "hinge", "start": 5, "schedule": "cosine"}
Choice = tuple[str, dict[str, Any]]
SYSTEMS: dict[str, tuple[Choice, Choice]] = {
    "conv": (("conv", CONV), ("squared_error", {})),
    "codec, mel": (("codec", CODEC), ("mel_waveform", MEL)),
    "identity": (("identity", {}), ("squared_error", {})),
    "codec": (("codec", CODEC), ("squared_error", {})),
    "codec, judged": (("codec", CODEC), ("adversarial_mel", JUDGED)),
    "seanet, mel": (("codec", SEANET), ("mel_waveform", MEL)),
    "seanet, judged": (("codec", SEANET), ("adversarial_mel", JUDGED)),
    "pytorch_vae": (("pytorch_vae", {"widths": [8], "latent_dim": 4}), ("squared_error", {})),
    "hqa_stack": (("hqa_stack", {"layers": 2, "latent_dim": 4}), ("squared_error", {})),
    "simvq": (("simvq", PYRAMID), ("squared_error", {})),
    "sq_vae": (("sq_vae", {"latent_dim": 4, "convolutions": 3}), ("squared_error", {})),
    "vqgan": (("vqgan", PYRAMID), ("squared_error", {})),
    "conv, judged": (("conv", CONV), ("perceptual_adversarial", {**PATCHES, "weighting": "fixed"})),
    "conv, judged and balanced": (("conv", CONV), ("perceptual_adversarial", {**PATCHES, **BALANCED})),
}
QUICK = [*(("conv", optimizer) for optimizer in OPTIMIZERS), ("codec, mel", "adam"), ("identity", "adam")]
ALL = [
    (system, optimizer)
    for system in SYSTEMS
    for optimizer in OPTIMIZERS
    if (optimizer == "adam" or "judged" not in system) and (optimizer == "sgd" or system != "sq_vae")
]
"""Of a bias that a batch norm takes out again, Adam makes whole steps out of rounding errors."""
CLAIM = Card.__dataclass_fields__["distributed"].default
METHODS = [name for name in available() if get(name).has_codes and get(name).card.distributed == CLAIM]
"""Those of which two processes with half batches equal one with the whole batch; the others draw noise of their own."""


def dataset(model: str) -> Dataset:
    generator = torch.Generator().manual_seed(0)
    if model == "codec":
        clips = torch.randint(-9000, 9000, (20, 1, 1280), dtype=torch.int16, generator=generator)
        return Speech(clips[:12], clips[12:16], clips[16:], modality="audio", sample_rate=8000)
    if model == "identity":
        vectors = torch.randn(48, 4, generator=generator)
        return Vectors(vectors[:32], vectors[32:40], vectors[40:], modality="latents")
    images = torch.randint(0, 256, (48, 3, 8, 8), dtype=torch.uint8, generator=generator)
    return Dataset(images[:32], images[32:40], images[40:])


def config(system: str, method: str, **training: Any) -> dict[str, Any]:
    (model, options), (objective, judged) = SYSTEMS[system]
    usual = {"steps": 16, "batch_size": 8, "learning_rate": 0.02 if model == "conv" else 1e-3}
    return {
        "method": method,
        "params": resolve_params(method, {}),
        "codebook_size": 64,
        "model": {"name": model, **models.resolve(model, options)},
        "objective": {"name": objective, **objectives.resolve(objective, judged)},
        "training": Training.model_validate({**usual, **training}).model_dump(),
        "seed": 0,
    }


def error_after_training(system: str, optimizer: str, folder: Path) -> float:
    """Of the validation set, without a quantizer; with an average of weights where the optimiser is AdamW."""
    extra = {"weight_decay": 0.01, "ema_decay": 0.9} if optimizer == "adamw" else {}
    settings = config(system, "no_quantization", optimizer=optimizer, **extra)
    trainer = Trainer(settings, dataset(settings["model"]["name"]), CPU)
    trainer.fit(folder / f"{system} {optimizer}.pt", lambda *_: None)
    return trainer.progress.history[-1]["validation_error"]


def first_step(method: str) -> dict[str, Any]:
    """The codes of this process's share of the first batch, and all gradients as the optimiser finds them."""
    trainer = Trainer(config("conv", method), dataset("conv"), CPU)
    trainer.system.quantizer.use_pretrained = lambda features: None  # type: ignore[method-assign]  # a network for this
    trainer._begin(Path("nowhere"))
    quantize = trainer.passes.quantize
    codes: list[Tensor] = []

    def listen(latents: Tensor) -> Any:
        quantized = quantize(latents)
        codes.append(quantized.codes)
        return quantized

    trainer.passes.quantize = listen
    trainer.step(0)
    named = trainer.system.named_parameters()
    return {"codes": codes[0], "gradients": {name: p.grad for name, p in named if p.grad is not None}}


def layouts(rank: int) -> list[Any]:
    """Sums over processes of tensors whose memory has another order than their elements, or gaps, unlike on each."""
    from methods.parts.processes import all_reduce, all_reduce_min, broadcast, sum_over_processes

    rows = torch.arange(6.0).view(2, 3)
    turned = rows.t().contiguous().t() if rank else rows.clone()
    gaps = torch.zeros(2, 6)
    gaps[:, :3] = rows + rank
    return [
        all_reduce(turned).tolist(),
        all_reduce_min(gaps[:, :3]).tolist(),
        broadcast(rows.t().contiguous().t() if rank else rows.clone()).tolist(),
        sum_over_processes(rows.t().contiguous().t() if rank else rows.clone()).tolist(),
    ]


def _errors(cases: Iterable[tuple[str, str]]) -> dict[tuple[str, str], float]:
    return {case: error_after_training(*case, Path.cwd()) for case in cases}


def quick_halves(rank: int) -> dict[str, Any]:
    return {
        "errors": _errors(QUICK),
        "layouts": layouts(rank),
        "first": {method: first_step(method) for method in METHODS},
    }


def slow_halves(rank: int) -> dict[str, Any]:
    return {"errors": _errors(case for case in ALL if case not in QUICK)}


@pytest.fixture(scope="module")
def quick(in_two_processes: Callable[[str], list[dict[str, Any]]]) -> list[dict[str, Any]]:
    return in_two_processes("quick_halves")


@pytest.fixture(scope="module")
def slow(in_two_processes: Callable[[str], list[dict[str, Any]]]) -> list[dict[str, Any]]:
    return in_two_processes("slow_halves")


def test_the_systems_are_all_that_a_suite_can_name() -> None:
    assert {model for (model, _), _ in SYSTEMS.values()} == set(models.available())
    assert {objective for _, (objective, _) in SYSTEMS.values()} == set(objectives.available())
    assert set(OPTIMIZERS) == {"adam", "adamw", "radam", "sgd"}


@pytest.mark.parametrize(
    ("system", "optimizer"), [pytest.param(*case, marks=[] if case in QUICK else [pytest.mark.slow]) for case in ALL]
)
def test_without_a_quantizer_two_end_where_one_does(
    system: str, optimizer: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    case = (system, optimizer)
    halves = [half["errors"][case] for half in request.getfixturevalue("quick" if case in QUICK else "slow")]
    assert halves[0] == halves[1]
    assert halves[0] == pytest.approx(error_after_training(*case, tmp_path), rel=1e-5)


@pytest.mark.parametrize("method", METHODS)
def test_the_first_step_has_the_codes_and_gradients_of_one_process(method: str, quick: list[dict[str, Any]]) -> None:
    whole = first_step(method)
    halves = [half["first"][method] for half in quick]
    assert torch.equal(torch.cat([half["codes"] for half in halves]), whole["codes"])
    assert whole["gradients"]
    for name, gradient in whole["gradients"].items():
        for half in halves:
            torch.testing.assert_close(half["gradients"][name], gradient, rtol=0, atol=1e-6, msg=f"{method}: {name}")


def test_what_processes_share_are_elements_not_memory(quick: list[dict[str, Any]]) -> None:
    once, twice = [[0, 1, 2], [3, 4, 5]], [[0, 2, 4], [6, 8, 10]]
    assert [half["layouts"] for half in quick] == [[twice, once, once, twice]] * 2
