"""Records of runs: atomic files, whole or not counted. Needs no torch, so that reports are quick."""

import csv
import io
import json
import os
import re
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Annotated, Any, Literal, NoReturn

import numpy as np
from numpy.typing import ArrayLike
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from methods.core.usage import UsageError

SCHEMA = 1
STATUSES = ("ok", "diverged", "out_of_memory", "timeout", "failed")
KEY = re.compile(r"[A-Za-z0-9_]+(-K[0-9]+)?-s[0-9]+-[0-9a-f]{8}")
"""What a run's key, and so its folder, looks like."""

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
    schema_version: Literal[1] = Field(alias="schema")
    status: Literal["ok", "diverged", "out_of_memory", "timeout", "failed"]
    key: str
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
    files: dict[str, str] = {}


class BadRecordError(ValueError):
    """A record that is cut short, filled with rubbish, or not of this schema."""


class UnwritableError(UsageError):
    """A file that can't be written: the disk is full, or the folder read-only."""


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn what the system says against writing ``path`` into an `UnwritableError`."""
    try:
        yield
    except OSError as error:
        raise UnwritableError(f"{path} can't be written: {error.strerror or error}") from error


def write_atomic(path: Path, content: str | bytes | memoryview) -> None:
    """Write by write-then-rename: a reader sees the old file or the whole new one, also after a power cut."""
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
        with suppress(OSError):
            os.unlink(temporary)
        raise
    _sync_folder(path.parent)


def write_output(path: Path, content: str | bytes | memoryview) -> None:
    """`write_atomic` for the files of a run.

    Raises:
        UnwritableError: the disk is full or the folder read-only; the old file, if any, is still there.
    """
    with writing(path):
        write_atomic(path, content)


def write_arrays(path: Path, arrays: Mapping[str, ArrayLike]) -> None:
    """`write_output` of ``arrays`` by name as a compressed ``.npz``."""
    buffer = io.BytesIO()
    np.savez_compressed(buffer, allow_pickle=False, **arrays)
    write_output(path, buffer.getvalue())


def read_rows(path: Path) -> list[dict[str, str]]:
    """The rows of a CSV file as they were written; none where it is missing or can't be read."""
    try:
        with path.open(encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))
    except (OSError, ValueError, csv.Error):
        return []


def _sync_folder(folder: Path) -> None:
    """Make a rename last; not every file system can."""
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def read_record(path: Path) -> dict[str, Any]:
    """The record in ``path``, checked to be whole.

    Raises:
        BadRecordError: it can't be trusted; the message says why.
        FileNotFoundError: there is none.
    """
    try:
        text = path.read_text(encoding="utf-8")
        record = json.loads(text, parse_constant=_no_number)
    except FileNotFoundError:
        raise
    except (OSError, ValueError, RecursionError) as error:
        raise BadRecordError(f"{path} is not a whole record: {error}") from error
    if not isinstance(record, dict) or record.get("schema") != SCHEMA:
        raise BadRecordError(f"{path} is not a record of schema {SCHEMA}")
    try:
        _Record.model_validate(record)
    except ValidationError as error:
        name = str(error.errors(include_input=False)[0]["loc"][0])
        raise BadRecordError(f"{path} has no valid `{'schema' if name == 'schema_version' else name}`") from error
    if record["key"] != path.parent.name:
        raise BadRecordError(f"{path} is the record of another run, {record['key'][:80]}")
    return record


def _no_number(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number")
