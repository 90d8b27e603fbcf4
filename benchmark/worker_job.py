"""What a worker is told and what it answers with: a run and where it happens, and the record it starts from."""

import json
from dataclasses import asdict, dataclass
from typing import Any

from benchmark.run import Run

EXIT_CLAIMED = 75
"""A worker's exit code where another process holds the run (EX_TEMPFAIL)."""


@dataclass(frozen=True)
class Job:
    """A run and where it happens; nothing here but ``run.config`` belongs to its key."""

    run: Run
    results: str
    device: str
    threads: int
    plugins: tuple[str, ...] = ()
    retry: tuple[str, ...] = ()
    keep_checkpoint: bool = False

    def to_json(self) -> str:
        """For the worker's standard input."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> "Job":
        """The job that `to_json` wrote."""
        fields = json.loads(text)
        tuples = {name: tuple(fields[name]) for name in ("plugins", "retry")}
        return cls(**{**fields, **tuples, "run": Run(**fields["run"])})


def empty_record(run: Run) -> dict[str, Any]:
    """A record before anything is known: what a run is, and empty results."""
    return {
        "arm": run.arm,
        "suite": run.suite,
        "config": run.config,
        "reason": None,
        "traceback": None,
        "metrics": {},
        "details": {},
        "level_sizes": [],
        "converged": None,
        "timings": {},
        "memory": {},
        "provenance": {},
    }
