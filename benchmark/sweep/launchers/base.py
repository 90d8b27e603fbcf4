"""The interface of a launcher."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol

from benchmark.worker.channel import Ending
from benchmark.worker.job import Job


@dataclass(frozen=True)
class Event:
    """News of a run: ``started``, ``progress`` (step, loss, usage), or ``ended`` (exit code, last of its output).

    ``out_of_memory``: the kernel ended it for the memory it used. ``ending``: what the worker itself said of why it
    ends without a record; ``message`` is then what it said.
    """

    kind: str
    job: Job
    step: int = 0
    loss: float | None = None
    usage: float | None = None
    exit_code: int = 0
    message: str = ""
    out_of_memory: bool = False
    ending: Ending | None = None


class Launcher(Protocol):
    """Runs jobs, several at once; every job ends with exactly one ``ended`` event.

    When it comes, the record lies in the store or the worker left none.
    """

    def launch(self, jobs: Iterable[Job]) -> Iterator[Event]:
        """Start jobs as places fall free and yield events as they come.

        ``jobs`` is asked for the next one only when there is a place for it.
        """
        ...

    def stop(self) -> None:
        """Ask every running job to save where it stands and end; returns when they have."""
        ...
