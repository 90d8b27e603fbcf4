"""What a run leaves behind: a folder with its record, and claims on runs."""

import fcntl
import json
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmark.records import SCHEMA, BadRecordError, read_record, write_atomic
from methods.errors import UsageError

_KEY = re.compile(r"^[A-Za-z0-9_]+(-K\d+)?-s\d+-[0-9a-f]{8}$")


class Store:
    """The folder ``results/<suite>``.

    Raises:
        UsageError: the folder can't be written.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        try:
            (folder / "runs").mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=folder / "runs"):
                pass
        except OSError as error:
            raise UsageError(
                f"the results folder {folder} can't be written: {error.strerror}; choose another with --results"
            ) from error

    def run_folder(self, key: str) -> Path:
        """Folder of one run; made on demand."""
        assert _KEY.match(key), key
        folder = self.folder / "runs" / key
        folder.mkdir(exist_ok=True)
        return folder

    def record_path(self, key: str) -> Path:
        """Where the record of a run lies."""
        return self.folder / "runs" / key / "record.json"

    def record(self, key: str) -> dict[str, Any] | None:
        """The record of a run, or None where there is none or none that is whole."""
        try:
            return read_record(self.record_path(key))
        except (FileNotFoundError, BadRecordError):
            return None

    def problems(self, keys: list[str]) -> list[str]:
        """One sentence for every record among ``keys`` that is there but not whole."""
        found = []
        for key in keys:
            try:
                read_record(self.record_path(key))
            except FileNotFoundError:
                continue
            except BadRecordError as error:
                found.append(str(error))
        return found

    def write_record(self, key: str, record: dict[str, Any]) -> None:
        """Commit a record: from here on the run is finished."""
        content = json.dumps(_finite({"schema": SCHEMA, "key": key, **record}), indent=1, allow_nan=False)
        write_atomic(self.run_folder(key) / "record.json", content + "\n")

    @contextmanager
    def claim(self, key: str) -> Iterator[bool]:
        """Hold a run against every other process; yields False where another holds it.

        The kernel frees the claim of a process that dies, so there are no stale ones.
        """
        with open(self.run_folder(key) / ".claim", "w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield False
                return
            yield True


def _finite(value: Any) -> Any:
    """Non-finite numbers as None: JSON has none."""
    if isinstance(value, dict):
        return {name: _finite(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(inner) for inner in value]
    if isinstance(value, float) and (value != value or value in (float("inf"), float("-inf"))):
        return None
    return value
