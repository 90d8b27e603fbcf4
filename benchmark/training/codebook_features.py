"""Makes the frozen features that `vqgan_lc` needs: k-means centroids of a pretrained network's patch features.

A run with ``features: patches`` makes them by itself; as a command, this writes them to a file:

    python -m benchmark features fashion_mnist --codebook-size 256 1024 --out 'features/{codebook_size}.npy'

Zhu et al. (arXiv 2406.11837, Sec. 3.1) cluster CLIP's features of 16 patches an image within each of ImageNet's
classes. Here the features are EfficientNet-Lite0's, of 16 patches an image too, and the clustering is within groups
that a first k-means finds, so that no labels are needed.
"""

import argparse
import hashlib
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from benchmark.cache import FeatureCache
from benchmark.data import Dataset, datasets
from benchmark.data.base import evenly
from benchmark.machine import find_device
from benchmark.metrics.parts.features import EfficientNetLite0
from benchmark.metrics.parts.pixels import to_colour
from benchmark.records.files import replacing, writing
from benchmark.seeds import derive_seed, seed_torch
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
    seed_torch(derive_seed("codebook_features", codebook_size))
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


def write_features(options: argparse.Namespace) -> int:
    """The command ``features``; returns its exit code.

    Raises:
        UsageError: options that don't fit, a data set that can't be had, a file that can't be written.
    """
    if not options.out.endswith(".npy"):
        raise UsageError(f"--out must end in .npy, not {options.out}")
    if len(options.codebook_size) > 1 and "{codebook_size}" not in options.out:
        raise UsageError("--out needs {codebook_size} in it where there are several codebook sizes")
    dataset = datasets.create(options.dataset, options.set)
    device = find_device(options.device)
    for size in options.codebook_size:
        file = Path(options.out.replace("{codebook_size}", str(size))).expanduser()
        write(make_features(dataset, size, device), file)
        print(f"{size:,} features in {file}")
    return 0
