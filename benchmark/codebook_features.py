"""Makes the frozen features that `vqgan_lc` needs: k-means centroids of a pretrained network's patch features.

A run with ``features: patches`` makes them by itself; as a command, this writes them to a file:

    python -m benchmark.codebook_features fashion_mnist --codebook-size 256 1024 --out 'features/{codebook_size}.npy'

Zhu et al. (arXiv 2406.11837, Sec. 3.1) cluster CLIP's features of 16 patches an image within each of ImageNet's
classes. Here the features are EfficientNet-Lite0's, of 16 patches an image too, and the clustering is within groups
that a first k-means finds, so that no labels are needed.
"""

import argparse
import hashlib
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from benchmark.cache import FeatureCache
from benchmark.data import Dataset, datasets
from benchmark.data.base import evenly
from benchmark.metrics.features import EfficientNetLite0
from benchmark.metrics.pixels import to_colour
from benchmark.record_files import replacing, writing
from benchmark.seeds import derive_seed
from benchmark.values import parse_value
from methods.core.usage import UsageError
from methods.parts.kmeans import kmeans
from methods.parts.nearest import nearest_codes
from methods.parts.statistics import code_counts

PATCHES_A_SIDE = 4
PIXELS_A_PATCH = 32
PATCHES_A_CODE = 8
"""Patches clustered for each code wanted, as far as the training images go."""


def cached_features(dataset: Dataset, codebook_size: int, device: torch.device) -> Tensor:
    """`make_features`, made once for a data set and a codebook size. Its random state is left as it was."""
    images = _images(dataset, codebook_size)
    content = hashlib.sha256(images.contiguous().numpy().data).hexdigest()
    cache = FeatureCache("codebook_features", PATCHES_A_CODE, codebook_size, tuple(images.shape), content)
    features = cache.load()
    if features is None:
        with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
            features = make_features(dataset, codebook_size, device)
        cache.save(features)
    return features


def make_features(dataset: Dataset, codebook_size: int, device: torch.device) -> Tensor:
    """``[K, 1280]`` features, centred and scaled to a mean squared norm of 1, which a projector could undo.

    Raises:
        UsageError: the data set is not one of images, or they have too few different patches.
    """
    images = _images(dataset, codebook_size)
    rows = distinct(patch_features(images, EfficientNetLite0(device)))
    if len(rows) < codebook_size:
        raise UsageError(
            f"the training images have {len(rows):,} different patches, too few for {codebook_size:,} features"
        )
    torch.manual_seed(derive_seed("codebook_features", codebook_size))
    centres = cluster(rows, codebook_size)
    centres -= centres.mean(0)
    return centres / centres.square().sum(1).mean().sqrt()


def _images(dataset: Dataset, codebook_size: int) -> Tensor:
    """As many training images as the features of ``codebook_size`` codes are made from."""
    if dataset.modality != "image":
        raise UsageError(f"features of patches are made of images, not of {dataset.modality}")
    wanted = -(-PATCHES_A_CODE * codebook_size // PATCHES_A_SIDE**2)
    return evenly(dataset.train, min(wanted, len(dataset.train)), "images")


@torch.no_grad()
def patch_features(images: Tensor, extractor: EfficientNetLite0) -> Tensor:
    """Features ``[16 N, 1280]`` of the 4 x 4 patches of images ``[N, C, H, W]``, enlarged or reduced to 128 pixels."""
    side = PATCHES_A_SIDE * PIXELS_A_PATCH
    rows = []
    for chunk in images.split(64):
        resized = F.interpolate(to_colour(chunk).float(), size=(side, side), mode="bilinear", antialias=True)
        rows.append(extractor.maps(resized).movedim(1, -1).flatten(0, 2).cpu())
    return torch.cat(rows)


def distinct(rows: Tensor) -> Tensor:
    """The different rows of ``[N, F]``, in no particular order: a blank patch counts once."""
    generator = torch.Generator().manual_seed(0)
    keys = rows.double() @ torch.randn(rows.shape[1], dtype=torch.float64, generator=generator)
    _, group = keys.unique(return_inverse=True)
    first = torch.zeros(int(group.max()) + 1, dtype=torch.int64).scatter_(0, group, torch.arange(len(rows)))
    return rows[first]


def cluster(rows: Tensor, count: int) -> Tensor:
    """``count`` centroids of rows ``[N, F]``: k-means within each of √count groups, which get their share by size."""
    groups = max(1, round(count**0.5))
    group = nearest_codes(rows, kmeans(rows, groups))
    shares = allocate(code_counts(group, groups).long(), count)
    return torch.cat([kmeans(rows[group == index], share) for index, share in enumerate(shares) if share])


def allocate(sizes: Tensor, count: int) -> list[int]:
    """``count`` seats by ``sizes``, largest remainders first, and nowhere more than its size."""
    quotas = sizes.double() * count / sizes.sum()
    seats = quotas.floor().long()
    left = count - int(seats.sum())
    seats[(quotas - seats).argsort(descending=True, stable=True)[:left]] += 1
    return seats.tolist()


def write(features: Tensor, file: Path) -> None:
    """Write ``features`` as ``.npy``, whole or not at all."""
    with writing(file):
        file.parent.mkdir(parents=True, exist_ok=True)
        with replacing(file) as stream:
            np.save(stream, features.cpu().numpy())


def main(arguments: list[str] | None = None) -> int:
    """The command; returns its exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmark.codebook_features", description=__doc__.split("\n\n")[0])
    parser.add_argument("dataset", metavar="DATASET", help="name of a data set")
    parser.add_argument("--codebook-size", type=int, nargs="+", required=True, metavar="K", help="number of features")
    parser.add_argument("--out", required=True, metavar="FILE", help="a .npy file; {codebook_size} in it stands for K")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="an option of the data set")
    parser.add_argument("--data", metavar="DIR", help="folder with data sets")
    options = parser.parse_args(arguments)
    try:
        if options.data:
            os.environ["CODEBOOK_BENCH_DATA"] = str(Path(options.data).expanduser().resolve())
        _check(options)
        dataset = datasets.create(options.dataset, dict(_option(text) for text in options.set))
        device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        for size in options.codebook_size:
            file = Path(options.out.replace("{codebook_size}", str(size))).expanduser()
            write(make_features(dataset, size, device), file)
            print(f"{size:,} features in {file}")
    except UsageError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


def _check(options: argparse.Namespace) -> None:
    if min(options.codebook_size) < 1:
        raise UsageError(f"--codebook-size must be at least 1, not {min(options.codebook_size)}")
    if not options.out.endswith(".npy"):
        raise UsageError(f"--out must end in .npy, not {options.out}")
    if len(options.codebook_size) > 1 and "{codebook_size}" not in options.out:
        raise UsageError("--out needs {codebook_size} in it where there are several codebook sizes")


def _option(text: str) -> tuple[str, Any]:
    key, equals, value = text.partition("=")
    if not equals:
        raise UsageError(f"--set needs KEY=VALUE, not {text}")
    return key, parse_value(value)


if __name__ == "__main__":
    sys.exit(main())
