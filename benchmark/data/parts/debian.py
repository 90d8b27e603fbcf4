"""Data sets that Debian packages, unpacked without installing them and without root."""

import os
import shutil
import subprocess
import tarfile
from pathlib import Path

from benchmark.data.parts.sources import UnavailableError
from benchmark.records.files import checksum

APT = ["apt-get", "-o", "Acquire::Retries=1", "-o", "Acquire::http::Timeout=10", "-o", "Acquire::https::Timeout=10"]
LONGEST = 600  # seconds that one command may take


def unpack_package(name: str, sha256: str, folder: Path) -> None:
    """Download the Debian package ``name`` and unpack its files below ``folder``, as if that were ``/``.

    Where that fails and we are root, apt's lists are brought up to date and it is tried once more. An archive with
    another hash than ``sha256`` is not opened. Links and devices in it are left out, and nothing leaves ``folder``.

    Raises:
        UnavailableError: no apt here, no such package, another version of it, no network.
    """
    missing = [tool for tool in ("apt-get", "dpkg-deb") if shutil.which(tool) is None]
    if missing:
        raise UnavailableError(f"no {missing[0]} on this machine")
    try:
        run([*APT, "download", name], folder)
    except UnavailableError:
        if os.geteuid() != 0:
            raise
        run([*APT, "update"], folder)
        run([*APT, "download", name], folder)
    archive = next(folder.glob(f"{name}_*.deb"))
    if checksum(archive) != sha256:
        archive.unlink()
        raise UnavailableError(f"{archive.name} has another hash than the {name} that is known here")
    unpack(archive, folder)
    archive.unlink()


def unpack(archive: Path, folder: Path) -> None:
    """The files of the Debian package ``archive`` below ``folder``; UnavailableError if it can't be unpacked."""
    with subprocess.Popen(
        ["dpkg-deb", "--fsys-tarfile", str(archive)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as process:
        try:
            with tarfile.open(fileobj=process.stdout, mode="r|") as files:
                files.extractall(folder, filter=_files_only)
        except (tarfile.TarError, OSError) as error:
            process.kill()
            raise UnavailableError(f"{archive.name} can't be unpacked ({error})") from error
    if process.returncode:
        raise UnavailableError(f"dpkg-deb failed (exit code {process.returncode})")


def _files_only(member: tarfile.TarInfo, folder: str) -> tarfile.TarInfo | None:
    """``member`` if it is a file or a folder; TarError where it lies outside ``folder``."""
    return tarfile.data_filter(member, folder) if member.isreg() or member.isdir() else None


def run(command: list[str], folder: Path) -> None:
    """Run ``command`` quietly in ``folder``; UnavailableError with its last error line where it fails."""
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            env={**os.environ, "LC_ALL": "C"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=LONGEST,
        )
    except subprocess.TimeoutExpired as error:
        raise UnavailableError(f"{command[0]} took longer than {LONGEST} s") from error
    if done.returncode:
        errors = [line for line in done.stderr.splitlines() if line.startswith("E: ")]
        said = errors[-1].removeprefix("E: ") if errors else f"exit code {done.returncode}"
        raise UnavailableError(f"{command[0]} failed ({said})")
