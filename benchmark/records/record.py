"""The record of a run: its fields and statuses, before anything is known, sealed, read back whole. Needs no torch."""

import hashlib
import json
from pathlib import Path
from typing import Annotated, Any, Literal, NoReturn, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from benchmark.records.files import read_file
from benchmark.records.run import KEY, Run

SCHEMA = 2
"""From 2 on a record holds a digest of itself."""
Status = Literal["ok", "diverged", "out_of_memory", "timeout", "failed"]
STATUSES: tuple[Status, ...] = get_args(Status)
"""How a run can end, a good end first."""

_Whole = Annotated[int, Field(ge=0, lt=2**63)]
_Numbers = dict[str, Annotated[float, Field(allow_inf_nan=False)] | None]


class _Training(BaseModel):
    """The part of a run's training that reports read."""

    model_config = ConfigDict(extra="allow", strict=True)
    steps: _Whole | None = None
    schedule: str | None = None
    learning_rate: Annotated[float, Field(allow_inf_nan=False)] | None = None


class _Config(BaseModel):
    """The part of a run's configuration that reports read."""

    model_config = ConfigDict(extra="allow", strict=True)
    method: str | None = None
    codebook_size: _Whole | None = None
    seed: _Whole | None = None
    training: _Training = _Training()


class _Record(BaseModel):
    """The types of a record; newer ones may hold more."""

    model_config = ConfigDict(extra="allow", strict=True)
    schema_version: Literal[1, 2] = Field(alias="schema")
    status: Status
    key: Annotated[str, Field(pattern=rf"^{KEY.pattern}$")]
    arm: str = Field(pattern=r"^[A-Za-z0-9_]+$")
    suite: str
    config: _Config
    reason: str | None = None
    traceback: str | None = None
    metrics: _Numbers
    details: dict[str, Any]
    level_sizes: list[_Whole]
    converged: bool | None = None  # of records made before the tables computed how far from done a run is
    timings: _Numbers
    memory: _Numbers
    provenance: dict[str, Any]
    files: dict[str, str] = {}  # the run's other files, by their path in its folder, and the beginnings of their hashes
    thinned: list[str] = []  # what the run wrote and `thin` has removed
    digest: str | None = None


class BadRecordError(ValueError):
    """A record that is cut short, filled with rubbish, or not of this schema."""


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
        "timings": {},
        "memory": {},
        "provenance": {},
    }


def seal(record: dict[str, Any]) -> dict[str, Any]:
    """``record``, as JSON gives it back, with a digest of all its other fields; schema 1 had none."""
    content = {name: value for name, value in record.items() if name != "digest"}
    return content if record["schema"] == 1 else {**content, "digest": _digest(content)}


def _digest(content: dict[str, Any]) -> str:
    """SHA-256 of ``content`` as JSON with sorted names and without spaces."""
    return hashlib.sha256(json.dumps(content, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def read_record(path: Path) -> dict[str, Any]:
    """The record in ``path``, checked to be whole and what was written; its files are `store.read_whole`'s matter.

    Raises:
        BadRecordError: it can't be trusted; the message says why.
        FileNotFoundError: there is none.
    """
    try:
        text = read_file(path).decode()
        record = json.loads(text, parse_constant=_no_number)
    except FileNotFoundError:
        raise
    except (OSError, ValueError, RecursionError) as error:
        raise BadRecordError(f"{path} is not a whole record: {error}") from error
    if not isinstance(record, dict) or record.get("schema") not in (1, SCHEMA):
        raise BadRecordError(f"{path} is not a record of schema 1 or {SCHEMA}")
    try:
        _Record.model_validate(record)
    except ValidationError as error:
        name = str(error.errors(include_input=False)[0]["loc"][0])
        raise BadRecordError(f"{path} has no valid `{'schema' if name == 'schema_version' else name}`") from error
    if record["key"] != path.parent.name:
        raise BadRecordError(f"{path} is the record of another run, {record['key'][:80]}")
    if record.get("digest") != _sealed_digest(path, record):
        raise BadRecordError(f"{path} is not what its run wrote")
    return record


def _sealed_digest(path: Path, record: dict[str, Any]) -> str | None:
    try:
        return seal(record).get("digest")
    except (ValueError, RecursionError) as error:
        raise BadRecordError(f"{path} is not a whole record: {error}") from error


def _no_number(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number")
