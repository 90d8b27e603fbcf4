"""The interface of a launcher."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol

from benchmark.worker_job import Job


@dataclass(frozen=True)
class Event:
    """News of a run: ``started``, ``progress`` (step, loss, usage), or ``ended`` (exit code, last of stderr)."""

    kind: str
    job: Job
    step: int = 0
    loss: float | None = None
    usage: float | None = None
    exit_code: int = 0
    message: str = ""


class Launcher(Protocol):
    """Runs jobs, several at once; every job ends with exactly one ``ended`` event."""

    def launch(self, jobs: Iterable[Job]) -> Iterator[Event]:
        """Start jobs as places fall free and yield events as they come."""
        ...

    def stop(self) -> None:
        """Ask every running job to save where it stands and end; returns when they have."""
        ...
