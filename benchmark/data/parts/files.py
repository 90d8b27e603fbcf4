"""Files of a user's folder: which there are, what identifies them, which split each belongs to."""

import hashlib
import os
import sys
from collections.abc import Collection, Iterable
from pathlib import Path

import torch

from benchmark.data.parts.sources import user_folder
from benchmark.seeds import derive_seed
from methods.core.usage import UsageError

SPLIT_FOLDERS = {
    "train": "train",
    "val": "validation",
    "valid": "validation",
    "validation": "validation",
    "test": "test",
}
NAMED = 5  # files left out that are named on the screen; the record names all


def folder_of(what: str, kind: str, path: object) -> Path:
    """The folder ``path``, or the one of ``--data``, of files of a ``kind``.

    Raises:
        UsageError: there is none, or none is named; ``what`` begins the message.
    """
    root = user_folder() if path is None else Path(path).expanduser() if isinstance(path, str) else None
    if root is None and path is None:
        raise UsageError(f"{what}: name a folder of {kind} by --data DIR or --set dataset.path=DIR")
    if root is None or not root.is_dir():
        raise UsageError(f"{what}: there is no folder {path}")
    return root


def list_files(root: Path, suffixes: Collection[str]) -> dict[str, os.stat_result]:
    """All files below ``root`` with one of ``suffixes``, by relative name, sorted; hidden ones are left out."""
    files = {}
    for folder, folders, names in os.walk(root):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in names:
            file = Path(folder, name)
            if file.suffix.lower() in suffixes and not name.startswith("."):
                files[file.relative_to(root).as_posix()] = file.stat() if file.exists() else file.lstat()
    return dict(sorted(files.items()))


def fingerprint(files: dict[str, os.stat_result]) -> str:
    """A hash of the names and sizes of ``files``."""
    lines = "".join(f"{name}\0{state.st_size}\n" for name, state in files.items())
    return hashlib.sha256(lines.encode("utf-8", "surrogateescape")).hexdigest()[:16]


def assign(names: Iterable[str]) -> dict[str, list[str]]:
    """Names by split, as the folder in which they lie says; all of them ``train`` without a folder of that name."""
    names = list(names)
    folders = [SPLIT_FOLDERS.get(name.split("/")[0].lower()) if "/" in name else None for name in names]
    if "train" not in folders:
        return {"train": names}
    splits: dict[str, list[str]] = {}
    for name, split in zip(names, folders, strict=True):
        if split is not None:
            splits.setdefault(split, []).append(name)
    return splits


def draw(names: list[str], count: int | None, *seed: str) -> list[str]:
    """The first ``count`` of ``names`` in an order that is random and always the same for the same ``seed``."""
    generator = torch.Generator().manual_seed(derive_seed(*seed))
    return [names[i] for i in torch.randperm(len(names), generator=generator)[:count].tolist()]


def report_skipped(what: str, kind: str, skipped: dict[str, str]) -> None:
    """One line on stderr that names the files left out, if any."""
    if skipped:
        names = ", ".join(list(skipped)[:NAMED])
        more = f" and {len(skipped) - NAMED} more" if len(skipped) > NAMED else ""
        print(f"{what}: left out {len(skipped)} {kind}: {names}{more}", file=sys.stderr)
