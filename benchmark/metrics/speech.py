"""All measures of one clip, and many clips at once on the cores that there are."""

import multiprocessing
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from importlib.metadata import version
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray

from benchmark.data.audio_files import resample
from benchmark.metrics.intrusive import pesq, stoi
from benchmark.metrics.opinion import JUDGES
from benchmark.metrics.pitch import RATE, pitch, pitch_error, voicing_f1

Clip = NDArray[np.float32]
A = TypeVar("A")
B = TypeVar("B")

MEASURES = {
    "pesq": ("pesq",),
    "stoi": ("stoi",),
    "pitch": ("vuv_f1", "f0_error"),
    "dnsmos": ("dnsmos",),
    "distillmos": ("distillmos",),
    "utmos": ("utmos",),
}
"""What a suite can ask for, and the columns it brings."""
PACKAGES = {
    "pesq": "pesq",
    "stoi": "pystoi",
    "vuv_f1": "torchcrepe",
    "f0_error": "torchcrepe",
    "dnsmos": "speechmos",
    "distillmos": "distillmos",
}


def package(column: str) -> str | None:
    """Name and version of the package behind a column."""
    return f"{PACKAGES[column]} {version(PACKAGES[column])}" if column in PACKAGES else None


def judge_original(clip: Clip, *, measures: Sequence[str], sample_rate: int) -> dict[str, Any]:
    """What is known of an original ``[T]`` alone: opinion scores, and its ``pitch`` where that is asked for."""
    at_16k = _resampled(clip, sample_rate)
    known: dict[str, Any] = {name: JUDGES[name](at_16k) for name in measures if name in JUDGES}
    return known | ({"pitch": pitch(at_16k)} if "pitch" in measures else {})


def judge_pair(
    pair: tuple[Clip, Clip, dict[str, Any]], *, measures: Sequence[str], sample_rate: int
) -> dict[str, float | None]:
    """All columns of one original, its reconstruction (both ``[T]``) and what `judge_original` said of the first."""
    original, reconstruction, known = pair
    before, after = _resampled(original, sample_rate), _resampled(reconstruction, sample_rate)
    values: dict[str, float | None] = {name: JUDGES[name](after) for name in measures if name in JUDGES}
    if "pesq" in measures:
        values["pesq"] = pesq(before, after)
    if "stoi" in measures:
        values["stoi"] = stoi(original, reconstruction, sample_rate)
    if "pitch" in measures:
        found = pitch(after)
        values |= {"vuv_f1": voicing_f1(known["pitch"], found), "f0_error": pitch_error(known["pitch"], found)}
    return values


def _resampled(clip: Clip, sample_rate: int) -> Clip:
    return resample(torch.from_numpy(clip), sample_rate, RATE).numpy()


def over_clips(function: Callable[..., B], clips: Iterable[A], threads: int, **fixed: Any) -> list[B]:
    """``function`` of every clip, in ``threads`` processes where there are several; the order is kept."""
    task = partial(function, **fixed)
    if threads < 2:
        return [task(clip) for clip in clips]
    # Forking would copy the state of a CUDA context and of running threads.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(threads, context, initializer=torch.set_num_threads, initargs=(1,)) as pool:
        return list(pool.map(task, clips, chunksize=4))
