"""Any tree of images as a data set, cut to one square size."""

import sys
import warnings
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError
from torch import Tensor

from benchmark.cache import prepared
from benchmark.data import datasets
from benchmark.data.base import Dataset
from benchmark.data.parts.files import Files, assign, draw, folder_of, in_threads, list_files, shown
from benchmark.machine import main_memory
from methods.core.usage import UsageError, check_count

WHAT = "data set `image_folder`"
VERSION = 2  # of what is kept of the files; another one reads them again
MOST_PIXELS = 2**26  # of one image: a small file may unpack to any number
LARGE = 2**23  # pixels from which images are unpacked one at a time
_ONE_AT_A_TIME = Lock()
SUFFIXES = frozenset({".bmp", ".gif", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp"})


def identity(options: dict[str, Any]) -> dict[str, Any]:
    """The options with a hash of the images' files in place of their path, so that a folder may be moved."""
    others = {name: value for name, value in options.items() if name != "path"}
    return {"content": list_images(options["path"]).content, **others}


@datasets.register("image_folder", identity)
def image_folder(*, path: str | None = None, size: int, limit: int | None = None) -> Dataset:
    """Colour images ``[3, size, size]`` below the folder ``path``, or that of ``--data``: the middle square, resized.

    Where ``path`` has a folder ``train``, that is the training set, ``val``, ``valid`` or ``validation`` the
    validation set and ``test`` the test set, and whatever lies outside them is left alone; a set without
    folder is a tenth of the training images, drawn at random with a fixed seed. Without ``train`` all images
    are training images to draw from (80/10/10). ``limit`` reads at most that many images, drawn likewise, of
    each of these folders. Grey images become three equal channels, transparency is dropped. Images with a shorter
    side below ``size`` are enlarged, and how many is said on stderr and in the provenance.

    Images that can't be read are named on stderr and in the provenance, and left out.

    Raises:
        UsageError: no such folder, fewer than three images that can be read, a split without image, a wrong
            option, more pixels than memory.
    """
    check_count(f"{WHAT}: size", size)
    if limit is not None:
        check_count(f"{WHAT}: limit", limit)
    root = root_of(path)
    files = list_images(path)
    key = (VERSION, files.content, size, limit)
    stored = prepared("image_folder", key, lambda: load(root, files.states, size, limit))
    images, skipped = stored["images"], stored["skipped"]
    files.report(WHAT, "images that can't be read", skipped)
    check_splits(images, root)
    if stored["enlarged"]:
        print(f"{WHAT}: enlarged {stored['enlarged']:,} images with a side below {size} pixels", file=sys.stderr)
    return Dataset(
        train=images["train"],
        validation=images["validation"],
        test=images["test"],
        provenance={
            "source": "a folder of the user's",
            "content": files.content,
            "counts": {split: len(items) for split, items in images.items()},
            "skipped": {**files.skipped, **skipped},
            "enlarged": stored["enlarged"],
            "other_files": files.others,
        },
    )


def load(root: Path, files: Iterable[str], size: int, limit: int | None) -> dict[str, Any]:
    """Of those of ``files`` that are wanted.

    ``images``, a tensor a split; ``skipped``, the reasons by name; ``enlarged``, how many are smaller than the square.
    """
    pools = {split: draw(names, limit, "image_folder", split) for split, names in assign(files).items()}
    check_memory(sum(map(len, pools.values())), size)
    skipped: dict[str, str] = {}
    enlarged: set[Path] = set()
    images = {split: decode(root, names, size, skipped, enlarged) for split, names in pools.items()}
    tenth = max(1, len(images["train"]) // 10)
    for split in ("validation", "test"):
        if split not in images:
            images[split], images["train"] = images["train"][:tenth], images["train"][tenth:]
    return {"images": images, "skipped": skipped, "enlarged": len(enlarged)}


def root_of(path: str | None) -> Path:
    """The folder ``path``, or the one of ``--data``."""
    return folder_of(WHAT, "images", path)


def list_images(path: str | None) -> Files:
    """All image files below ``path``."""
    return list_files(root_of(path), SUFFIXES)


def check_memory(count: int, size: int) -> None:
    """UsageError where ``count`` images are more than this machine's memory."""
    needed, there = count * 3 * size**2, main_memory()
    if needed > there:
        raise UsageError(
            f"{WHAT}: {count} images of {size}x{size} need {needed / 2**30:.0f} GiB of memory, more than the "
            f"{there / 2**30:.0f} GiB there are; set `limit` or a smaller `size`"
        )


def decode(root: Path, names: list[str], size: int, skipped: dict[str, str], enlarged: set[Path]) -> Tensor:
    """Images uint8 ``[N, 3, size, size]`` of the files that can be read.

    ``skipped`` gets the others and why, ``enlarged`` those that are smaller.
    """
    images = torch.empty(len(names), 3, size, size, dtype=torch.uint8)
    usable = 0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow warns of odd metadata and of transparency
        squares = in_threads(lambda name: square(root / name, size, enlarged), names)
        for name, image in zip(names, squares, strict=True):
            if isinstance(image, str):
                skipped[shown(name)] = image
            else:
                images[usable] = torch.from_numpy(image)
                usable += 1
    return images[:usable]


def square(file: Path, size: int, enlarged: set[Path]) -> NDArray[np.uint8] | str:
    """The middle square ``[3, size, size]`` of one image, or why it can't be read; ``enlarged`` gets a smaller one."""

    def fitted(image: Image.Image) -> Image.Image:
        if min(image.size) < size:
            enlarged.add(file)
        return ImageOps.fit(image.convert("RGB"), (size, size), Image.Resampling.BICUBIC)

    return unpack(file, fitted)


def unpack(file: Path, use: Callable[[Image.Image], Image.Image]) -> NDArray[np.uint8] | str:
    """``[C, H, W]`` of what ``use`` makes of one image, which it gets upright; or why it can't be read."""
    try:
        with ExitStack() as stack:
            opened = stack.enter_context(Image.open(stack.enter_context(file.open("rb"))))
            if (pixels := opened.width * opened.height) > MOST_PIXELS:
                return f"{opened.width:,} x {opened.height:,} pixels are more than the {MOST_PIXELS:,} that are read"
            if pixels > LARGE:
                stack.enter_context(_ONE_AT_A_TIME)
            image = ImageOps.exif_transpose(opened)
            if image.mode.startswith("I;16"):
                image = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
            elif image.mode in ("I", "F"):
                return f"its pixels are of Pillow's mode {image.mode}, which has no fixed range"
            values = np.asarray(use(image))
    except Exception as error:  # a damaged file makes Pillow's decoders raise nearly anything
        return f"{type(error).__name__}: {_reason(error)}"
    return values.reshape(*values.shape[:2], -1).transpose(2, 0, 1).copy()


def _reason(error: Exception) -> str:
    """What was wrong with an image, without the place of its file."""
    if isinstance(error, UnidentifiedImageError):
        return "in no format that Pillow knows"
    return shown(str(error.strerror if isinstance(error, OSError) and error.strerror else error))


def check_splits(images: dict[str, Tensor], root: Path) -> None:
    """UsageError where a split has no image."""
    counts = {split: len(items) for split, items in images.items()}
    if sum(counts.values()) < len(counts):
        raise UsageError(f"{WHAT}: only {sum(counts.values())} images can be read in {root}; at least 3 are needed")
    for split, count in counts.items():
        if count == 0:
            raise UsageError(f"{WHAT}: no image for {split} can be read in {root}")
