"""The commands that make a run again, and why `verify` would not."""

import re
from collections.abc import Iterable
from typing import Any

from benchmark.records.run import why_not_trained
from benchmark.report.frame import Results

_PLAIN = re.compile(r"[\w.][\w./-]*", re.ASCII)
"""What a command can name without quoting."""


def commands(results: Results) -> dict[str, str]:
    """``verify``: what stands before a run's key in ``make verify``; ``bench``: for what is not verified."""
    folder, suite = results.folder, str(results.plan["suite"])
    # A path that is not relative would tell where this machine keeps its files.
    told = not folder.is_absolute() and _PLAIN.fullmatch(folder.as_posix())
    return {
        "verify": f"RUN={folder.as_posix()}/runs/" if told else "RUN=",
        "bench": f"make bench SUITE={suite if _PLAIN.fullmatch(suite) else '...'} RESULTS=again",
    }


def refused(records: Iterable[dict[str, Any]]) -> dict[int, str]:
    """By their number the runs that can't be verified, and why."""
    found = ((number, _why(record)) for number, record in enumerate(records))
    return {number: why for number, why in found if why is not None}


def _why(record: dict[str, Any]) -> str | None:
    if record["status"] != "ok":
        return "It did not end well, so there is nothing to verify"
    why = why_not_trained(record["config"])
    return None if why is None else why[0].upper() + why[1:]
