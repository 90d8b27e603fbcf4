"""Vectors without an encoder: their laws, fresh every step, the same for every arm."""

import pytest
import torch

from benchmark.data import datasets
from benchmark.training.trainer import Trainer
from methods import UsageError

CPU = torch.device("cpu")


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize(("law", "std"), [("gaussian", 1.0), ("uniform", 3**-0.5)])
def test_shifted_law(law: str, std: float) -> None:
    made = datasets.create("shifted", {"law": law, "shift": 2, "dim": 3, "test_items": 50_000})
    assert made.item_shape == (3,)
    assert made.modality == datasets.trait("shifted", "modality") == "latents"
    for items in (made.test, made.fresh(50_000, 7, generator())):
        assert items.mean(0) == pytest.approx(torch.full((3,), 2.0), abs=0.02)
        assert items.std(0) == pytest.approx(torch.full((3,), std), abs=0.02)
    assert made.variance == pytest.approx(std**2, rel=0.02)
    if law == "uniform":
        assert made.test.min() >= 1
        assert made.test.max() <= 3


def test_the_same_test_set_for_every_run_and_other_items_than_in_training() -> None:
    first, second = (datasets.create("mixture", {"test_items": 100}) for _ in range(2))
    assert torch.equal(first.test, second.test)
    assert not torch.equal(first.test, first.validation[:100])
    assert not torch.equal(first.test, first.fresh(100, 0, generator()))


def test_mixture_of_as_many_centres_as_asked_in_unequal_shares() -> None:
    made = datasets.create("mixture", {"dim": 2, "components": 3, "spread": 1000, "imbalance": 1})
    close = torch.cdist(made.test, made.test[:200]) < 50
    shares = sorted({round(float(share), 2) for share in close.float().mean(0)})
    assert shares == pytest.approx([2 / 11, 3 / 11, 6 / 11], abs=0.02)


def test_planted_kinds() -> None:
    clustered, drifting, identical = (
        datasets.create("planted", {"kind": kind, "drift": 4, "drift_steps": 10})
        for kind in ("clustered", "drifting", "identical")
    )
    assert len((torch.cdist(clustered.test[:300], clustered.test[:300]) < 1).unique(dim=0)) == 3
    means = [float(drifting.fresh(4096, step, generator()).mean()) for step in (0, 5, 10, 50)]
    assert means == pytest.approx([0, 2, 4, 4], abs=0.05)
    assert float(drifting.test.mean()) == pytest.approx(4, abs=0.05)
    assert float(drifting.train.mean()) == pytest.approx(0, abs=0.05)
    assert len(identical.test.unique(dim=0)) == 1
    assert identical.variance == 0


def config(method: str, seed: int = 0) -> dict:
    training = {"steps": 3, "batch_size": 16, "learning_rate": 1e-2, "optimizer": "sgd", "momentum": 0.9}
    return {
        "method": method,
        "params": {},
        "codebook_size": 8,
        "model": {"name": "identity"},
        "objective": {"name": "squared_error", "normalise": False},
        "training": {**training, "warmup_steps": 0, "clip_norm": None, "ema_decay": None, "precision": "fp32"},
        "seed": seed,
    }


def test_every_arm_sees_the_same_fresh_items_each_step() -> None:
    made = datasets.create("shifted", {})
    simvq, plain = (Trainer(config(method), made, CPU) for method in ("simvq", "vq_vae"))
    assert torch.equal(simvq._items(4), plain._items(4))
    assert not torch.equal(plain._items(4), plain._items(5))
    assert not torch.equal(plain._items(4), Trainer(config("vq_vae", seed=1), made, CPU)._items(4))


def test_a_law_without_variance_needs_no_normalisation() -> None:
    made = datasets.create("planted", {"kind": "identical"})
    with pytest.raises(UsageError, match="do not vary; set `normalise: false`"):
        Trainer({**config("vq_vae"), "objective": {"name": "squared_error", "normalise": True}}, made, CPU)


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("shifted", {"law": "gausian"}, "law must be one of .*did you mean `gaussian`"),
        ("shifted", {"dim": 0}, "dim must be a whole number of at least 1, not 0"),
        ("shifted", {"test_items": 10**13}, "10,000,000,000,000 test items of [0-9]+ numbers .* GB of memory,"),
        ("planted", {"dim": 10**12}, "4,096 test items of 1,000,000,000,000 numbers .* GB of memory, more than"),
        ("mixture", {"components": 10**9}, "components must be a whole number from 1 to 16777216, not 1000000000"),
        ("mixture", {"spread": -1}, "spread must be between 0"),
        ("planted", {"kind": "drift"}, "kind must be one of"),
    ],
)
def test_mistakes(name: str, options: dict, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        datasets.create(name, options)
