"""`--log wandb`: a suite is a group of runs of Weights & Biases; with ``WANDB_MODE=offline`` nothing is sent."""

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from benchmark.records.run import Run
from methods.core.usage import UsageError

PROJECT = "codebook-bench"
"""Unless ``WANDB_PROJECT`` says another."""


class WeightsAndBiases:
    """Histories along steps, rank–frequency along ranks, samples, and test metrics as the summary.

    Files lie in ``RESULTS/SUITE/wandb``; ``wandb sync`` sends what was written offline.

    Raises:
        UsageError: it is to send, and has no key to do so; on a terminal it asks for one first.
    """

    def __init__(self, folder: Path) -> None:
        import wandb

        self.folder = folder / "wandb"
        self.failures: tuple[type[Exception], ...] = (OSError, wandb.Error)
        self._wandb = wandb
        self._runs: dict[str, Any] = {}
        if wandb.setup().settings.mode == "online":
            try:
                wandb.login()
            except wandb.Error as error:
                raise UsageError(f"--log wandb: {error} WANDB_MODE=offline needs no key and sends nothing") from error

    def begin(self, run: Run) -> None:
        """A run of its own in the suite's group, with the scientific configuration."""
        begun = self._wandb.init(
            project=os.environ.get("WANDB_PROJECT", PROJECT),
            group=run.suite,
            name=run.label,
            config=run.config,
            dir=str(self.folder.parent),
            reinit="create_new",
            settings=self._wandb.Settings(console="off", silent=True),
        )
        begun.define_metric("training/*", step_metric="step")
        begun.define_metric("rank_frequency/*", step_metric="rank")
        self._runs[run.key] = begun

    def scalars(self, run: Run, step: int, values: Mapping[str, float]) -> None:
        """By the names of the columns."""
        self._runs[run.key].log({"step": step, **{f"training/{name}": value for name, value in values.items()}})

    def curve(self, run: Run, name: str, points: Iterable[tuple[int, float]]) -> None:
        """A metric along ranks."""
        for rank, value in points:
            self._runs[run.key].log({"rank": rank, name: value})

    def sample(self, run: Run, path: Path) -> None:
        """A picture or a sound."""
        kind = self._wandb.Image if path.suffix == ".png" else self._wandb.Audio
        self._runs[run.key].log({f"samples/{path.stem}": kind(str(path))})

    def end(self, run: Run, metrics: Mapping[str, float]) -> None:
        """Test metrics in the summary."""
        begun = self._runs.pop(run.key)
        begun.summary.update({f"test/{name}": value for name, value in metrics.items()})
        begun.finish()
