"""Objectives whose discriminators learn, and one that goes on from the state of another."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from benchmark.objectives import Objective

Make = Callable[[], Objective]


@pytest.fixture
def whole_and_resumed(tmp_path: Path) -> Callable[..., tuple[Objective, Objective]]:
    """``whole_and_resumed(make, make_again, pair)``: one learns four steps, the other from the third's state on."""

    def learn(make: Make, make_again: Make, pair: tuple[torch.Tensor, torch.Tensor]) -> tuple[Objective, Objective]:
        whole, first = make(), make()
        for step in range(3):
            for objective in (whole, first):
                objective.anneal(step, 9)
                objective.learn(*pair)
        torch.save(first.state_dict(), tmp_path / "state.pt")
        torch.manual_seed(5)
        second = make_again()
        second.load_state_dict(torch.load(tmp_path / "state.pt", weights_only=True))
        for objective in (whole, second):
            objective.anneal(3, 9)
            objective.learn(*pair)
        return whole, second

    return learn
