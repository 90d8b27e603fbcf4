"""The embedded default: 32x32 colour crops of photographs that scikit-image and scikit-learn bring along."""

import importlib.util
from itertools import permutations
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from benchmark.data import datasets
from benchmark.data.base import Dataset, evenly
from benchmark.data.parts.crops import spread
from methods.core.usage import UsageError, check_choice

SIDE = 32
LARGEST_SHORTER_SIDE = 512
DISTRIBUTIONS = {"skimage": "scikit-image", "sklearn": "scikit-learn"}

# A scene is one photograph, or the two of a stereo pair, and lies in one split as a whole.
SCENES: dict[str, dict[str, tuple[str, ...]]] = {
    "train": {
        "china": ("sklearn/datasets/images/china.jpg",),
        "immunohistochemistry": ("skimage/data/ihc.png",),
        "motorcycle": ("skimage/data/motorcycle_left.png", "skimage/data/motorcycle_right.png"),
        "retina": ("skimage/data/retina.jpg",),
        "rocket": ("skimage/data/rocket.jpg",),
    },
    "validation": {
        "coffee": ("skimage/data/coffee.png",),
        "hubble_deep_field": ("skimage/data/hubble_deep_field.jpg",),
    },
    "test": {
        "astronaut": ("skimage/data/astronaut.png",),
        "chelsea": ("skimage/data/chelsea.png",),
        "flower": ("sklearn/datasets/images/flower.jpg",),
    },
}
# Rows and columns of crops a scene: the same for all scenes of a split, so that no large photograph dominates.
COLOURS = ("own", "permuted")
SHOWN = 8  # test crops that samples show
GRIDS = {"train": (30, 40), "validation": (16, 32), "test": (24, 36)}


@datasets.register("photos", added=("colours",))
def photos(*, test_items: int | None = None, colours: str = "own") -> Dataset:
    """Crops of ten scenes: 6,000 of five for training, 1,024 of two for validation, 2,592 of three for the test.

    Split by scene, never by crop. The crops of a scene lie on an even grid and overlap: their number is
    not that of independent images, and a Fréchet distance over them describes these three photographs and
    no wider population. Photographs with a shorter side above 512 pixels are reduced to 512 first, for at
    full size their crops are nearly flat. ``test_items`` takes that many test crops, evenly spaced.

    ``colours: permuted`` gives the training crops their three colours in each of the six orders, one crop after
    another: the five scenes have no green, and an autoencoder that never saw any turns it blue. Samples show, of
    each eighth of the test set, which is in order of scene and row, the crop with the most detail.

    Raises:
        UsageError: a photograph can't be read from the installed packages, a wrong option.
    """
    check_choice("data set `photos`: colours", colours, COLOURS)
    splits = {split: crops_of(split) for split in SCENES}
    test = evenly(splits["test"], test_items, "data set `photos`: test_items")
    return Dataset(
        train=permuted(splits["train"]) if colours == "permuted" else splits["train"],
        validation=splits["validation"],
        test=test,
        shown=spread(test, SHOWN),
        provenance={
            "source": "photographs in the installed scikit-image and scikit-learn packages",
            "licence": "public domain, CC0 or no known restriction (scikit-image), CC BY 2.0 (scikit-learn)",
            "scenes": {split: list(scenes) for split, scenes in SCENES.items()},
        },
    )


def permuted(crops: Tensor) -> Tensor:
    """Crops ``[N, 3, H, W]``, one after another with their colours in each of the six orders."""
    orders = torch.tensor(list(permutations(range(3))))
    chosen = orders[torch.arange(len(crops)) % len(orders)]
    return crops.gather(1, chosen[:, :, None, None].expand_as(crops))


def crops_of(split: str) -> Tensor:
    """Crops uint8 ``[N, 3, 32, 32]`` of all scenes of ``split``, scene after scene, row after row."""
    rows, columns = GRIDS[split]
    crops = [scene_crops([read(path) for path in paths], rows, columns) for paths in SCENES[split].values()]
    return torch.from_numpy(np.concatenate(crops)).permute(0, 3, 1, 2).contiguous()


def scene_crops(pictures: list[NDArray[np.uint8]], rows: int, columns: int) -> NDArray[np.uint8]:
    """``rows * columns`` crops ``[N, 32, 32, 3]`` on an even grid; several pictures ``[H, W, 3]`` take turns by row."""
    crops = []
    for row in range(rows):
        picture = pictures[row % len(pictures)]
        height, width, _ = picture.shape
        top = row * (height - SIDE) // (rows - 1)
        lefts = [column * (width - SIDE) // (columns - 1) for column in range(columns)]
        crops += [picture[top : top + SIDE, left : left + SIDE] for left in lefts]
    return np.stack(crops)


def read(path: str) -> NDArray[np.uint8]:
    """The picture ``[H, W, 3]`` at ``package/path``; the package is found but not imported, which takes seconds."""
    package, _, rest = path.partition("/")
    spec = importlib.util.find_spec(package)
    folders = (spec.submodule_search_locations if spec else None) or ["/nonexistent"]
    try:
        with Image.open(Path(folders[0]) / rest) as image:
            picture = image.convert("RGB")
    except OSError as error:
        distribution = DISTRIBUTIONS[package]
        raise UsageError(
            f"data set `photos`: {rest} can't be read from the installed {distribution}; install {distribution} again"
        ) from error
    scale = LARGEST_SHORTER_SIDE / min(picture.size)
    if scale < 1:
        size = (round(picture.width * scale), round(picture.height * scale))
        picture = picture.resize(size, Image.Resampling.BICUBIC)
    return np.asarray(picture)
