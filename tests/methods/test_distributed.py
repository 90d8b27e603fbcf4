"""Two processes with half batches end with the state of one process with the whole batch, for all that claim it."""

import pytest
import torch
import torch.distributed as dist

from methods import Card, available, create, get
from methods.parts.kmeans import collect_rows, kmeans, spread_rows

CLAIM = Card.__dataclass_fields__["distributed"].default
CLAIMING = [name for name in available() if get(name).has_codes and get(name).card.distributed == CLAIM]
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
NOISY = ("nsvq", "diveq", "hqa")
"""Of these the processes draw noise of their own; what they hold stays the same on both."""
CASES = {name: (name, {}) for name in (*CLAIMING, *NOISY)} | OPTIONS
CODEBOOK_SIZE, DIM, EXAMPLES, STEPS = 64, 8, 8, 2


def train(case: str, rank: int | None) -> dict[str, torch.Tensor]:
    """State after two steps, and the latents' gradients, on all examples or on one process's half of them."""
    part = slice(None) if rank is None else slice(rank * EXAMPLES // 2, (rank + 1) * EXAMPLES // 2)
    world = 1 if rank is None else 2
    torch.manual_seed(0)
    name, params = CASES[case]
    quantizer = create(name, CODEBOOK_SIZE, DIM, **params)
    quantizer.initialise(iter([batch(100)[part]]))
    found = {}
    for step in range(STEPS):
        torch.manual_seed(1000 + step)
        quantizer.train().anneal(step, STEPS)
        latents = batch(step)[part].clone().requires_grad_()
        result = quantizer(latents)
        errors = (result.latents - latents.detach().roll(1, -1)).square().flatten(1).sum(1)
        quantizer.zero_grad()
        (quantizer.reconstruction_loss(errors, latents[0].numel()) + result.loss).backward()
        found[f"gradient of the latents at step {step}"] = latents.grad / world
        optimise(quantizer, world)
    return found | quantizer.state_dict()


def batch(seed: int) -> torch.Tensor:
    return torch.randn(EXAMPLES, 4, 4, DIM, generator=torch.Generator().manual_seed(seed))


def optimise(quantizer, world: int) -> None:
    """A step of gradient descent on gradients averaged over the processes, as DistributedDataParallel averages them."""
    groups = quantizer.parameter_groups(0.1)
    for group in groups:
        for parameter in group["params"]:
            if world > 1:
                parameter.grad = torch.zeros_like(parameter) if parameter.grad is None else parameter.grad
                dist.all_reduce(parameter.grad)
                parameter.grad /= world
    if groups:
        torch.optim.SGD(groups, lr=0.1).step()
    quantizer.after_step()


def train_half(rank: int) -> dict[str, dict[str, torch.Tensor] | str]:
    """Of every claiming method the state of this process's half, or what it raised."""
    found: dict[str, dict[str, torch.Tensor] | str] = {"k-means start": {"centroids": centroids(rank)}}
    for case in CASES:
        try:
            found[case] = train(case, rank)
        except Exception as error:
            found[case] = f"process {rank}: {type(error).__name__}: {error}"
    return found


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
    for half in halves:
        assert not isinstance(half[name], str), half[name]
    whole = train(name, None)
    for key, expected in whole.items():
        found = [half[name][key] for half in halves]
        if key.startswith("gradient of the latents"):
            torch.testing.assert_close(
                torch.cat(found), expected, rtol=1e-4, atol=1e-6, msg=lambda m, k=key: f"{k}: {m}"
            )
            continue
        assert torch.equal(found[0], found[1]), f"`{key}` differs between the two processes"
        torch.testing.assert_close(found[0], expected, rtol=1e-4, atol=1e-5, msg=lambda m, k=key: f"{k}: {m}")


@pytest.mark.parametrize("name", NOISY)
def test_two_processes_with_noise_of_their_own_hold_the_same(halves, name):
    first, second = [half[name] for half in halves]
    assert not isinstance(first, str), first
    assert not isinstance(second, str), second
    for key, found in first.items():
        if not key.startswith("gradient of the latents"):
            assert torch.equal(found, second[key]), f"`{key}` differs between the two processes"


def test_two_processes_find_the_centroids_of_one(halves):
    for half in halves:
        torch.testing.assert_close(half["k-means start"]["centroids"], centroids(None), rtol=1e-5, atol=1e-5)


def test_the_methods_of_the_spine_claim_it():
    assert {"vq_vae", "vq_vae_ema", "simvq"} <= set(CLAIMING)
