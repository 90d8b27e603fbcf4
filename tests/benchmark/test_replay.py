"""The published mean-shift study replayed with its authors' draws: our methods give their figures.

Wasserstein-VQ's simulation (arXiv 2506.15078, code at 777e310); the protocol is in results/published/README.md.
"""

import math
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
import torch
from torch import Tensor, nn

from methods import Quantizer, create

PUBLISHED = Path(__file__).parents[2] / "results" / "published" / "mean_shift_steps.csv"
SIZE, DIM = 16_384, 8
BATCH, TEST = 50_000, 200_000
ARMS = {
    "vanilla": ("vq_vae", {"beta": 0.0}, 1.0),
    "ema": ("vq_vae_ema", {"decay": 0.9, "debias": False}, 1.0),
    "online": (
        "cvq_vae",
        {"beta": 0.0, "metric": "euclidean", "decay": 0.9, "anchor_after_step": True},
        3.0,
    ),
    "linear": ("simvq", {"beta": 0.0}, 0.02),
    "wasserstein": (
        "wasserstein_vq",
        {"beta": 0.0, "gamma": 10.0, "codebook_weight": 1.0 * DIM, "queue_size": 0, "normalise": False},
        2.0 / DIM,
    ),
}
"""Method, parameters and learning rate on the authors' loss: the squared error summed over D, ours its mean."""
AT_SHIFT = {("wasserstein", 8): ({"codebook_weight": 0.1 * DIM}, 3.0 / DIM)}
"""What differs in some of the authors' runs."""


def settings(arm: str, shift: float) -> tuple[str, dict[str, object], float]:
    """Method, parameters and learning rate of an arm at a shift."""
    name, params, rate = ARMS[arm]
    others, rate = AT_SHIFT.get((arm, shift), ({}, rate))
    return name, {**params, **others}, rate


def draw(count: int, law: str) -> Tensor:
    """As the authors draw: in the uniform study a normal draw is made and overwritten."""
    rows = torch.randn(count, DIM)
    return rows if law == "gaussian" else rows.uniform_(-1, 1)


def start(arm: str, law: str, shift: float) -> Quantizer:
    """The arm with the authors' codebook, their random state as it is before the first features."""
    torch.manual_seed(12)
    codebook = draw(SIZE, law)
    torch.randn(SIZE, DIM)
    linear = nn.Linear(DIM, DIM) if arm == "linear" else None
    with torch.random.fork_rng():
        name, params, _ = settings(arm, shift)
        quantizer = create(name, SIZE, DIM, **params)
    with torch.no_grad():
        quantizer.codebook.copy_(codebook)
        if arm == "ema":
            quantizer.statistics.sums.copy_(codebook)
        if linear is not None:
            quantizer.map[0].load_state_dict(linear.state_dict())
    return quantizer


def replay(arm: str, law: str, shift: float, last_step: int) -> Iterator[tuple[int, dict[str, float]]]:
    """Error, usage and perplexity at steps 0, 1, 100, 200 … up to ``last_step``."""
    quantizer = start(arm, law, shift)
    groups = quantizer.parameter_groups(settings(arm, shift)[2] * DIM)
    optimizer = torch.optim.SGD(groups, momentum=0.9) if groups else None
    yield 0, measure(quantizer, draw(TEST, law) + shift)
    for step in range(1, last_step + 1):
        loss = quantizer.train()(draw(BATCH, law) + shift).loss
        if optimizer is not None:
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        quantizer.after_step()
        if step == 1 or step % 100 == 0:
            yield step, measure(quantizer, draw(TEST, law) + shift)


@torch.no_grad()
def measure(quantizer: Quantizer, features: Tensor) -> dict[str, float]:
    found = quantizer.eval()(features)
    shares = torch.bincount(found.codes.flatten(), minlength=SIZE).double() / len(features)
    used = shares[shares > 0]
    return {
        "quantization_error": float((found.latents - features).double().square().sum(1).mean()),
        "usage": len(used) / SIZE,
        "perplexity": math.exp(-float((used * used.log()).sum())),
    }


def published(law: str, arm: str, shift: float, step: int) -> dict[str, float]:
    table = pd.read_csv(PUBLISHED)
    [row] = table[
        (table["law"] == law) & (table["arm"] == arm) & (table["shift"] == shift) & (table["step"] == step)
    ].to_dict("records")
    return {name: row[name] for name in ("quantization_error", "usage", "perplexity")}


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    """Of conftest.py, which these minutes of search would rather do without."""
    torch.set_num_threads(2)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arm", "law", "shift"),
    [
        *((arm, "gaussian", shift) for arm in ("vanilla", "ema", "online", "linear") for shift in (0, 2, 4, 8)),
        *((arm, "uniform", shift) for arm in ("vanilla", "ema", "linear") for shift in (0, 2)),
        ("wasserstein", "gaussian", 2),
        ("wasserstein", "gaussian", 8),
    ],
)
def test_published_figures_come_out(arm: str, law: str, shift: int) -> None:
    # The online arm moves codewords to the latents nearest to them: where two are as near but for the last bit of
    # fp32, runs part. Then six of 696 codewords are missing at shift 4, and at shift 8 the perplexity is 0.9 % off.
    early, late = (3e-4, 1e-2) if arm == "online" else (2e-4, 5e-3)
    for step, found in replay(arm, law, shift, last_step=100):
        expected = published(law, arm, shift, step)
        # One of the 16,384 codewords more or less, a tie in fp32, is 6e-5 of usage.
        assert found["usage"] == pytest.approx(expected.pop("usage"), rel=late if step == 100 else 0, abs=1e-4), step
        assert {name: found[name] for name in expected} == pytest.approx(
            expected, rel=late if step == 100 else early
        ), step
