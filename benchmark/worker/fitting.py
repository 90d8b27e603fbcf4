"""A training in this process: from its checkpoint where there is one, its curves on disk, stopped by SIGTERM."""

import logging
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from benchmark.processes import all_say, first_says, is_first
from benchmark.records.files import UnwritableError
from benchmark.records.history import HISTORY_FILE, write_history
from benchmark.records.store import CHECKPOINT, RECORD
from benchmark.training.checkpoint import BadCheckpointError
from benchmark.training.loop import Loop, Row
from benchmark.worker.channel import emit

_LOG = logging.getLogger(__name__)
Trained = TypeVar("Trained", bound=Loop)


class Watched:
    """The curves of a run on disk while it goes on; not where the files of an older record would no longer be its own.

    Once they can't be written they are left to the end, which says so.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / HISTORY_FILE
        self._shown = 0
        self._writes = not (folder / RECORD).exists()
        if self._writes and is_first():
            self._path.unlink(missing_ok=True)

    def show(self, history: list[Row]) -> None:
        """Write ``history`` where it has grown."""
        if self._writes and len(history) > self._shown:
            self._shown = len(history)
            try:
                write_history(self._path, history)
            except UnwritableError:
                self._writes = False


def fit(
    make: Callable[[], Trained], folder: Path, begin: Callable[[Trained, Path, bool], None] = lambda *_: None
) -> Trained:
    """Train what ``make`` builds to its last step; its curves are then in ``folder``.

    Args:
        make: the training, before its first step.
        folder: of the run.
        begin: called where there is no checkpoint, with the training, where that would lie, and whether it is the first
            try.

    Raises:
        Stopped, DivergedError, OutOfTimeError: as `Loop.fit`.
        UnwritableError: the curves can't be written.
    """
    checkpoint = folder / CHECKPOINT
    watched = Watched(folder)

    def report(step: int, row: Row) -> None:
        if is_first():
            emit({"step": step, "loss": row["loss"], "usage": row.get("usage")})
            watched.show(trainer.progress.history)

    first = True
    while True:
        trainer = make()
        try:
            with _stopping(trainer):
                if first_says(not checkpoint.exists())[0]:
                    begin(trainer, checkpoint, first)
                trainer.fit(checkpoint, report)
        except BadCheckpointError as error:
            _LOG.warning("%s; training starts again", error)
            first = False
            if is_first():
                checkpoint.unlink(missing_ok=True)
            all_say(True)  # none looks for it before it is gone
        else:
            if is_first():
                write_history(folder / HISTORY_FILE, trainer.progress.history)
            return trainer


@contextmanager
def _stopping(trainer: Loop) -> Iterator[None]:
    """Within it SIGTERM ends the training between two steps, where its state is whole."""

    def stop(_signal: int, _frame: object) -> None:
        trainer.stop_requested = True

    previous = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, previous)
