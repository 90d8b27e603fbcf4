"""Members of tar archives, unpacked below a folder and nowhere else."""

import shutil
import tarfile
from pathlib import Path


def unpack_member(files: tarfile.TarFile, member: tarfile.TarInfo, folder: Path) -> None:
    """A file or a folder; TarError where it lies outside ``folder``. (The filters of `tarfile` came with 3.11.4.)"""
    target = folder / member.name
    if not target.resolve().is_relative_to(folder.resolve()):
        raise tarfile.TarError(f"{member.name!r} lies outside the package")
    if member.isdir():
        target.mkdir(parents=True, exist_ok=True)
    elif member.isreg() and (content := files.extractfile(member)) is not None:
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("wb") as file:
            shutil.copyfileobj(content, file)
