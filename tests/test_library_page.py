"""The code of docs/library.md runs as it stands, its part for several processes in two."""

import re
import warnings
from pathlib import Path

import pytest
import torch

PAGE = (Path(__file__).parents[1] / "docs" / "library.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
METHODS = ("simvq", "vq_vae_ema", "codebook_reset")


def run(blocks: list[str]) -> dict:
    names: dict = {}
    with warnings.catch_warnings():
        # Of what PyTorch itself deprecates in exporting and tracing.
        warnings.simplefilter("ignore", DeprecationWarning)
        warnings.simplefilter("ignore", FutureWarning)
        for block in blocks:
            exec(compile(block, "docs/library.md", "exec"), names)
    return names


def two_steps(rank: int) -> dict[str, dict[str, torch.Tensor]]:
    """Of each method the state after the page's training in a group."""
    train = run([BLOCKS[0], BLOCKS[-1]])["train_in_a_group"]
    return {method: train(method) for method in METHODS}


def test_the_code_runs() -> None:
    names = run(BLOCKS[:-1])
    assert names["codes"].shape == (32, 10, 1)
    assert names["latents"].shape == (32, 10, 8)


@pytest.fixture(scope="module")
def states(in_two_processes):
    return in_two_processes("two_steps")


@pytest.mark.parametrize("method", METHODS)
def test_two_processes_hold_the_same(states, method: str) -> None:
    first, second = (state[method] for state in states)
    assert first.keys() == second.keys()
    assert all(torch.equal(first[name], second[name]) for name in first)
