"""Fashion-MNIST: 70,000 grey 28x28 pictures of clothes, fetched and verified where they are not at hand."""

from functools import partial
from pathlib import Path

from torch import Tensor

from benchmark.data import datasets
from benchmark.data.base import Dataset, Labels, evenly
from benchmark.data.parts import idx
from benchmark.data.parts.debian import unpack_package
from benchmark.data.parts.sources import download, obtain

NAME = "fashion_mnist"
VALIDATION_ITEMS = 5_000
# sha256 of the unpacked IDX files: archives of the same file differ by the packer's header.
CHECKSUMS = {
    "train-images-idx3-ubyte": "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
    "t10k-images-idx3-ubyte": "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
}
LABEL_CHECKSUMS = {
    "train-labels-idx1-ubyte": "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
    "t10k-labels-idx1-ubyte": "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
}
CLASSES = (
    "T-shirt/top",
    "trouser",
    "pullover",
    "dress",
    "coat",
    "sandal",
    "shirt",
    "sneaker",
    "bag",
    "ankle boot",
)
DEBIAN_FOLDER = "usr/share/datasets/fashion-mnist"
MACHINE = [Path("/") / DEBIAN_FOLDER]
LAYOUTS = (".", "FashionMNIST/raw", "fashion-mnist", DEBIAN_FOLDER)  # where the files may lie in a folder
REMEDY = (
    "with a network, try again; else put train-images-idx3-ubyte and t10k-images-idx3-ubyte (or .gz) of "
    "Fashion-MNIST into a folder and name it by --data, or install the Debian package dataset-fashion-mnist"
)


@datasets.register(NAME, classes=CLASSES)
def fashion_mnist(*, test_items: int | None = None) -> Dataset:
    """55,000 training, 5,000 validation and 10,000 test images ``[1, 28, 28]`` (Xiao et al., arXiv 1708.07747).

    Validation is the last 5,000 of the original 60,000 training images, which come in random order; the test
    set is the original one, or ``test_items`` of it, evenly spaced.

    Raises:
        UsageError: no source has it.
    """
    (train, test), source = obtain(
        NAME, read, MACHINE, {"the official download": fetch_official, "the Debian package": fetch_debian}, REMEDY
    )
    return Dataset(
        train=train[:-VALIDATION_ITEMS],
        validation=train[-VALIDATION_ITEMS:],
        test=evenly(test, test_items, f"data set `{NAME}`: test_items"),
        provenance={"source": source, "licence": "MIT", "sha256": dict(CHECKSUMS)},
        labels=partial(labels, test_items),
    )


def labels(test_items: int | None = None) -> Labels:
    """The classes of the images of `fashion_mnist` with as many ``test_items``, in the order of `CLASSES`.

    Raises:
        UsageError: no source has them.
    """
    fetchers = {"the official download": fetch_official, "the Debian package": fetch_debian}
    (train, test), _ = obtain(NAME, read_labels, MACHINE, fetchers, REMEDY.replace("images-idx3", "labels-idx1"))
    return Labels(train[:-VALIDATION_ITEMS], train[-VALIDATION_ITEMS:], evenly(test, test_items, "test_items"))


def read(folder: Path) -> tuple[Tensor, Tensor]:
    """Training and test images uint8 ``[N, 1, H, W]`` in ``folder``; UnavailableError if missing or damaged."""
    return idx.read_images(folder, CHECKSUMS, LAYOUTS)


def read_labels(folder: Path) -> tuple[Tensor, Tensor]:
    """Training and test labels int64 ``[N]`` in ``folder``; UnavailableError if missing or damaged."""
    return idx.read_labels(folder, LABEL_CHECKSUMS, LAYOUTS)


def fetch_official(folder: Path) -> None:
    """The authors' files by way of torchvision."""
    from torchvision.datasets import FashionMNIST  # takes seconds to import

    download(f"data set `{NAME}`", lambda: FashionMNIST(folder, download=True))


def fetch_debian(folder: Path) -> None:
    """The same files out of Debian's package."""
    unpack_package("dataset-fashion-mnist", folder)
