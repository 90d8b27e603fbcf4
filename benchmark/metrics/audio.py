"""Metrics of reconstructed speech, and what of it is kept to look at and to listen to."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from benchmark.cache import FeatureCache
from benchmark.components import check_each
from benchmark.metrics import metrics
from benchmark.metrics.base import ReconstructionMetrics, Value
from benchmark.metrics.parts.mel import MelDistance
from benchmark.metrics.parts.sound_samples import save_samples
from benchmark.metrics.parts.speech import Facts, Judge, facts_of, judge_pair, measure, measures, over_clips
from benchmark.processes import gather
from benchmark.records.files import checksum
from methods.core.usage import UsageError, check_count
from methods.parts.processes import all_reduce, rank


class AudioMetrics(ReconstructionMetrics):
    """Metrics of waveforms ``[B, 1, T]`` in [-1, 1], averaged over clips.

    A reconstruction is cut to its original's length. Mel distance and SI-SDR see it as it is, everything else as it
    could be played, clipped to [-1, 1]. A clip on which a metric is undefined (PESQ finds no utterance or the clip is
    longer than 19.4 s, no frame is voiced, its code ended its process) is left out of its mean and counted in
    ``<metric>_undefined``.

    Args:
        names: of `speech.measures`.
        clips: how many of the test clips they see, evenly spaced, for they take seconds a clip; None for all.
        sample_rate: Hz of the waveforms.
        device: where they are.

    Raises:
        UsageError: weights that can't be had.
    """

    def __init__(self, names: Sequence[str], clips: int | None, sample_rate: int, device: torch.device) -> None:
        self._measures = list(dict.fromkeys(names))
        for name in self._measures:
            measure(name).weights()
        self._judged = clips
        self._rate = sample_rate
        self._device = device
        self._mel = MelDistance(sample_rate).to(device)
        self._direct: dict[str, list[float]] = {"mel_distance": [], "si_sdr": []}
        self._pairs: list[tuple[np.ndarray, np.ndarray]] = []
        self._details: dict[str, Any] = {}
        self._seconds = 0.0

    @torch.inference_mode()
    def update(self, originals: Tensor, reconstructions: Tensor) -> None:
        """Add originals and reconstructions."""
        from torchmetrics.functional.audio import scale_invariant_signal_distortion_ratio as si_sdr

        reconstructions = reconstructions[..., : originals.shape[-1]].float()
        assert originals.shape == reconstructions.shape, (originals.shape, reconstructions.shape)
        self._direct["mel_distance"] += self._mel(reconstructions, originals).tolist()
        self._direct["si_sdr"] += si_sdr(reconstructions[:, 0], originals[:, 0]).tolist()
        played = reconstructions.clamp(-1, 1)
        self._pairs += zip(originals[:, 0].cpu().numpy(), played[:, 0].cpu().numpy(), strict=True)

    def compute(self) -> dict[str, Value]:
        """``n_clips``, ``seconds``, ``mel_distance``, ``si_sdr``, the measures' columns; over all processes."""
        rows: dict[str, list[float | None]] = {name: list(values) for name, values in self._direct.items()}
        if self._measures:
            chosen = self._chosen()
            known = self._known([original for original, _ in chosen])
            pairs = [(*pair, facts) for pair, facts in zip(chosen, known, strict=True)]
            judged = over_clips(judge_pair, pairs, self._measures, torch.get_num_threads(), self._rate)
            for name in self._measures:
                columns = measure(name).columns
                values = [answer.get(name, (None,) * len(columns)) for answer in judged]
                rows |= {column: [value[index] for value in values] for index, column in enumerate(columns)}
            judges = [name for name in self._measures if isinstance(measure(name), Judge)]
            originals = self._means({name: [_score(facts.get(name)) for facts in known] for name in judges})
            self._describe(originals, self._total(len(chosen)))
        clips, self._seconds = (
            self._total(len(self._pairs)),
            self._total(sum(len(o) for o, _ in self._pairs) / self._rate),
        )
        assert clips, "no clips yet"
        measured: dict[str, Value] = {"n_clips": int(clips), "seconds": self._seconds}
        for name, (value, undefined) in self._means(rows).items():
            measured |= {name: value, f"{name}_undefined": undefined}
        return measured

    def _means(self, rows: dict[str, list[float | None]]) -> dict[str, tuple[float | None, int]]:
        """Mean of the defined values and number of the others, over all processes."""
        found = {}
        for name, values in rows.items():
            defined = [value for value in values if value is not None]
            total, count, undefined = (self._total(x) for x in (sum(defined), len(defined), len(values) - len(defined)))
            found[name] = (total / count if count else None, int(undefined))
        return found

    def _total(self, value: float) -> float:
        """The sum over all processes."""
        return float(all_reduce(torch.tensor(float(value), dtype=torch.float64, device=self._device)))

    def rates(self, codes: dict[str, Value]) -> dict[str, Value]:
        """``bandwidth_kbps``, all codes costing the same, and ``entropy_rate_bps``, which an entropy coder reaches.

        From the bits and the entropy of a position and the positions a second, levels of a quantizer together.
        """
        tokens, bits, entropy = (codes.get(name) for name in ("tokens", "bits_per_position", "entropy_bits"))
        if tokens is None or bits is None or entropy is None:
            return {"bandwidth_kbps": None, "entropy_rate_bps": None}
        rate = tokens / self._seconds
        return {"bandwidth_kbps": rate * bits / 1000, "entropy_rate_bps": rate * entropy}

    def details(self) -> dict[str, Any]:
        """Per column: the package, the hash of the weights, the mean over the originals themselves."""
        return self._details

    def save_samples(self, originals: Tensor, reconstructions: Tensor, folder: Path) -> None:
        """See `sound_samples`."""
        save_samples(originals, reconstructions[..., : originals.shape[-1]], self._rate, folder)

    def _chosen(self) -> list[tuple[np.ndarray, np.ndarray]]:
        """The pairs of this process that are judged, the same of the whole test set however many processes share it."""
        lengths = [int(length) for length in gather(torch.tensor(len(self._pairs)))]
        first, total = sum(lengths[: rank()]), sum(lengths)
        count = total if self._judged is None else min(self._judged, total)
        places = [index * total // count - first for index in range(count)]
        return [self._pairs[place] for place in places if 0 <= place < len(self._pairs)]

    def _known(self, originals: list[np.ndarray]) -> list[dict[str, Facts]]:
        """The facts of every original by measure, from the cache where they have been asked for before."""
        names = [name for name in self._measures if measure(name).has_facts]
        if not names or not originals:
            return [{} for _ in originals]
        content = hashlib.sha256(b"".join(original.tobytes() for original in originals)).hexdigest()
        caches = {name: self._cache(content, name) for name in names}
        stored = {name: cache.load() for name, cache in caches.items()}
        missing = [name for name, rows in stored.items() if rows is None]
        if missing:
            found = over_clips(facts_of, originals, missing, torch.get_num_threads(), self._rate)
            for name in missing:
                if all(name in facts for facts in found):
                    caches[name].save(torch.from_numpy(np.stack([facts[name] for facts in found])))
        else:
            found = [{} for _ in originals]
        arrays = {name: rows.numpy() for name, rows in stored.items() if rows is not None}
        return [{**facts, **{name: rows[index] for name, rows in arrays.items()}} for index, facts in enumerate(found)]

    def _cache(self, content: str, name: str) -> FeatureCache:
        asked = measure(name)
        weights = asked.weights()
        made_by = asked.package_version(), checksum(weights) if weights else None
        plugin = [source] if (source := measures.source(name)) else []
        return FeatureCache("speech", self._rate, content, name, *made_by, *plugin)

    def _describe(self, originals: dict[str, tuple[float | None, int]], clips: float) -> None:
        for name in self._measures:
            asked = measure(name)
            detail: dict[str, Any] = {"clips": int(clips)}
            if (used := asked.package_version()) is not None:
                detail["package"] = used
            if (weights := asked.weights()) is not None:
                detail["weights_sha256"] = checksum(weights)[:12]
            if name in originals:
                detail["originals"] = originals[name][0]
            self._details |= {column: dict(detail) for column in asked.columns}


def _score(facts: Facts | None) -> float | None:
    """Of an original, None where its judge could not say."""
    return None if facts is None else float(facts[0])


def _check(speech: Sequence[str], clips: int | None) -> None:
    check_each("speech", speech, measures.available())
    if clips is not None:
        check_count("`clips`", clips)


@metrics.register("audio", check=_check, cheapest={"speech": []}, named={"speech": measures})
def audio(
    *,
    speech: Sequence[str] = ("pesq", "stoi", "pitch", "dnsmos", "distillmos"),
    clips: int | None = None,
    sample_rate: int | None,
    device: torch.device,
) -> ReconstructionMetrics:
    """Mel distance, SI-SDR, bandwidth and the measures of speech that are asked for.

    ``speech``: measures of speech by name, which take seconds a clip. ``clips``: how many test clips they see, evenly
    spaced, null for all. ``unmapped``, ``training_codes``, ``distinct_codes`` and ``extra`` as for images.
    """
    if sample_rate is None:
        raise UsageError("speech metrics need a data set with a sample rate")
    return AudioMetrics(speech, clips, sample_rate, device)
