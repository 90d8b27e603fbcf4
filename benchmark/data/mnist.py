"""MNIST: 70,000 grey 28x28 pictures of digits, fetched and verified where they are not at hand."""

from functools import partial
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from benchmark.data import datasets
from benchmark.data.base import Dataset, Labels, evenly
from benchmark.data.parts import idx
from benchmark.data.parts.sources import download, obtain
from methods.core.usage import check_count

NAME = "mnist"
SIDE, MOST = 28, 512
VALIDATION_ITEMS = 5_000
# sha256 of the unpacked IDX files: archives of the same file differ by the packer's header.
CHECKSUMS = {
    "train-images-idx3-ubyte": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "t10k-images-idx3-ubyte": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
}
LABEL_CHECKSUMS = {
    "train-labels-idx1-ubyte": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "t10k-labels-idx1-ubyte": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
}
CLASSES = ("0", "1", "2", "3", "4", "5", "6", "7", "8", "9")
LAYOUTS = (".", "MNIST/raw", "mnist")  # where the files may lie in a folder
REMEDY = (
    "with a network, try again; else put train-images-idx3-ubyte and t10k-images-idx3-ubyte (or .gz) of MNIST into a "
    "folder and name it by --data"
)


@datasets.register(NAME, classes=CLASSES)
def mnist(*, size: int = SIDE, test_items: int | None = None) -> Dataset:
    """55,000 training, 5,000 validation and 10,000 test images ``[1, size, size]`` (LeCun et al., 1998).

    Validation is the last 5,000 of the original 60,000 training images, which come in random order; the test
    set is the original one, or ``test_items`` of it, evenly spaced. Another ``size`` than 28 is made by bilinear
    interpolation, as torchvision resizes pictures.

    Raises:
        UsageError: no source has it.
    """
    check_count(f"data set `{NAME}`: size", size, MOST, least=4)
    (train, test), source = obtain(NAME, read, [], {"the official download": fetch_official}, REMEDY)
    train, test = (
        resized(images, size) for images in (train, evenly(test, test_items, f"data set `{NAME}`: test_items"))
    )
    return Dataset(
        train=train[:-VALIDATION_ITEMS],
        validation=train[-VALIDATION_ITEMS:],
        test=test,
        provenance={"source": source, "licence": "CC BY-SA 3.0", "sha256": dict(CHECKSUMS)},
        labels=partial(labels, test_items),
    )


def labels(test_items: int | None = None) -> Labels:
    """The digits on the images of `mnist` with as many ``test_items``.

    Raises:
        UsageError: no source has them.
    """
    fetchers = {"the official download": fetch_official}
    (train, test), _ = obtain(NAME, read_labels, [], fetchers, REMEDY.replace("images-idx3", "labels-idx1"))
    return Labels(train[:-VALIDATION_ITEMS], train[-VALIDATION_ITEMS:], evenly(test, test_items, "test_items"))


def read(folder: Path) -> tuple[Tensor, Tensor]:
    """Training and test images uint8 ``[N, 1, H, W]`` in ``folder``; UnavailableError if missing or damaged."""
    return idx.read_images(folder, CHECKSUMS, LAYOUTS)


def read_labels(folder: Path) -> tuple[Tensor, Tensor]:
    """Training and test labels int64 ``[N]`` in ``folder``; UnavailableError if missing or damaged."""
    return idx.read_labels(folder, LABEL_CHECKSUMS, LAYOUTS)


def resized(images: Tensor, size: int) -> Tensor:
    """Grey images uint8 ``[N, 1, H, W]`` as ``[N, 1, size, size]``."""
    if images.shape[-1] == size:
        return images
    pictures = (
        Image.fromarray(image).resize((size, size), Image.Resampling.BILINEAR) for image in images[:, 0].numpy()
    )
    return torch.from_numpy(np.stack([np.asarray(picture) for picture in pictures]))[:, None]


def fetch_official(folder: Path) -> None:
    """The authors' files by way of torchvision."""
    from torchvision.datasets import MNIST  # takes seconds to import

    download(f"data set `{NAME}`", lambda: MNIST(folder, download=True))
