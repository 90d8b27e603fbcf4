"""Every metric of images for every known change, with the metrics that a run's evaluation uses."""

import hashlib
import sys
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from benchmark.data.base import Dataset
from benchmark.metrics import metrics
from benchmark.sensitivity.changes import Change, Images

PAIRED = ("mse", "psnr", "ssim", "class_agreement")
BATCH = 500
OPTIONS = (
    {"features": "fashion_classifier", "lpips": []},
    {"features": "efficientnet_lite0", "lpips": ["alex"]},
)
"""Two passes over the images give every metric."""


class Measured(NamedTuple):
    """``rows``: metrics by name for each change, None where one means nothing; ``details``: with what, by column."""

    rows: list[dict[str, float | int | None]]
    details: dict[str, Any]


def measure(given: Images, changes: Sequence[Change]) -> Measured:
    """Measure each of ``changes`` of the ``given`` images; says on stderr how far it is."""
    key = hashlib.sha256(given.images.numpy().tobytes()).hexdigest()
    rows: list[dict[str, float | int | None]] = []
    details: dict[str, Any] = {}
    for number, change in enumerate(changes, 1):
        print(f"sensitivity: {change.label} ({number} of {len(changes)})", file=sys.stderr)
        changed = change.make(given)
        row: dict[str, float | int | None] = {}
        for options in OPTIONS:
            measured, found = _measured(given.images, changed, options, key)
            row |= measured
            details |= found
        if not change.paired:
            row |= {name: None for name in row if name in PAIRED or name.startswith("lpips_")}
        rows.append(row)
    return Measured(rows, details)


def _measured(
    images: Tensor, changed: Tensor, options: dict[str, Any], key: str
) -> tuple[dict[str, float | int | None], dict[str, Any]]:
    quality = metrics.create(
        "image", options, item_shape=tuple(images.shape[1:]), device=torch.device("cpu"), originals_key=key
    )
    for originals, others in zip(images.split(BATCH), changed.split(BATCH), strict=True):
        quality.update(Dataset.to_input(originals), Dataset.to_input(others))
    return quality.compute(), quality.details()
