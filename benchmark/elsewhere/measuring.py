"""What somebody already has, measured as a run is: the one call behind `python -m benchmark measure`."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from benchmark import arguments
from benchmark.elsewhere.arrays import Source
from benchmark.elsewhere.codes import measure_codes
from benchmark.extras import extras_named
from benchmark.machine import find_device
from benchmark.metrics.base import ReconstructionMetrics, Value
from benchmark.metrics.parts.extra import create_metrics, evaluation_options
from methods.core.usage import UsageError, check_count

if TYPE_CHECKING:
    from benchmark.elsewhere.pairs import Pairs

_SAMPLES = 8


@dataclass(frozen=True)
class Measured:
    """Numbers as a run's record has them.

    ``metrics`` by the names of `benchmark.metrics.catalogue`; ``details``: what they were measured with; ``counts``
    int64 ``[K_l]`` of each level; ``sources``: SHA-256 of each input; ``evaluation``: the options of the metrics.
    """

    metrics: dict[str, Value]
    details: dict[str, Any] = field(default_factory=dict)
    level_sizes: list[int] = field(default_factory=list)
    counts: list[np.ndarray] = field(default_factory=list)
    sources: dict[str, str] = field(default_factory=dict)
    evaluation: dict[str, Any] = field(default_factory=dict)

    @property
    def codebook_size(self) -> int | None:
        """Of all levels together; None without codes."""
        return math.prod(self.level_sizes) if self.level_sizes else None


@extras_named()
def measure(
    codes: Source | None = None,
    codebook_size: int | Sequence[int] = (),
    *,
    codewords: Source | None = None,
    latents: Source | None = None,
    originals: Source | None = None,
    reconstructions: Source | None = None,
    sample_rate: int | None = None,
    value_range: tuple[float, float] | None = None,
    options: Mapping[str, Any] | None = None,
    device: torch.device | str = "cpu",
    samples: Path | None = None,
) -> Measured:
    """Measure codes, reconstructions or both. Arrays are NumPy's, tensors, or files (.npy, .npz, .pt) with one of them.

    Args:
        codes: whole numbers of any shape, -1 where one was dropped; of several levels ``[..., levels]``.
        codebook_size: K, or one for each level; left out where ``codewords`` say it.
        codewords: floats ``[K, D]``, or ``[levels, K, D]``.
        latents: floats ``[..., D]`` before quantization, in the order of ``codes``, or in their place: each then
            gets the code of the nearest codeword. The codewords of several levels are summed.
        originals: a folder of images or sounds, images ``[N, H, W]``, ``[N, C, H, W]`` or ``[N, H, W, C]`` (uint8, or
            floats with ``value_range``), or waveforms ``[N, T]`` in [-1, 1] with ``sample_rate``.
        reconstructions: the same of the decoder; files go together by their names without suffix.
        sample_rate: of sounds in Hz; of a folder of sounds that of its files unless said otherwise.
        value_range: lowest and highest value of images that are floats.
        options: of the modality's metrics, as under ``evaluation`` in a suite.
        device: where networks of metrics run.
        samples: a folder that gets a few originals with their reconstructions.

    Raises:
        UsageError: nothing to measure, or inputs that can't be read or do not go together.
    """
    chosen = find_device(str(device))
    if (originals is None) != (reconstructions is None):
        raise UsageError("originals and reconstructions are measured together: one of them is missing")
    if codes is None and latents is None and originals is None:
        raise UsageError(
            "there is nothing to measure: give codes, latents with codewords, or originals and reconstructions"
        )
    sizes = _sizes(codebook_size)
    of_codes = codes is not None or latents is not None
    found = Measured({})
    if of_codes:
        counted = measure_codes(codes, sizes, codewords, latents)
        found = Measured(counted.metrics, {}, counted.level_sizes, counted.counts, counted.sources)
    elif sizes or codewords is not None:
        raise UsageError("a codebook size or codewords without codes or latents say nothing")
    if originals is None or reconstructions is None:
        if options or sample_rate is not None or value_range is not None:
            raise UsageError(
                "options, sample rate and range of values are of originals and reconstructions, which are missing"
            )
        return found
    options = arguments.mapping("options", options)
    if in_training := [name for name in ("training_codes", "distinct_codes") if name in options]:
        raise UsageError(
            f"`{in_training[0]}` is of codes that a run counts while it evaluates, which nothing here does"
        )
    from benchmark.elsewhere.pairs import read_pairs  # and Pillow, without which codes alone are measured

    pairs = read_pairs(originals, reconstructions, sample_rate, value_range)
    evaluation = evaluation_options(pairs.modality, options)
    quality = create_metrics(
        pairs.modality,
        evaluation,
        item_shape=pairs.item_shape,
        device=chosen,
        originals_key=f"{pairs.sources['originals']} {value_range}",
        sample_rate=pairs.sample_rate,
    )
    _feed(quality, pairs, chosen, None if samples is None else arguments.place("samples", samples))
    metrics = {**found.metrics, **quality.compute()}
    metrics |= {name: value for name, value in quality.rates(metrics).items() if of_codes}
    sources = {**found.sources, **pairs.sources}
    return Measured(metrics, quality.details(), found.level_sizes, found.counts, sources, evaluation)


def _sizes(codebook_size: int | Sequence[int]) -> list[int]:
    """One a level; none where none is given."""
    size = arguments.whole(codebook_size)
    sizes = [size] if size is not None else codebook_size
    found = [arguments.whole(one) for one in sizes] if isinstance(sizes, Sequence | np.ndarray | Tensor) else [None]
    if None in found or isinstance(codebook_size, bool | str):
        raise UsageError(
            f"the codebook size must be a whole number, or a list of one for each level, not {codebook_size!r}"
        )
    return [check_count("the codebook size", one) for one in found]


def _feed(quality: ReconstructionMetrics, pairs: "Pairs", device: torch.device, samples: Path | None) -> None:
    """All pairs to the metrics; the samples are those of a run: a few from all over the set."""
    spread = sorted({index * pairs.count // _SAMPLES for index in range(_SAMPLES)})
    kept: list[tuple[Tensor, Tensor]] = []
    start = 0
    for originals, reconstructions in pairs.batches():
        quality.update(originals.to(device), reconstructions.to(device))
        inside = [index - start for index in spread if start <= index < start + len(originals)]
        kept += [(originals[index], reconstructions[index]) for index in inside]
        start += len(originals)
    if samples is not None:
        length = min(pair[0].shape[-1] for pair in kept) if pairs.modality == "audio" else None
        sides = [torch.stack([pair[side][..., :length] for pair in kept]) for side in range(2)]
        samples.mkdir(parents=True, exist_ok=True)
        quality.save_samples(sides[0], sides[1], samples)
