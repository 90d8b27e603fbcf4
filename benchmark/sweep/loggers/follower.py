"""Hands a logger the curves of running runs, and what finished ones left: all from their files, wherever they run."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np

from benchmark.metrics.parts.rank_frequency import relative_curve
from benchmark.records.files import opened, read_rows
from benchmark.records.history import HISTORY_FILE
from benchmark.records.run import Run
from benchmark.records.store import Store
from benchmark.sweep.launchers.base import Event
from benchmark.sweep.loggers.base import Logger


class Follower:
    """Feeds one logger; what it was given whole is not given again by a later call.

    Args:
        logger: what is fed.
        store: the results that are followed.
        note: hears once, in a sentence, that the logger can't write any more; the runs go on.
    """

    def __init__(self, logger: Logger, store: Store, note: Callable[[str], None]) -> None:
        self._logger = logger
        self._store = store
        self._note = note
        self._rows: dict[str, int] = {}
        self._writes = True

    def finished(self, runs: Iterable[Run]) -> None:
        """Runs that an earlier call has done."""
        for run in runs:
            self._guarded(self._whole, run)

    def show(self, event: Event) -> None:
        """News of a run; of its end once the record is there."""
        run = event.job.run
        if event.kind == "progress" and self._store.fingerprint(run.key) is None:  # else the curves are an older run's
            self._guarded(self._new_rows, run)
        elif event.kind == "ended":
            self._guarded(self._whole, run)

    def _guarded(self, tell: Callable[[Run], None], run: Run) -> None:
        if self._writes:
            try:
                tell(run)
            except self._logger.failures as error:
                self._writes = False
                reason = getattr(error, "strerror", None) or error
                self._note(f"{self._logger.folder} can't be written ({reason}); the runs go on without it")

    def _new_rows(self, run: Run) -> None:
        rows = read_rows(self._store.record_path(run.key).parent / HISTORY_FILE)
        if run.key not in self._rows:
            self._logger.begin(run)
        for row in rows[self._rows.setdefault(run.key, 0) :]:
            values = {name: float(value) for name, value in row.items() if value}
            self._logger.scalars(run, int(values.pop("step")), values)
        self._rows[run.key] = max(len(rows), self._rows[run.key])

    def _whole(self, run: Run) -> None:
        record, fingerprint = self._store.record(run.key), self._store.fingerprint(run.key)
        if record is None or self._was_given(run, str(fingerprint)):
            return
        self._new_rows(run)
        folder = self._store.record_path(run.key).parent
        for level, counts in enumerate(_counts(folder / "counts.npz"), 1):
            ranks, frequencies = relative_curve(counts)
            points = zip((ranks * len(counts)).round().astype(int).tolist(), frequencies.tolist(), strict=True)
            self._logger.curve(run, f"rank_frequency/level_{level}", points)
        for path in sorted([*folder.glob("samples.png"), *folder.glob("samples/*.wav")]):
            self._logger.sample(run, path)
        self._logger.end(run, _numbers(record["metrics"]))
        self._mark(run).write_text(str(fingerprint))
        del self._rows[run.key]

    def _was_given(self, run: Run, fingerprint: str) -> bool:
        mark = self._mark(run)
        return mark.is_file() and mark.read_text() == fingerprint

    def _mark(self, run: Run) -> Path:
        self._logger.folder.mkdir(exist_ok=True)
        return self._logger.folder / f".{run.key}"


def follow(name: str | None, store: Store, note: Callable[[str], None]) -> Follower | None:
    """The follower for a logger by its name; None for none.

    Raises:
        ModuleNotFoundError: its package is not installed.
        UsageError: it is to send the runs somewhere, and may not.
    """
    if name is None:
        return None
    if name == "tensorboard":
        from benchmark.sweep.loggers.tensorboard import TensorBoard

        return Follower(TensorBoard(store.folder), store, note)
    from benchmark.sweep.loggers.wandb import WeightsAndBiases

    return Follower(WeightsAndBiases(store.folder), store, note)


def _counts(path: Path) -> list[np.ndarray]:
    """Of each level that was used at all; none where there are no codes."""
    if not path.is_file():
        return []
    with opened(path) as file, np.load(file, allow_pickle=False) as archive:
        levels = [archive[name] for name in sorted(archive.files, key=lambda name: int(name.rpartition("_")[2]))]
    return [counts for counts in levels if counts.any()]


def _numbers(metrics: dict[str, Any]) -> dict[str, float]:
    return {name: float(value) for name, value in metrics.items() if value is not None}
