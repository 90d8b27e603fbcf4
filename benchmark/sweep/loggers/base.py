"""The interface of a logger."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Protocol

from benchmark.records.run import Run


class Logger(Protocol):
    """Shows runs side by side in another program; of a run `begin` is called first and `end` last."""

    folder: Path
    """Where it writes, under the results of the suite."""
    failures: tuple[type[Exception], ...]
    """What its methods raise where it can't write, or not send."""

    def begin(self, run: Run) -> None:
        """From its start, whatever was shown of the run before."""
        ...

    def scalars(self, run: Run, step: int, values: Mapping[str, float]) -> None:
        """A row of the history."""
        ...

    def curve(self, run: Run, name: str, points: Iterable[tuple[int, float]]) -> None:
        """What goes along something else than steps."""
        ...

    def sample(self, run: Run, path: Path) -> None:
        """A picture (``.png``) or a sound (``.wav``) that the run left."""
        ...

    def end(self, run: Run, metrics: Mapping[str, float]) -> None:
        """What was measured on the test set; nothing of a run that did not end well."""
        ...
