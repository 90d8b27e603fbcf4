"""CIFAR-10: 60,000 colour 32x32 images, read and fetched by torchvision."""

import warnings
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from benchmark.data import datasets
from benchmark.data.base import Dataset, evenly
from benchmark.data.parts.sources import UnavailableError, download, obtain

NAME = "cifar10"
VALIDATION_ITEMS = 5_000
REMEDY = (
    "with a network, try again; else unpack cifar-10-python.tar.gz into a folder, so that it holds "
    "cifar-10-batches-py, and name it by --data"
)


@datasets.register(NAME)
def cifar10(*, test_items: int | None = None) -> Dataset:
    """45,000 training, 5,000 validation and 10,000 test images ``[3, 32, 32]`` (Krizhevsky, 2009).

    Validation is the last 5,000 of the original 50,000 training images, which come in random order; the test
    set is the original one, or ``test_items`` of it, evenly spaced.

    Raises:
        UsageError: no source has it.
    """
    (train, test), source = obtain(NAME, read, [], {"the official download": fetch_official}, REMEDY)
    return Dataset(
        train=train[:-VALIDATION_ITEMS],
        validation=train[-VALIDATION_ITEMS:],
        test=evenly(test, test_items, f"data set `{NAME}`: test_items"),
        provenance={"source": source, "licence": "none stated by the authors; made of images from the web"},
    )


def read(folder: Path) -> tuple[Tensor, Tensor]:
    """Training and test images uint8 ``[N, 3, 32, 32]`` below ``folder``; UnavailableError where they are not.

    The batches are pickles: torchvision compares their MD5 sums with the authors' before it opens them.
    """
    if not (folder / "cifar-10-batches-py").is_dir():
        raise UnavailableError("no cifar-10-batches-py")
    from torchvision.datasets import CIFAR10  # takes seconds to import

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # NumPy finds the pickles old-fashioned
            train, test = (CIFAR10(folder, train=part).data for part in (True, False))
    except RuntimeError as error:
        raise UnavailableError("cifar-10-batches-py is incomplete or damaged") from error
    return channels_first(train), channels_first(test)


def channels_first(images: NDArray[np.uint8]) -> Tensor:
    """Images ``[N, H, W, C]`` as ``[N, C, H, W]``."""
    return torch.from_numpy(images).permute(0, 3, 1, 2).contiguous()


def fetch_official(folder: Path) -> None:
    """The authors' archive by way of torchvision."""
    from torchvision.datasets import CIFAR10

    download(f"data set `{NAME}` (170 MB)", lambda: CIFAR10(folder, download=True))
