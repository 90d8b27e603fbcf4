"""Records of runs: atomic files, whole or not counted. Needs no torch, so that reports are quick."""

import json
import os
import tempfile
from pathlib import Path
from typing import Any

SCHEMA = 1
STATUSES = ("ok", "diverged", "out_of_memory", "timeout", "failed")
_TYPES: dict[str, type | tuple[type, ...]] = {
    "key": str,
    "arm": str,
    "suite": str,
    "config": dict,
    "metrics": dict,
    "details": dict,
    "level_sizes": list,
    "converged": (bool, type(None)),
    "timings": dict,
    "memory": dict,
    "provenance": dict,
}


class BadRecordError(ValueError):
    """A record that is cut short, filled with rubbish, or not of this schema."""


def write_atomic(path: Path, content: str | bytes) -> None:
    """Write by write-then-rename: a reader sees the old file or the whole new one."""
    data = content.encode() if isinstance(content, str) else content
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def read_record(path: Path) -> dict[str, Any]:
    """The record in ``path``, checked to be whole.

    Raises:
        BadRecordError: it can't be trusted; the message says why.
        FileNotFoundError: there is none.
    """
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise
    except (OSError, ValueError, RecursionError) as error:
        raise BadRecordError(f"{path} is not a whole record: {error}") from error
    if not isinstance(record, dict) or record.get("schema") != SCHEMA:
        raise BadRecordError(f"{path} is not a record of schema {SCHEMA}")
    if record.get("status") not in STATUSES:
        raise BadRecordError(f"{path} has no valid status")
    for name, kind in _TYPES.items():
        if not isinstance(record.get(name), kind):
            raise BadRecordError(f"{path} has no valid `{name}`")
    if record["key"] != path.parent.name:
        raise BadRecordError(f"{path} is the record of another run, {record['key'][:80]}")
    return record
