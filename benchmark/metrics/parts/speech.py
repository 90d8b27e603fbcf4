"""Measures of clips of speech that take seconds a clip: what one is, and many clips at once on the cores there are."""

from collections.abc import Callable, Sequence
from functools import cache, partial
from importlib.metadata import version
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from benchmark.components import Components
from benchmark.data.parts.audio_files import resample
from benchmark.metrics.parts.pool import Answer, in_processes

RATE = 16_000
"""Hz at which most measures listen."""
Clip = NDArray[np.float32]
Facts = NDArray[np.float32]


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
    something of an original alone, which is then asked once a data set. ``is_safe``: whether its code is known not to
    end the process that asks it; any other is asked in one of its own, whose end costs the value of one clip.
    """

    columns: ClassVar[tuple[str, ...]]
    package: ClassVar[str | None] = None
    is_safe: ClassVar[bool] = False
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
    clip: tuple[Clip, Clip, dict[str, Facts]], *, names: Sequence[str], sample_rate: int
) -> dict[str, tuple[float | None, ...]]:
    """The values, a column each, of an original, its reconstruction (both ``[T]``) and the facts of the first.

    A measure that could say nothing of the original is not asked.
    """
    original, reconstruction, facts = clip
    both = (_resampled(clip, sample_rate) for clip in (original, reconstruction))
    clips = Pair(original, reconstruction, sample_rate, *both)
    asked = {name: measure(name) for name in names if name in facts or not measure(name).has_facts}
    return {name: one.values(clips, facts.get(name)) for name, one in asked.items()}


def _resampled(clip: Clip, sample_rate: int) -> Clip:
    return resample(torch.from_numpy(clip), sample_rate, RATE).numpy()


def over_clips(
    function: Callable[..., Answer], clips: Sequence[Any], names: Sequence[str], threads: int, sample_rate: int
) -> list[Answer]:
    """What the measures ``names`` say of every clip by ``function``, in ``threads`` processes where there are several.

    Those that may end their process always have another one than this.
    """
    task = partial(function, sample_rate=sample_rate)
    here = [name for name in names if measure(name).is_safe] if threads < 2 else []
    found = [task(clip, names=here) if here else {} for clip in clips]
    if others := [name for name in names if name not in here]:
        found = [own | answer for own, answer in zip(found, in_processes(task, clips, others, threads), strict=True)]
    return found
