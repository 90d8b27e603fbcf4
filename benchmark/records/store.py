"""What a run leaves behind: a folder with its record, and claims on runs."""

import fcntl
import json
import os
import shutil
import tempfile
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any, TextIO

from benchmark.records.files import UnwritableError, check_no_link, checksum, open_lock, write_atomic, writing
from benchmark.records.record import SCHEMA, BadRecordError, read_record, seal
from benchmark.records.run import KEY
from methods.core.usage import UsageError

RECORD, CHECKPOINT, _CLAIM = "record.json", "checkpoint.pt", ".claim"
_held: set[TextIO] = set()
"""Open files of the claims that this process holds."""


def _let_go() -> None:
    """A fork that outlives the process that holds a claim must not go on holding it."""
    while _held:
        _held.pop().close()


os.register_at_fork(after_in_child=_let_go)


class Store:
    """The folder ``results/<suite>``.

    Args:
        folder: made on demand.
        read_only: to look at what is there; nothing is written, not even to see whether it could be.

    Raises:
        UsageError: the folder can't be written.
    """

    def __init__(self, folder: Path, *, read_only: bool = False) -> None:
        self.folder = folder
        if read_only:
            return
        for own in (folder, folder / "runs"):
            check_no_link(own)
        try:
            (folder / "runs").mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=folder / "runs"):
                pass
        except OSError as error:
            raise UnwritableError(
                f"the results folder {folder} can't be written: {error.strerror}; choose another with --results",
                folder,
            ) from error

    def run_folder(self, key: str) -> Path:
        """Folder of one run; made on demand."""
        folder = self._path(key)
        check_no_link(folder)
        with writing(folder):
            folder.mkdir(exist_ok=True)
        return folder

    def record_path(self, key: str) -> Path:
        """Where the record of a run lies."""
        return self._path(key) / RECORD

    def record(self, key: str) -> dict[str, Any] | None:
        """The record of a run, or None where there is none or none that is whole."""
        try:
            return read_whole(self._path(key))
        except (FileNotFoundError, BadRecordError):
            return None

    def survey(self, keys: Iterable[str]) -> tuple[dict[str, dict[str, Any]], list[str]]:
        """The whole records among ``keys``, and one sentence for each that is there but not whole."""
        records, problems = {}, []
        for key in keys:
            try:
                records[key] = read_whole(self._path(key))
            except FileNotFoundError:
                continue
            except BadRecordError as error:
                problems.append(str(error))
        return records, problems

    def fingerprint(self, key: str) -> str | None:
        """Tells one record file from another, whole or not; None where there is none."""
        try:
            return checksum(self.record_path(key))
        except FileNotFoundError:
            return None
        except OSError:
            return ""

    def write_record(self, key: str, record: dict[str, Any]) -> None:
        """Commit a record: from here on the run is finished. It names the run's other files and their hashes.

        Raises:
            UnwritableError: the disk is full or read-only; the old record, if any, is still there.
        """
        folder = self.run_folder(key)
        with writing(folder / RECORD):
            own = {"schema": SCHEMA, "key": key}
            files = {
                name: file_digest(path) for name, path in outputs(folder).items() if name not in (RECORD, CHECKPOINT)
            }
            _write(folder / RECORD, {**own, **record, **own, "files": files})

    def thin(self, key: str, record: dict[str, Any], names: Collection[str]) -> None:
        """Remove files or folders ``names`` of a finished run, whose whole ``record`` says so from then on.

        The hashes of its other files stay those of what the run wrote.

        Raises:
            UnwritableError: the disk is full or read-only.
        """
        folder = self.run_folder(key)
        thinned = {**record, "thinned": sorted({*record.get("thinned", []), *names})}
        if "files" in record:
            thinned["files"] = {
                name: digest for name, digest in record["files"].items() if PurePosixPath(name).parts[0] not in names
            }
        with writing(folder):
            _write(folder / RECORD, thinned)  # first: a record that names a file which is gone is not whole
            for path in (folder / name for name in names):
                shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)

    def tidy(self, key: str) -> None:
        """Remove what a killed process left half-written; for who holds the claim."""
        folder = self.run_folder(key)
        with writing(folder):
            for path in folder.glob(".*"):
                if path.name != _CLAIM:
                    path.unlink(missing_ok=True)

    @contextmanager
    def claim(self, key: str) -> Iterator[bool]:
        """Hold a run against every other process; yields False where another holds it.

        The kernel frees the claim of a process that dies, so there are no stale ones.

        Raises:
            UsageError: the file system has no locks, or is full.
        """
        path = self.run_folder(key) / _CLAIM
        with writing(path):
            file = open_lock(path)
        with file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield False
                return
            except OSError as error:
                message = f"{path} can't be locked ({error.strerror}), so two processes might do one run"
                raise UsageError(f"{message}; choose another folder with --results") from error
            _held.add(file)
            try:
                yield True
            finally:
                _held.discard(file)

    def is_claimed(self, key: str) -> bool:
        """Whether some process holds the run."""
        try:
            with os.fdopen(os.open(self._path(key) / _CLAIM, os.O_RDONLY | os.O_NONBLOCK)) as file:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        except OSError:
            return False
        return False

    def _path(self, key: str) -> Path:
        # A key may come from a file that anyone may have written; it must not lead elsewhere.
        if not KEY.fullmatch(key):
            raise UsageError(f"{key[:80]!r} is no key of a run; keys look like simvq-K1024-s0-1a2b3c4d")
        return self.folder / "runs" / key


def folder_of_suite(results: Path, name: str) -> Path:
    """Where the results of a suite lie.

    Raises:
        UsageError: ``name`` would lead elsewhere.
    """
    if not name or Path(name).name != name or name == "..":
        raise UsageError(f"`{name}` is no folder in {results}; name another place with --results")
    return results / name


def read_whole(folder: Path) -> dict[str, Any]:
    """The record of the run in ``folder``, checked with the files that it names.

    Raises:
        BadRecordError: the record or a file is not what the run wrote; the message says which.
        FileNotFoundError: there is no record.
    """
    record = read_record(folder / RECORD)
    for name, expected in record.get("files", {}).items():
        path = output_path(folder, name)
        try:
            found = file_digest(path)
        except (OSError, ValueError) as error:
            raise BadRecordError(f"{path} is missing or can't be read") from error
        if found != expected:
            raise BadRecordError(f"{path} is not what its run wrote")
    return record


def outputs(folder: Path) -> dict[str, Path]:
    """The files in the folder of a run, by their path from there; hidden ones are not the run's."""
    found = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
    return {name: found[name] for name in sorted(found) if not any(part[0] == "." for part in name.split("/"))}


def output_path(folder: Path, name: str) -> Path:
    """Where the file ``name`` of `outputs` lies in the folder of a run.

    Raises:
        BadRecordError: that would be somewhere else.
    """
    parts = name.split("/")
    if "" in parts or ".." in parts:
        raise BadRecordError(f"{folder} holds no file {name[:80]!r}, which its record names")
    return folder.joinpath(*parts)


def _write(path: Path, record: dict[str, Any]) -> None:
    content = json.loads(json.dumps(_finite(record)))
    write_atomic(path, json.dumps(seal(content), indent=1, allow_nan=False) + "\n")


def file_digest(path: Path) -> str:
    """The beginning of the hash of a file, as records name it."""
    return checksum(path)[:16]


def _finite(value: Any) -> Any:
    """Non-finite numbers as None: JSON has none."""
    if isinstance(value, dict):
        return {name: _finite(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(inner) for inner in value]
    if isinstance(value, float) and (value != value or value in (float("inf"), float("-inf"))):
        return None
    return value
