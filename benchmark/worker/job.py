"""What a worker is told: a run and where it happens."""

import json
from dataclasses import asdict, dataclass

from benchmark.records.run import Run


@dataclass(frozen=True)
class Job:
    """A run and where it happens; nothing here but ``run.config`` belongs to its key.

    ``others``: where kept weights and checkpoints of other runs lie, if any may be used. ``replaces``: fingerprint of a
    record that does not count (bad, or to be retried); any other record that is there when the worker holds the run was
    made in the meantime, and counts. ``held``: whoever started the
    worker holds the run for it. ``beside``: runs at a time that share the device, this one counted.
    """

    run: Run
    results: str
    device: str
    threads: int
    plugins: tuple[str, ...] = ()
    others: str | None = None
    replaces: str | None = None
    keep_checkpoint: bool = False
    held: bool = False
    beside: int = 1

    def to_json(self) -> str:
        """For the worker's standard input."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> "Job":
        """The job that `to_json` wrote."""
        fields = json.loads(text)
        return cls(**{**fields, "plugins": tuple(fields["plugins"]), "run": Run(**fields["run"])})
