"""From recordings to clips of one length: where speech is, where it is cut, and the data set they make."""

import sys
from dataclasses import dataclass
from functools import cached_property, partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from benchmark.cache import prepared
from benchmark.data.base import Dataset, evenly
from benchmark.data.parts.audio_files import UnusableError, load
from benchmark.data.parts.files import NAMED, Files, in_threads, report_skipped, shown
from benchmark.seeds import derive_seed
from methods.core.usage import UsageError, check_count

VERSION = 2  # of how recordings become clips; another one makes others of the same files. 1: silence by level alone
FRAME_SECONDS = 0.02
BELOW_LOUDEST = 40.0  # dB under the loudest frame of a recording from which a frame is silence
QUIETEST = -60.0  # dB of full scale that sound has at least
QUIET_SHARE = 0.05  # of the frames, the quietest, whose loudest shows the noise between the words
NOISE_BELOW = 15.0  # dB that noise is under the loudest frame; what is louder is sound
ABOVE_NOISE = 6.0  # dB over the noise from which a frame is sound
MIN_SPEECH = 0.5  # share of frames with sound that a clip needs
FULL_SCALE = 32768.0
CHUNK = 64  # clips at a time, so that statistics of a large set need little memory
EVALUATION_BATCH = 16  # clips; one of three seconds is as large as a photograph
SPLITS = ("train", "validation", "test")


@dataclass(frozen=True)
class Cut:
    """How recordings become clips.

    ``sample_rate`` in Hz; ``clip_seconds`` of training and validation, ``test_seconds`` of test clips;
    ``per_recording``: at most so many clips of one recording, None for all that do not overlap.
    """

    sample_rate: int
    clip_seconds: float
    test_seconds: float
    per_recording: int | None = None

    def check(self, what: str, highest_rate: int | None = None) -> None:
        """UsageError, beginning with ``what``, where a value can't be."""
        check_count(f"{what}: sample_rate", self.sample_rate, highest_rate)
        if self.sample_rate < 8000:
            raise UsageError(f"{what}: sample_rate must be at least 8000 Hz, not {self.sample_rate}")
        for name in ("clip_seconds", "test_seconds"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int | float) or not 0.1 <= value <= 60:
                raise UsageError(f"{what}: {name} must be from 0.1 to 60 seconds, not {value!r}")
        if self.per_recording is not None:
            check_count(f"{what}: clips_per_recording", self.per_recording)

    def samples(self, split: str) -> int:
        """Samples of a clip of ``split``."""
        return round((self.test_seconds if split == "test" else self.clip_seconds) * self.sample_rate)


class Speech(Dataset):
    """Raw int16 clips ``[N, 1, T]``; those for the test may be longer than those for training."""

    @cached_property
    def variance(self) -> float:
        """Variance of all training samples in the model's units, [-1, 1], about their mean."""
        total, squares, count = 0.0, 0.0, self.train.numel()
        for chunk in self.train.split(CHUNK):
            values = self.to_input(chunk)
            total += float(values.sum(dtype=torch.float64))
            squares += float(values.square().sum(dtype=torch.float64))
        return squares / count - (total / count) ** 2

    @staticmethod
    def to_input(items: Tensor) -> Tensor:
        """Samples as fp32 in [-1, 1)."""
        return items.float() / FULL_SCALE


def speech(
    what: str,
    root: Path,
    recordings: dict[str, list[str]],
    cut: Cut,
    content: str,
    *,
    files: Files | None = None,
    test_items: int | None = None,
    **provenance: Any,
) -> Speech:
    """The data set made of ``recordings``, relative names below ``root`` by split.

    ``what`` begins every message; ``content`` is a hash of the files, so that they are decoded once; ``files`` also
    says which others were passed over. Recordings that can't be used are named on stderr and in the provenance, and
    left out.

    Raises:
        UsageError: a split has no clip, wrong ``test_items``.
    """
    name = what.split("`")[1]
    stored = prepared(name, (VERSION, content, recordings, cut), lambda: cut_all(root, recordings, cut))
    clips, skipped = stored["clips"], {**(files.skipped if files else {}), **stored["skipped"]}
    (files.report if files else report_skipped)(what, "recordings that can't be used", skipped)
    report_rescaled(what, stored["rescaled"])
    for split in SPLITS:
        if not len(clips[split]):
            raise UsageError(
                f"{what}: no clip for {split}; {len(recordings[split])} recordings were there, of which "
                f"{len(skipped.keys() & set(map(shown, recordings[split])))} can't be used"
            )
    test = evenly(clips["test"], test_items, f"{what}: test_items")
    return Speech(
        train=clips["train"],
        validation=clips["validation"],
        test=test,
        provenance={
            **provenance,
            "content": content,
            "recordings": {split: len(names) for split, names in recordings.items()},
            "clips": {split: len(items) for split, items in clips.items()},
            "silent_clips_left_out": stored["silent"],
            "skipped": skipped,
            "rescaled": stored["rescaled"],
            **({"other_files": files.others} if files else {}),
        },
        modality="audio",
        sample_rate=cut.sample_rate,
        evaluation_batch=EVALUATION_BATCH,
    )


def report_rescaled(what: str, rescaled: dict[str, float]) -> None:
    """One line on stderr that names the recordings with samples beyond full scale, if any."""
    if rescaled:
        names = ", ".join(f"{name} ({peak:,.4g} times full scale)" for name, peak in list(rescaled.items())[:NAMED])
        more = f" and {len(rescaled) - NAMED} more" if len(rescaled) > NAMED else ""
        print(f"{what}: divided {len(rescaled)} recordings by their largest sample: {names}{more}", file=sys.stderr)


def cut_all(root: Path, recordings: dict[str, list[str]], cut: Cut) -> dict[str, Any]:
    """``clips`` int16 ``[N, 1, T]`` by split, and what is left out or not as it was.

    ``silent``: number of clips by split; ``skipped``: reasons by name of the recording; ``rescaled``: largest sample,
    above full scale, by name.
    """
    skipped: dict[str, str] = {}
    rescaled: dict[str, float] = {}
    silent = dict.fromkeys(SPLITS, 0)
    clips = {}
    for split in SPLITS:
        length, found = cut.samples(split), []
        done = in_threads(partial(_cut_file, root, length, cut), recordings[split])
        for name, result in zip(recordings[split], done, strict=True):
            if isinstance(result, str):
                skipped[shown(name)] = result
            else:
                found.append(result[0])
                silent[split] += result[1]
                rescaled |= {shown(name): result[2]} if result[2] > 1 else {}
        clips[split] = torch.cat([torch.empty(0, 1, length, dtype=torch.int16), *found])
    return {"clips": clips, "silent": silent, "skipped": skipped, "rescaled": rescaled}


def _cut_file(root: Path, length: int, cut: Cut, name: str) -> tuple[Tensor, int, float] | str:
    """Clips of one recording, the number of silent ones and its largest sample, or why there are none."""
    try:
        sound = load(root / name, cut.sample_rate)
        return *cut_recording(sound.waveform, length, cut, name), sound.peak
    except UnusableError as error:
        return str(error)


def cut_recording(waveform: Tensor, length: int, cut: Cut, name: str) -> tuple[Tensor, int]:
    """Clips int16 ``[N, 1, length]`` of a waveform ``[T]`` in order, without overlap, and how many were silent.

    The recording is trimmed to what lies between its first and last frame of sound. What is left over after cutting
    it into whole clips is left out at the beginning and the end, in a proportion drawn from a generator that
    is seeded by ``name``. A clip of which less than half has sound is left out.

    Raises:
        UnusableError: no sound, or less of it than one clip.
    """
    sounds = frames_with_sound(waveform, cut.sample_rate)
    if not sounds.any():
        raise UnusableError("silent throughout")
    frame = round(FRAME_SECONDS * cut.sample_rate)
    first, last = sounds.nonzero()[[0, -1], 0].tolist()
    waveform, sounds = waveform[first * frame : (last + 1) * frame], sounds[first : last + 1]
    count, over = divmod(len(waveform), length)
    if not count:
        seconds, wanted = len(waveform) / cut.sample_rate, length / cut.sample_rate
        raise UnusableError(f"too short ({seconds:.2f} s of sound for clips of {wanted:g} s)")
    generator = torch.Generator().manual_seed(derive_seed("clips", shown(name), length))
    start = int(torch.randint(over + 1, (), generator=generator))
    samples = (waveform * FULL_SCALE).round().clamp(-FULL_SCALE, FULL_SCALE - 1).to(torch.int16)
    clips = samples[start : start + count * length].reshape(count, 1, length)
    bounds = [(start + index * length) // frame for index in range(count + 1)]
    spoken = [bool(sounds[begin:end].float().mean() >= MIN_SPEECH) for begin, end in pairwise(bounds)]
    kept = torch.tensor(spoken).nonzero()[:, 0]
    if cut.per_recording is not None:
        kept = kept[torch.randperm(len(kept), generator=generator)[: cut.per_recording].sort().values]
    return clips[kept], count - sum(spoken)


def frames_with_sound(waveform: Tensor, sample_rate: int) -> Tensor:
    """Whether each whole 20 ms frame of ``[T]`` is sound; bool ``[T // frame]``.

    Sound comes within 40 dB of the loudest frame, above -60 dB of full scale, and above the noise between the words:
    6 dB above the frame that is louder than one in twenty, where that is no sound itself. An offset that would be
    loud enough by itself doesn't count.
    """
    frame = round(FRAME_SECONDS * sample_rate)
    frames = waveform[: len(waveform) // frame * frame].reshape(-1, frame).double()
    power, below = frames.square().mean(1), 10 ** (-BELOW_LOUDEST / 10)
    if frames.mean().square() >= below * power.max():
        power = frames.var(1, correction=0)
    loudest, quiet = power.max(), power.quantile(QUIET_SHARE)
    threshold = torch.maximum(loudest * below, loudest.new_tensor(10 ** (QUIETEST / 10)))
    if quiet < loudest * 10 ** (-NOISE_BELOW / 10):
        threshold = torch.maximum(threshold, quiet * 10 ** (ABOVE_NOISE / 10))
    return power >= threshold
