"""Measures of clips of speech that take seconds a clip: what one is, and many clips at once on the cores there are."""

import multiprocessing
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import cache, partial
from importlib.metadata import version
from pathlib import Path
from typing import Any, ClassVar, NamedTuple, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray

from benchmark.components import Components
from benchmark.data.parts.audio_files import resample
from methods.core.plugins import load_again, loaded_plugins

RATE = 16_000
"""Hz at which most measures listen."""
Clip = NDArray[np.float32]
Facts = NDArray[np.float32]
A = TypeVar("A")
B = TypeVar("B")


class Pair(NamedTuple):
    """An original and its reconstruction ``[T]``, and both at 16 kHz."""

    original: Clip
    reconstruction: Clip
    sample_rate: int
    original_16k: Clip
    reconstruction_16k: Clip


class Measure:
    """What a suite can ask for by name, and the ``columns`` that it brings.

    ``package``: the installed distribution that computes it, None where none does. ``has_facts``: whether it asks
    something of an original alone, which is then asked once a data set.
    """

    columns: ClassVar[tuple[str, ...]]
    package: ClassVar[str | None] = None
    has_facts: ClassVar[bool] = False

    def weights(self) -> Path | None:
        """The file of its weights.

        Raises:
            UsageError: it can't be had.
        """
        return None

    def facts(self, original: Clip) -> Facts:
        """What is known of an original at 16 kHz ``[T]`` alone, ``[F]``."""
        raise NotImplementedError

    def values(self, pair: Pair, facts: Facts | None) -> tuple[float | None, ...]:
        """One a column; None where it is undefined."""
        raise NotImplementedError

    def package_version(self) -> str | None:
        """Name and version of the package."""
        return f"{self.package} {version(self.package)}" if self.package else None


class Judge(Measure):
    """Guesses an opinion score from a clip alone; its only fact of an original is the score of that."""

    has_facts = True

    def score(self, clip: Clip) -> float:
        """Of 16 kHz ``[T]``."""
        raise NotImplementedError

    def facts(self, original: Clip) -> Facts:
        """``[1]``: the score of the original."""
        return np.array([self.score(original)], np.float32)

    def values(self, pair: Pair, facts: Facts | None) -> tuple[float | None, ...]:
        """The score of the reconstruction."""
        return (self.score(pair.reconstruction_16k),)


measures: Components[Measure] = Components("speech measure", __package__)
"""A class registered here in a module beside this one is what the option ``speech`` of a suite can name."""


@cache
def measure(name: str) -> Measure:
    """The measure of that name."""
    return measures.create(name, {})


def facts_of(clip: Clip, *, names: Sequence[str], sample_rate: int) -> dict[str, Facts]:
    """What the measures ``names`` know of an original ``[T]``."""
    at_16k = _resampled(clip, sample_rate)
    return {name: measure(name).facts(at_16k) for name in names}


def judge_pair(
    pair: tuple[Clip, Clip, dict[str, Facts]], *, names: Sequence[str], sample_rate: int
) -> dict[str, float | None]:
    """All columns of one original, its reconstruction (both ``[T]``) and the facts of the first."""
    original, reconstruction, facts = pair
    both = (_resampled(clip, sample_rate) for clip in (original, reconstruction))
    clips = Pair(original, reconstruction, sample_rate, *both)
    values: dict[str, float | None] = {}
    for name in names:
        asked = measure(name)
        values |= zip(asked.columns, asked.values(clips, facts.get(name)), strict=True)
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
    with ProcessPoolExecutor(threads, context, initializer=_prepare, initargs=(loaded_plugins(),)) as pool:
        return list(pool.map(task, clips, chunksize=4))


def _prepare(plugins: dict[str, bytes]) -> None:
    """A process of its own takes one thread, and knows the measures that this one knows."""
    torch.set_num_threads(1)
    load_again(plugins)
