"""A training left alone, and the same one interrupted and gone on with."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from benchmark.training.checkpoint import save_checkpoint
from benchmark.training.trainer import Trainer

Pair = tuple[Trainer, Trainer]


def silent(step: int, row: dict[str, float]) -> None:
    pass


@pytest.fixture
def whole_and_resumed(tmp_path: Path) -> Callable[[Callable[[], Trainer], int], Pair]:
    """``whole_and_resumed(make, at)``: two trainings that ``make`` builds, the second interrupted at step ``at``."""

    def train(make: Callable[[], Trainer], at: int) -> Pair:
        whole = make()
        whole.fit(tmp_path / "none.pt", silent)

        def interrupt(step: int, row: dict[str, float]) -> None:
            if step == at:
                raise KeyboardInterrupt

        first = make()
        with pytest.raises(KeyboardInterrupt):
            first.fit(tmp_path / "checkpoint.pt", interrupt)
        save_checkpoint(tmp_path / "checkpoint.pt", first)
        torch.manual_seed(123)
        resumed = make()
        resumed.fit(tmp_path / "checkpoint.pt", silent)
        return whole, resumed

    return train
