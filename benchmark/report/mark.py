"""What marks the report of a results folder as whole: written last, it names its files and what they are made of."""

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path

from benchmark.records.files import checksum, read_file, write_output
from benchmark.records.plan import RESPONSE
from benchmark.records.store import RECORD

MARK = ".report.json"


def made_of(folder: Path) -> str:
    """Hash of all that a report is made of: plan, trials of the tuning, and records, which vouch for their runs' files.

    To be asked before the first of them is read, so that what comes later makes another report.
    """
    sources = [folder / "plan.json", folder / RESPONSE, *sorted(folder.glob(f"runs/*/{RECORD}"))]
    hashes = [(path.relative_to(folder).as_posix(), _hash(path)) for path in sources]
    return hashlib.sha256(json.dumps(hashes).encode()).hexdigest()


def mark_whole(folder: Path, sources: str, written: Iterable[Path]) -> None:
    """Say that the report made of ``sources`` (`made_of`) is there, with all files that were ``written``.

    Raises:
        UnwritableError: the disk is full or read-only.
    """
    files = {path.relative_to(folder).as_posix(): _hash(path) for path in written}
    write_output(folder / MARK, json.dumps({"made_of": sources, "files": files}, indent=1) + "\n")


def is_whole(folder: Path) -> bool:
    """Whether the report in ``folder`` is made of what is there now, and has every file as it was written."""
    try:
        mark = json.loads(read_file(folder / MARK).decode())
        files = dict(mark["files"])
        there = all(_hash(folder / name) == expected is not None for name, expected in files.items())
        return there and bool(mark["made_of"] == made_of(folder))
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return False


def _hash(path: Path) -> str | None:
    """SHA-256 of a file; None where there is none that can be read."""
    try:
        return checksum(path)
    except OSError:
        return None
