"""Two processes with half batches end with the state of one process with the whole batch, for all that claim it."""

import pytest
import torch

from methods import Card, available, get
from methods.adapters.vector_quantize_pytorch import CLASSES
from methods.contract.processes import compare, train
from methods.contract.subject import Subject
from methods.parts.kmeans import collect_rows, kmeans, spread_rows

CLAIMING = [name for name in available() if get(name).has_codes and get(name).card.distributed == Card.SAME_AS_ONE]
OPTIONS = {
    "affine_vq, alternating": ("affine_vq", {"alternate": True, "beta": 1.0, "inner_lr": 1.0, "replace_after": 1}),
    "diveq without noise": ("diveq", {"noise": 0.0, "replace_every": 1, "threshold": 0.5}),
    "sc_vae": ("sc_vae", {}),
    "vq_vae, rotation, reset, entropies": (
        "vq_vae",
        {"estimator": "rotation", "upkeep": "reset", "init": "latents", "entropy_weight": 0.1},
    ),
    "simvq, expiry": ("simvq", {"upkeep": "expiry", "upkeep_params": {"decay": 0.5}}),
    "simvq, anchors": ("simvq", {"upkeep": "cvq"}),
    "product_vq over residual_vq": ("product_vq", {"level": "residual_vq", "level_params": {"depth": 3}}),
}
"""Cases beside the defaults."""
NOISY = ("nsvq", "diveq", "hqa", "fsp", "vp_vae", "gaussian_quant")
"""Of these the processes draw noise of their own; what they hold stays the same on both."""
OTHERS = {name: ("vector_quantize_pytorch", {"class": name}) for name in CLASSES}
CASES = {name: (name, {}) for name in (*CLAIMING, *NOISY)} | OPTIONS | OTHERS
DIM = 8


def subject(case: str) -> Subject:
    name, params = CASES[case]
    return Subject(get(name), 4096 if case in OTHERS else 64, DIM, params)


def train_half(rank: int) -> dict[str, dict[str, torch.Tensor] | str]:
    """Of every case the state of this process's half, or what it raised."""
    found: dict[str, dict[str, torch.Tensor] | str] = {"k-means start": {"centroids": centroids(rank)}}
    for case in CASES:
        try:
            found[case] = train(subject(case), rank)
        except Exception as error:
            found[case] = f"process {rank}: {type(error).__name__}: {error}"
    return found


def compared(halves, case: str) -> tuple[list[str], list[str]]:
    for half in halves:
        assert not isinstance(half[case], str), half[case]
    return compare([half[case] for half in halves], train(subject(case)))


def centroids(rank: int | None) -> torch.Tensor:
    """k-means of all rows, or of the whole by a process that holds 5 or 35 of the 40."""
    part = {None: slice(None), 0: slice(5), 1: slice(5, None)}[rank]
    torch.manual_seed(6)
    rows = torch.randn(40, DIM, generator=torch.Generator().manual_seed(9))
    mine = collect_rows(iter([rows[part]]), 7)
    return torch.cat([kmeans(mine, 7), spread_rows(mine, 7)])


@pytest.fixture(scope="module")
def halves(in_two_processes):
    return in_two_processes("train_half")


@pytest.mark.parametrize("name", [*CLAIMING, *OPTIONS])
def test_two_processes_equal_one(halves, name):
    assert compared(halves, name) == ([], [])


@pytest.mark.parametrize("name", NOISY)
def test_two_processes_with_noise_of_their_own_hold_the_same(halves, name):
    apart, off = compared(halves, name)
    assert not apart
    assert off


@pytest.mark.parametrize("name", OTHERS)
def test_another_librarys_classes(halves, name):
    """As the card says: all but those whose mean over codes is divided by the processes without being summed."""
    apart, off = compared(halves, name)
    assert not apart
    assert bool(off) == ("LFQ" in name)


def test_two_processes_find_the_centroids_of_one(halves):
    for half in halves:
        torch.testing.assert_close(half["k-means start"]["centroids"], centroids(None), rtol=1e-5, atol=1e-5)


def test_the_methods_of_the_spine_claim_it():
    assert {"vq_vae", "vq_vae_ema", "simvq"} <= set(CLAIMING)
