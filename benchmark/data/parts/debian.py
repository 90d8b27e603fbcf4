"""Data sets that Debian packages, unpacked without installing them and without root."""

import os
import shutil
import subprocess
import tarfile
from pathlib import Path

from benchmark.data.parts.archives import unpack_member
from benchmark.data.parts.sources import UnavailableError
from benchmark.records.files import checksum

_OPTIONS = {
    "Acquire::Retries": "1",
    "Acquire::http::Timeout": "10",
    "Acquire::https::Timeout": "10",
    # A package must have the hash in the signed lists, whatever the machine's settings allow.
    "APT::Get::AllowUnauthenticated": "false",
    "Acquire::AllowInsecureRepositories": "false",
}
APT = ["apt-get", *(word for name, value in _OPTIONS.items() for word in ("-o", f"{name}={value}"))]
LONGEST = 600  # seconds that one command may take


def unpack_package(name: str, folder: Path, sha256: str | None = None) -> None:
    """Download the Debian package ``name`` and unpack its files below ``folder``, as if that were ``/``.

    Where that fails and we are root, apt's lists are brought up to date and it is tried once more. An archive must have
    the hash in apt's signed lists, and ``sha256`` where that is given: for packages whose content nobody checks
    afterwards. Links and devices in it are left out, and nothing leaves ``folder``.

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
    if sha256 not in (None, checksum(archive)):
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
                for member in files:
                    unpack_member(files, member, folder)
        except (tarfile.TarError, OSError) as error:
            process.kill()
            raise UnavailableError(f"{archive.name} can't be unpacked ({error})") from error
    if process.returncode:
        raise UnavailableError(f"dpkg-deb failed (exit code {process.returncode})")


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
