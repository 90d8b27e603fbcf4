"""Data sets that Debian packages, unpacked without installing them and without root."""

import os
import shutil
import subprocess
from pathlib import Path

from benchmark.data.parts.sources import UnavailableError

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


def unpack_package(name: str, folder: Path) -> None:
    """Download the Debian package ``name`` and unpack its files below ``folder``, as if that were ``/``.

    Where that fails and we are root, apt's lists are brought up to date and it is tried once more.

    Raises:
        UnavailableError: no apt here, no such package, no network.
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
    run(["dpkg-deb", "-x", archive.name, "."], folder)
    archive.unlink()


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
