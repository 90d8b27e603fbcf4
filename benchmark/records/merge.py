"""Takes over runs that were made elsewhere: each checked first, copied with its record last, never over a whole one."""

import stat
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmark.records.files import copy_file, writing
from benchmark.records.plan import RESPONSE, BadPlanError, read_plan
from benchmark.records.record import BadRecordError, read_record
from benchmark.records.run import KEY, run_key, suite_folder, tokenizer_of
from benchmark.records.store import CHECKPOINT, RECORD, Store, file_digest, output_path, outputs, read_whole
from methods.core.usage import UsageError

PLAN = "plan.json"
_LARGEST_RECORD = 10**8
"""Bytes of a record or a plan; they have some thousands."""
Version = Callable[[str], int | None]
"""The version of a method by its name; None where there is no such method here."""
Files = dict[str, str | None]
"""What is copied of a run, the record last: the digest of each file, None where nothing vouches for it."""


@dataclass
class Merged:
    """Runs of one suite by what was done with them, by key; ``refused``: a sentence each.

    ``kept``: unfinished ones that were left where they are, since something of them is here. ``planned``: whether there
    is a plan here now, from which tables are made.
    """

    suite: str
    taken: list[str] = field(default_factory=list)
    unfinished: list[str] = field(default_factory=list)
    equal: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    planned: bool = True

    @property
    def sentence(self) -> str:
        """How many of each."""
        counts = {
            "finished runs taken over": self.taken,
            "unfinished ones": self.unfinished,
            "here already": self.equal,
            "unfinished ones left, since they were begun here too": self.kept,
            "refused": self.refused,
        }
        always = "finished runs taken over"
        return ", ".join(f"{len(found):,} {what}" for what, found in counts.items() if found or what == always)


class RefusedError(ValueError):
    """Why a run is not taken over."""


def merge(source: Path, results: Path, version_of: Version) -> Iterator[Merged]:
    """Take over the runs in ``source``, results of several suites or of one, into ``results``; a suite at a time.

    A finished run is copied where there is no whole record of it here; its record comes last, so that a run is here
    whole or not at all, and a second call goes on. Of an unfinished one the checkpoint is copied where nothing of it
    is here; it is checked when the run goes on. Plan and trials of a suite come along where it has no plan here.

    Raises:
        UsageError: there are no runs in ``source``, it is where they should go, or nothing can be written.
    """
    suites = _suites(source)
    if not suites:
        raise UsageError(f"there are no runs in {source}; name a folder of results, or that of one suite in it")
    if any((results / suite.name).resolve() == suite.resolve() for suite in suites):
        raise UsageError(f"{source} is in {results} already; name results of elsewhere")
    return (_merge_suite(suite, results, version_of) for suite in suites)


def _suites(source: Path) -> list[Path]:
    """Folders of suites: ``source`` itself, or those in it."""
    if (source / "runs").is_dir():
        return [source.resolve()]
    return [folder for folder in sorted(source.glob("*")) if (folder / "runs").is_dir()]


def _merge_suite(source: Path, results: Path, version_of: Version) -> Merged:
    merged = Merged(source.name)
    if source.name != suite_folder(source.name):
        merged.refused.append(f"{source} is not named like the results of a suite")
    elif source.is_symlink() or (source / "runs").is_symlink():
        merged.refused.append(f"{source} is a link, or its runs are")
    else:
        store = Store(results / source.name)  # where nothing was taken over, nothing is left of it
        for folder in sorted((source / "runs").iterdir()):
            try:
                _merge_run(folder, store, version_of, merged)
            except (RefusedError, BadRecordError) as error:
                merged.refused.append(str(error))
            except OSError as error:
                merged.refused.append(f"{folder} can't be read: {error.strerror}")
        if not (store.folder / PLAN).exists():
            _take_plan(source, store.folder)
        merged.planned = (store.folder / PLAN).exists()
        for own in (store.folder / "runs", store.folder):
            with suppress(OSError):  # what was there, or is now
                own.rmdir()
    return merged


def _merge_run(folder: Path, store: Store, version_of: Version, merged: Merged) -> None:
    key = folder.name
    if not KEY.fullmatch(key):
        raise RefusedError(f"{folder} is not named like a run")
    if folder.is_symlink() or not folder.is_dir():
        raise RefusedError(f"{folder} is a link or no folder")
    record = _checked_record(folder, version_of)
    files = _files(folder, record)
    if not files:
        return
    with store.claim(key) as mine:
        if not mine:
            raise RefusedError(f"{folder}: another process does this run here")
        here, target = store.record(key), store.run_folder(key)
        if record is None:
            there = any((target / name).exists() for name in (RECORD, CHECKPOINT))
            (merged.kept if there else merged.unfinished).append(key)
            if not there:
                _copy(folder, target, files)
        elif here is None:
            _copy(folder, target, files)
            (target / CHECKPOINT).unlink(missing_ok=True)
            merged.taken.append(key)
        elif here == record:
            merged.equal.append(key)
        else:
            raise RefusedError(f"{folder}: {target / RECORD} is another whole record of this run")


def _checked_record(folder: Path, version_of: Version) -> dict[str, Any] | None:
    """The record in ``folder``, whole with its files, of a run and a method as they are here; None where there is none.

    Raises:
        RefusedError: the run is of another version of its method, not what its key says, or has links or pipes.
        BadRecordError: the record is not whole.
    """
    path = folder / RECORD
    if not _is_plain(folder, RECORD):
        return None
    if path.stat().st_size > _LARGEST_RECORD:
        raise RefusedError(f"{path} is too large for a record")
    record = read_record(path)
    for name in record.get("files", {}):
        if name in (RECORD, CHECKPOINT) or name.startswith(".") or "/." in name:
            raise RefusedError(f"{folder} names {name[:80]!r} as a file of its run, which that can't be")
        _is_plain(folder, name)
    read_whole(folder)
    config = record["config"]
    if record["key"] not in (run_key(config), run_key(config, long=True)):
        raise RefusedError(f"{path}: its configuration is not the one that its key names")
    named = tokenizer_of(config)
    version = version_of(str(named["method"]))
    if version not in (None, named.get("version")):
        recorded = named.get("version")
        raise RefusedError(f"{path} is of version {recorded} of `{named['method']}`; here is version {version}")
    return record


def _files(folder: Path, record: dict[str, Any] | None) -> Files:
    """Of a run without a record its checkpoint; of one whose record names no files, as the oldest don't, all."""
    if record is None:
        return {CHECKPOINT: None} if _is_plain(folder, CHECKPOINT) else {}
    if "files" in record:
        files: Files = {**record["files"]}
    else:
        files = {name: None for name in outputs(folder) if name != CHECKPOINT and _is_plain(folder, name)}
    files.pop(RECORD, None)
    return {**files, RECORD: file_digest(folder / RECORD)}


def _is_plain(folder: Path, name: str) -> bool:
    """Whether there is a file ``name`` in ``folder``.

    Raises:
        BadRecordError: it would be somewhere else.
        RefusedError: it is a link or behind one, or a folder, a pipe, a socket or a device.
    """
    path = output_path(folder, name)
    inside = path.relative_to(folder)
    try:
        modes = [(folder / place).lstat().st_mode for place in (inside, *inside.parents[:-1])]
    except (OSError, ValueError):  # a name that no file can have
        return False
    if not (stat.S_ISREG(modes[0]) and all(map(stat.S_ISDIR, modes[1:]))):
        raise RefusedError(f"{path} is a link, a pipe or another thing that is no file")
    return True


def _copy(source: Path, target: Path, files: Files) -> None:
    """In the order of ``files``.

    Raises:
        RefusedError: a file is not, or no more, what it was found to be.
        UnwritableError: the disk is full or read-only.
    """
    for name, expected in files.items():
        path = output_path(target, name)
        with writing(path):
            path.parent.mkdir(parents=True, exist_ok=True)
        if not path.parent.resolve().is_relative_to(target.resolve()):
            raise RefusedError(f"{path} is behind a link")
        if not copy_file(output_path(source, name), path, expected):
            raise RefusedError(f"{output_path(source, name)} is not what its run wrote")


def _take_plan(source: Path, target: Path) -> None:
    """Copy plan and trials where the plan is one: with it tables can be made."""
    try:
        if not _is_plain(source, PLAN) or (source / PLAN).stat().st_size > _LARGEST_RECORD:
            return
        read_plan(source / PLAN)
        names = [name for name in (RESPONSE, PLAN) if _is_plain(source, name)]
    except (BadPlanError, RefusedError):
        return
    _copy(source, target, dict.fromkeys(names))
