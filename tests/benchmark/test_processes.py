"""Two processes with half of every batch train and measure what one process does with the whole."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.distributed as dist

from benchmark.data import Dataset
from benchmark.metrics.latents import LatentMetrics
from benchmark.metrics.parts.distances import FeatureDistances
from benchmark.metrics.parts.features import Classifier
from benchmark.processes import average_gradients, average_terms
from benchmark.training.evaluation import evaluate, quality_metrics
from benchmark.training.layerwise import trainer_of
from benchmark.training.loop import DivergedError
from benchmark.training.trainer import Trainer
from methods.parts.processes import own_rows

CPU = torch.device("cpu")
TOLERANCE = 1e-3
"""Relative: sums are taken in another order, and the rounding grows over twelve steps."""
CASES: dict[str, dict[str, Any]] = {
    "vq_vae with k-means of several batches": {"method": "vq_vae", "params": {"init": "kmeans"}},
    "vq_vae_ema": {"method": "vq_vae_ema"},
    "codebook_reset, replacing": {"method": "codebook_reset", "params": {"threshold": 0.5}},
    "cvq_vae": {"method": "cvq_vae"},
    "residual_vq": {"method": "residual_vq", "params": {"depth": 2}},
    "simvq, unequal shares": {"method": "simvq", "batch_size": 7},
    "vq_vae, layer after layer": {"method": "vq_vae", "layerwise": True},
    "sq_vae, averaged weights": {"method": "sq_vae", "ema_decay": 0.9},
}


def dataset() -> Dataset:
    """Images of squares in five colours: clusters far enough apart that rounding moves no latent to another."""
    generator = torch.Generator().manual_seed(0)
    colours = torch.randint(0, 256, (5, 3), dtype=torch.uint8, generator=generator)
    squares = colours[torch.randint(0, 5, (83, 4, 4), generator=generator)].movedim(-1, 1)
    images = squares.repeat_interleave(4, 2).repeat_interleave(4, 3)
    return Dataset(images[:40], images[40:53], images[53:])


def config(method: str, params: dict[str, Any] | None = None, **training: Any) -> dict[str, Any]:
    from methods.core.registry import resolve_params

    settings = {
        "steps": 12,
        "batch_size": 8,
        "learning_rate": 0.05,
        "optimizer": "sgd",  # Adam makes the rounding of a vanishing gradient as large as any other
        "momentum": 0.9,
        "warmup_steps": 0,
        "clip_norm": 1.0,
        "ema_decay": None,
        "precision": "fp32",
    }
    conv = {"name": "conv", "width": 8, "latent_dim": 4, "residual_blocks": 1, "residual_width": 4}
    return {
        "method": method,
        "params": resolve_params(method, params or {}),
        "codebook_size": 16,
        "model": {"name": "hqa_stack", "layers": 2, "latent_dim": 4} if training.get("layerwise") else conv,
        "objective": {"name": "squared_error", "normalise": True},
        "training": {**settings, **training},
        "seed": 0,
    }


def train(case: dict[str, Any], folder: Path) -> dict[str, Any]:
    data = dataset()
    trainer = trainer_of(config(**case), data, CPU)
    trainer.fit(folder / "checkpoint.pt", lambda *_: None)
    quality = quality_metrics(data, {"features": None, "lpips": []}, CPU)
    measured = evaluate(trainer.trained, trainer.objective, data, quality, CPU, folder)["metrics"]
    measured |= distances(data)
    history = [{k: v for k, v in row.items() if k != "seconds"} for row in trainer.progress.history]
    return {"state": trainer.trained.state_dict(), "metrics": measured, "history": history}


class ThreeMeans(Classifier):
    """The mean of each channel; the class is a number that has little to do with anything, so that order matters."""

    name, distance, num_features, weights = "means", "fd_means", 3, "none"

    def __call__(self, images: torch.Tensor) -> torch.Tensor:
        return images.float().mean((2, 3)) / 255

    def classify(self, features: torch.Tensor) -> torch.Tensor:
        return (40 * features[:, 0]).long() % 3


def distances(data: Dataset) -> dict[str, Any]:
    """Distances and agreement in class between the test set, of which each process has its share, and a darker copy."""
    measured = FeatureDistances(ThreeMeans(), "test_parallel", CPU)
    mine = own_rows(data.test)
    measured.update(mine, mine // 2)
    return measured.compute()


def squared_error() -> dict[str, Any]:
    """Of vectors, of which each process has its share, one of them more."""
    measured = LatentMetrics(CPU)
    vectors = torch.randn(7, 3, generator=torch.Generator().manual_seed(0))
    measured.update(own_rows(vectors), torch.zeros_like(own_rows(vectors)))
    return {**measured.compute(), "expected": float(vectors.square().sum(1).mean())}


def diverge(folder: Path) -> str:
    """The loss of the second process alone becomes infinite; both must end, with the same words."""
    trainer = Trainer(config("vq_vae", steps=100), dataset(), CPU)
    if dist.get_rank() == 1:
        reconstruction_loss = trainer.system.quantizer.reconstruction_loss
        calls: list[int] = []

        def planted(errors: torch.Tensor, numel: int) -> torch.Tensor:
            calls.append(1)
            return reconstruction_loss(errors, numel) * (float("inf") if len(calls) == 6 else 1.0)

        trainer.system.quantizer.reconstruction_loss = planted  # type: ignore[method-assign]
    try:
        trainer.fit(folder / "none.pt", lambda *_: None)
    except DivergedError as error:
        return str(error)
    return "went on"


def resume(folder: Path) -> bool:
    """Interrupted by a signal to the first process only, both go on where an undisturbed training ends."""
    case = config("sq_vae")
    whole = Trainer(case, dataset(), CPU)
    whole.fit(folder / "none.pt", lambda *_: None)
    first = Trainer(case, dataset(), CPU)

    def interrupt(step: int, row: dict[str, float]) -> None:
        first.stop_requested = step == 7 and dist.get_rank() == 0

    try:
        first.fit(folder / "resumed.pt", interrupt)
    except KeyboardInterrupt:
        torch.manual_seed(5)
        second = Trainer(case, dataset(), CPU)
        second.fit(folder / "resumed.pt", lambda *_: None)
        return all(torch.equal(a, second.system.state_dict()[n]) for n, a in whole.system.state_dict().items())
    return False


def gradients() -> list[Any]:
    """Of a parameter that both use, one that the second alone uses, and one that nobody does."""
    parameters = [torch.nn.Parameter(torch.zeros(2)) for _ in range(3)]
    parameters[0].grad = torch.full((2,), 1.0 + dist.get_rank())
    if dist.get_rank() == 1:
        parameters[1].grad = torch.ones(2)
    average_gradients(parameters)
    return [None if parameter.grad is None else parameter.grad.tolist() for parameter in parameters]


def layouts() -> list[list[int]]:
    """Strides of a weight that is stored channels last and of its averaged gradient."""
    weight = torch.nn.Parameter(torch.zeros(2, 3, 4, 4).contiguous(memory_format=torch.channels_last))
    weight.grad = torch.ones_like(weight)
    average_gradients([weight])
    assert weight.grad is not None
    return [list(weight.stride()), list(weight.grad.stride())]


def train_halves(rank: int) -> dict[str, Any]:
    """All that is compared, in a working directory that both processes share."""
    place = Path.cwd()
    os.environ["XDG_CACHE_HOME"] = str(place / "cache")
    found: dict[str, Any] = {}
    for name, case in CASES.items():
        folder = place / name
        folder.mkdir(exist_ok=True)
        found[name] = train(case, folder)
    found["layouts"] = layouts()
    found["squared_error"] = squared_error()
    found["gradients"] = gradients()
    found["shares"] = [len(own_rows(torch.arange(count))) for count in (1, 2, 7)]
    terms = {"both": torch.tensor(1.0 + 2 * rank), **({"one": torch.tensor(5.0)} if rank else {})}
    found["terms"] = average_terms(terms, 3 if rank == 0 else 1)
    found["diverged"] = diverge(place)
    found["resumed"] = resume(place)
    return found


@pytest.fixture(scope="module")
def halves(in_two_processes: Callable[[str], list[dict[str, Any]]]) -> list[dict[str, Any]]:
    """What each of two processes found."""
    return in_two_processes("train_halves")


@pytest.mark.parametrize("name", CASES)
def test_two_processes_train_and_measure_what_one_does(
    name: str, halves: list[dict[str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for key, value in halves[0][name]["state"].items():
        assert torch.equal(value, halves[1][name]["state"][key]), f"{key} differs between the processes"
    assert halves[0][name]["metrics"] == halves[1][name]["metrics"]
    assert halves[0][name]["metrics"]["n_images"] == 30
    assert 0 < halves[0][name]["metrics"]["class_agreement"] < 1
    if name.startswith("sq_vae"):
        return  # each process draws noise of its own
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    whole = train(CASES[name], tmp_path)
    for key, value in whole["state"].items():
        torch.testing.assert_close(
            halves[0][name]["state"][key], value, rtol=TOLERANCE, atol=1e-5, msg=f"{name}: {key}"
        )
    for key, value in whole["metrics"].items():
        assert halves[0][name]["metrics"][key] == pytest.approx(value, rel=TOLERANCE), key
    for ours, theirs in zip(halves[0][name]["history"], whole["history"], strict=True):
        assert ours == pytest.approx(theirs, rel=10 * TOLERANCE, abs=1e-6)  # a code of an untrained encoder may flip


def test_an_averaged_gradient_has_the_layout_of_its_weight(halves: list[dict[str, Any]]) -> None:
    for half in halves:
        assert half["layouts"] == [[48, 1, 12, 3]] * 2


def test_vectors_are_measured_over_all_processes(halves: list[dict[str, Any]]) -> None:
    for half in halves:
        found = half["squared_error"]
        assert found["squared_error"] == pytest.approx(found["expected"], rel=1e-6)


def test_a_gradient_on_one_process_only_hangs_nobody(halves: list[dict[str, Any]]) -> None:
    for half in halves:
        assert half["gradients"] == [[1.5, 1.5], [0.5, 0.5], None]


def test_shares_and_averages(halves: list[dict[str, Any]]) -> None:
    assert [half["shares"] for half in halves] == [[1, 1, 4], [0, 1, 3]]
    assert halves[0]["terms"] == halves[1]["terms"] == {"both": 1.5, "one": 5.0}


def test_a_loss_that_is_not_finite_on_one_process_ends_both(halves: list[dict[str, Any]]) -> None:
    assert [half["diverged"] for half in halves] == ["the loss was not finite at step 6"] * 2


def test_an_interrupted_training_of_two_processes_goes_on_to_the_same_end(halves: list[dict[str, Any]]) -> None:
    assert [half["resumed"] for half in halves] == [True, True]
