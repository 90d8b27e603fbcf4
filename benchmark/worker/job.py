"""What a worker is told and what it answers with: a run and where it happens, and exit codes."""

import json
from dataclasses import asdict, dataclass

from benchmark.records.run import Run

EXIT_UNWRITABLE = 74
"""A worker's exit code where the results can't be written: a full disk, a read-only folder (EX_IOERR)."""
EXIT_CLAIMED = 75
"""A worker's exit code where another process holds the run (EX_TEMPFAIL)."""
EXIT_STOPPED = 130
"""A worker's exit code where it was asked to stop: it saved where it stands."""


@dataclass(frozen=True)
class Job:
    """A run and where it happens; nothing here but ``run.config`` belongs to its key.

    ``replaces``: fingerprint of a record that does not count (bad, or to be retried); any other record
    that is there when the worker holds the run was made in the meantime, and counts. ``held``: whoever started the
    worker holds the run for it.
    """

    run: Run
    results: str
    device: str
    threads: int
    plugins: tuple[str, ...] = ()
    replaces: str | None = None
    keep_checkpoint: bool = False
    held: bool = False

    def to_json(self) -> str:
        """For the worker's standard input."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> "Job":
        """The job that `to_json` wrote."""
        fields = json.loads(text)
        return cls(**{**fields, "plugins": tuple(fields["plugins"]), "run": Run(**fields["run"])})
