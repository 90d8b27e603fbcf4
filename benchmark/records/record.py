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


class Record(BaseModel):
    """The types of a record; newer ones may hold more."""

    model_config = ConfigDict(extra="allow", strict=True)
    schema_version: Literal[1, 2] = Field(alias="schema", description="2; 1 in records that hold no digest")
    status: Status = Field(description="how the run ended")
    key: Annotated[str, Field(pattern=rf"^{KEY.pattern}$")] = Field(description="name of the run and of its folder")
    arm: str = Field(pattern=r"^[A-Za-z0-9_]+$", description="row of the experiment")
    suite: str = Field(description="for which it was made")
    config: _Config = Field(description="the scientific configuration, of which the key holds a hash")
    reason: str | None = Field(None, description="why it did not end well, in one line")
    traceback: str | None = Field(None, description="where")
    metrics: _Numbers = Field(description="by the names in the table below; null where one does not exist")
    details: dict[str, Any] = Field(description="of metrics: network, hash of its weights, why one is withheld")
    level_sizes: list[_Whole] = Field(description="codes of each level; none of a method without codes")
    converged: bool | None = Field(None, description="of old records alone; how far from done a run is, tables compute")
    timings: _Numbers = Field(description="seconds of wall-clock time, steps a second, share of the quantizer")
    memory: _Numbers = Field(description="peaks in 10⁶ bytes")
    provenance: dict[str, Any] = Field(description="commit, versions, device, threads, where the data came from")
    files: dict[str, str] = Field({}, description="the run's other files and the first 16 digits of their SHA-256")
    thinned: list[str] = Field([], description="what the run wrote and `thin` has removed")
    digest: str | None = Field(None, description="SHA-256 of all other fields as JSON with sorted names and no spaces")


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
        Record.model_validate(record)
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
