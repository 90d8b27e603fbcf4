"""The table of what known changes do to the metrics."""

from pathlib import Path

import pandas as pd

from benchmark.data import datasets
from benchmark.data.fashion_mnist import NAME, labels
from benchmark.report.build import write_table
from benchmark.report.columns import NO_VALUE, Column, column
from benchmark.report.notes import definition_note, measurement_note
from benchmark.report.table import Block, Cell, Table
from benchmark.sensitivity.changes import CHANGES, Change, Images
from benchmark.sensitivity.measure import Measured, measure
from methods.core.usage import UsageError

COLUMNS = (
    "mse",
    "psnr",
    "ssim",
    "class_agreement",
    "fd_fashion_classifier",
    "kid_fashion_classifier",
    "lpips_alex_64px",
    "fd_efficientnet_lite0",
    "kid_efficientnet_lite0",
)


def write_sensitivity(results: Path) -> list[Path]:
    """Measure all 10,000 test images of Fashion-MNIST; write ``sensitivity/tables/sensitivity.*`` below ``results``.

    Raises:
        UsageError: the data set or weights can't be had, or nothing can be written.
    """
    data = datasets.create(NAME, {})
    given = Images(data.test, labels().test, data.train)
    folder = results / "sensitivity"
    try:
        folder.mkdir(parents=True, exist_ok=True)  # before minutes of work
    except OSError as error:
        raise UsageError(f"the folder {folder} can't be made: {error.strerror}") from error
    return write_table(sensitivity_table(CHANGES, measure(given, CHANGES)), folder / "tables")


def sensitivity_table(changes: tuple[Change, ...], measured: Measured) -> Table:
    """A row a change, a column a metric."""
    columns = [column(name) for name in COLUMNS]
    rows = [
        [Cell(change.label), *(Cell(_number(metric, row[metric.name])) for metric in columns)]
        for change, row in zip(changes, measured.rows, strict=True)
    ]
    data = [
        {"change": change.label, **{name: row[name] for name in ("n_images", *COLUMNS)}}
        for change, row in zip(changes, measured.rows, strict=True)
    ]
    return Table(
        "sensitivity",
        "sensitivity",
        "what known changes of Fashion-MNIST's test images do to the metrics",
        ["Change", *(metric.heading for metric in columns)],
        [Block("", rows)],
        pd.DataFrame(data),
        [*_row_notes(), definition_note(columns), *_measurement_notes(columns, measured)],
    )


def _number(metric: Column, value: float | int | None) -> str:
    if value is None:
        return NO_VALUE
    text = metric.number(value)
    return text.removeprefix("−") if set(text) <= set("−0.,") else text


def _row_notes() -> list[str]:
    return [
        "Each row compares the test images with themselves after one change, which no model made.",
        "Noise and blur are rounded to whole grey levels and cut off at 0 and 255. A shift is to the right, and black "
        "moves in. Few grey levels are evenly spaced from black to white.",
        "A lost class: each of its images is replaced by the nearest test image (squared error) of another class. An "
        "image that stays as it is counts with 100 dB.",
        "Training images: as many, evenly spaced, none of them the counterpart of a test image, so that only distances "
        "between distributions mean something: what two draws of real images are apart. Changed copies share their "
        "images with the originals and can be closer. The classifier of Fashion-MNIST was trained on these images.",
        "KID is unbiased and may be below zero: identical copies are closer than two draws of one distribution.",
    ]


def _measurement_notes(columns: list[Column], measured: Measured) -> list[str]:
    shown = {metric.name: metric.label for metric in columns}
    return [
        f"N = {measured.rows[0]['n_images']:,} images in every column.",
        *(measurement_note(shown[name], detail) for name, detail in measured.details.items() if name in shown),
    ]
