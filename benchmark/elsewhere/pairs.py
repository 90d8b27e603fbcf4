"""Originals and reconstructions side by side: two folders of images or of sounds, or two arrays."""

import math
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

import torch
from PIL import Image
from torch import Tensor

from benchmark.data.base import Dataset
from benchmark.data.image_folder import SUFFIXES as IMAGES
from benchmark.data.image_folder import unpack
from benchmark.data.parts.audio_files import SUFFIXES as SOUNDS
from benchmark.data.parts.audio_files import UnusableError, load, rate_of
from benchmark.data.parts.files import Files, list_files, shown
from benchmark.elsewhere.arrays import Given, Source, kind_of, read_array
from methods.core.usage import UsageError, check_count

BATCH = 128  # images at a time
T = TypeVar("T")
_NAMES = ("originals", "reconstructions")


@dataclass(frozen=True)
class Pairs:
    """What is compared, ``count`` pairs: ``batches()`` yields originals and reconstructions, fp32 in [-1, 1].

    ``item_shape`` is ``[C, H, W]`` of images, ``[1, T]`` of sounds, whose first length it is.
    """

    modality: str
    count: int
    item_shape: tuple[int, ...]
    sample_rate: int | None
    sources: dict[str, str]
    batches: Callable[[], Iterator[tuple[Tensor, Tensor]]]


def read_pairs(
    originals: Source, reconstructions: Source, sample_rate: int | None, value_range: tuple[float, float] | None
) -> Pairs:
    """Pairs of two folders, whose files go together by name, or of two arrays in one order.

    Raises:
        UsageError: a folder beside an array, names without partner, other sizes or rates, floats of unknown range.
    """
    for name, source in zip(_NAMES, (originals, reconstructions), strict=True):
        if isinstance(source, str | Path) and not Path(source).expanduser().exists():
            raise UsageError(f"{name}: there is no folder or file {source}")
    if sample_rate is not None:
        check_count("the sample rate", sample_rate)
    folders = [folder for source in (originals, reconstructions) if (folder := _folder(source)) is not None]
    if not folders:
        return _of_arrays(originals, reconstructions, sample_rate, value_range)
    if len(folders) == 1:
        raise UsageError("originals and reconstructions must be two folders or two arrays, not one of each")
    if value_range is not None:
        raise UsageError("a range of values is of arrays of floats, and these are folders, whose files have their own")
    return _of_folders(folders[0], folders[1], sample_rate)


def _folder(source: Source) -> Path | None:
    path = Path(source).expanduser() if isinstance(source, str | Path) else None
    return path if path is not None and path.is_dir() else None


def _of_folders(originals: Path, reconstructions: Path, sample_rate: int | None) -> Pairs:
    roots = (originals, reconstructions)
    listed = [list_files(root, IMAGES | SOUNDS) for root in roots]
    found = [name for files in listed for name in files.states]
    image, sound = (next((name for name in found if _is_of(name, kind)), None) for kind in (IMAGES, SOUNDS))
    if image is not None and sound is not None:
        both = f"{shown(image)} and {shown(sound)}"
        raise UsageError(f"{originals} and {reconstructions} hold images and sounds, {both}: measure them apart")
    if not found:
        raise UsageError(f"there are no images and no sounds in {originals} or {reconstructions}")
    sources = {name: files.content for name, files in zip(_NAMES, listed, strict=True)}
    names = [_by_stem(files) for files in listed]
    _check_partners(names, roots)
    files = [(roots[0] / names[0][stem], roots[1] / names[1][stem]) for stem in sorted(names[0])]
    return (_sounds if image is None else _images)(files, sources, sample_rate)


def _is_of(name: str, suffixes: Collection[str]) -> bool:
    return Path(name).suffix.lower() in suffixes


def _by_stem(files: Files) -> dict[str, str]:
    """Names of files by their path without suffix: a JPEG may be reconstructed as a PNG."""
    found: dict[str, str] = {}
    for name in files.states:
        stem = str(Path(name).with_suffix(""))
        if stem in found:
            raise UsageError(
                f"{files.root} holds both {shown(found[stem])} and {shown(name)}: which is to be compared?"
            )
        found[stem] = name
    return found


def _check_partners(names: list[dict[str, str]], roots: tuple[Path, Path]) -> None:
    for here, there, root in ((0, 1, roots[1]), (1, 0, roots[0])):
        alone = sorted(names[here].keys() - names[there].keys())
        if alone:
            more = f" nor of {len(alone) - 1:,} more" if len(alone) > 1 else ""
            raise UsageError(f"{root} has no partner of {shown(names[here][alone[0]])}{more}; names must be the same")


def _images(files: list[tuple[Path, Path]], sources: dict[str, str], sample_rate: int | None) -> Pairs:
    if sample_rate is not None:
        raise UsageError("a sample rate is of sounds, and these are images")
    mode = "L" if all(_mode(file) in ("1", "L") for pair in files for file in pair) else "RGB"
    shape = tuple(_image(files[0][0], mode).shape)

    def batches() -> Iterator[tuple[Tensor, Tensor]]:
        for start in range(0, len(files), BATCH):
            part = files[start : start + BATCH]
            sides = [torch.stack([_of_shape(pair[side], mode, shape) for pair in part]) for side in range(2)]
            yield Dataset.to_input(sides[0]), Dataset.to_input(sides[1])

    return Pairs("image", len(files), shape, None, sources, batches)


def _mode(file: Path) -> str:
    try:
        with Image.open(file) as image:
            return image.mode
    except Exception as error:  # a damaged file makes Pillow's decoders raise nearly anything
        raise UsageError(f"the image {shown(str(file))} can't be read ({type(error).__name__})") from error


def _of_shape(file: Path, mode: str, shape: tuple[int, ...]) -> Tensor:
    image = _image(file, mode)
    if image.shape != shape:
        raise UsageError(f"{shown(str(file))} has {_size(tuple(image.shape))} pixels, the first image {_size(shape)}")
    return image


def _image(file: Path, mode: str) -> Tensor:
    found = unpack(file, lambda image: image.convert(mode))
    if isinstance(found, str):
        raise UsageError(f"the image {shown(str(file))} can't be read: {found}")
    return torch.from_numpy(found)


def _size(shape: tuple[int, ...]) -> str:
    return f"{shape[2]} x {shape[1]}"


def _sounds(files: list[tuple[Path, Path]], sources: dict[str, str], sample_rate: int | None) -> Pairs:
    rates = {_usable(rate_of, file) for pair in files for file in pair}
    if sample_rate is None:
        if len(rates) > 1:
            found = " and ".join(f"{rate:,}" for rate in sorted(rates))
            raise UsageError(f"the sounds have {found} Hz: give the sample rate at which they are to be compared")
        [sample_rate] = rates
    rate = sample_rate

    def batches() -> Iterator[tuple[Tensor, Tensor]]:
        for original, reconstruction in files:
            yield _same_length(_sound(original, rate), _sound(reconstruction, rate), shown(str(reconstruction)))

    return Pairs("audio", len(files), tuple(_sound(files[0][0], rate).shape[1:]), rate, sources, batches)


def _sound(file: Path, rate: int) -> Tensor:
    return _usable(partial(load, sample_rate=rate), file).waveform[None, None]


def _usable(read: Callable[[Path], T], file: Path) -> T:
    """What ``read`` finds in a file of sound."""
    try:
        return read(file)
    except UnusableError as error:
        raise UsageError(f"the sound {shown(str(file))} can't be used: {error}") from error


def _same_length(original: Tensor, reconstruction: Tensor, name: str) -> tuple[Tensor, Tensor]:
    """Both as long as the original; a decoder's padding at the end is cut off."""
    lengths = original.shape[-1], reconstruction.shape[-1]
    if lengths[1] < lengths[0]:
        raise UsageError(
            f"{name} has {lengths[1]:,} samples, its original {lengths[0]:,}; a shorter one is not compared"
        )
    return original, reconstruction[..., : lengths[0]]


def _of_arrays(
    originals: Source, reconstructions: Source, sample_rate: int | None, value_range: tuple[float, float] | None
) -> Pairs:
    given = [read_array(name, source) for name, source in zip(_NAMES, (originals, reconstructions), strict=True)]
    sources = {name: one.sha256 for name, one in zip(_NAMES, given, strict=True)}
    prepare = _channels_first if sample_rate is None else _waveforms
    first, second = (prepare(one) for one in given)
    if first.shape != second.shape:
        raise UsageError(f"originals are of shape {list(first.shape)}, reconstructions of {list(second.shape)}")
    scale = _scale(value_range, (first, second), sounds=sample_rate is not None)
    _check_range(first, (-1.0, 1.0) if sample_rate is not None else value_range)

    def batches() -> Iterator[tuple[Tensor, Tensor]]:
        for one, other in zip(first.split(BATCH), second.split(BATCH), strict=True):
            yield scale(one), scale(other)

    modality = "image" if sample_rate is None else "audio"
    return Pairs(modality, len(first), tuple(first.shape[1:]), sample_rate, sources, batches)


def _check_range(originals: Tensor, ends: tuple[float, float] | None) -> None:
    """What a decoder makes may go beyond; where originals do, another range was meant."""
    if not originals.is_floating_point() or ends is None:
        return
    found, allowed = (float(originals.min()), float(originals.max())), 1e-3 * (ends[1] - ends[0])
    if found[0] < ends[0] - allowed or found[1] > ends[1] + allowed:
        raise UsageError(
            f"originals hold values from {found[0]:g} to {found[1]:g}, and their range is {ends[0]:g} to {ends[1]:g}"
        )


def _channels_first(given: Given) -> Tensor:
    """Images ``[N, C, H, W]`` of ``[N, H, W]``, ``[N, C, H, W]`` or ``[N, H, W, C]``."""
    values = given.values
    if values.dim() == 3:
        return values[:, None]
    if values.dim() == 4 and values.shape[1] in (1, 3):
        return values
    if values.dim() == 4 and values.shape[3] in (1, 3):
        return values.permute(0, 3, 1, 2)
    wanted = "[N, H, W], [N, C, H, W] or [N, H, W, C] with 1 or 3 channels"
    raise UsageError(f"{given.name} must be images {wanted}, not {given.shape}; of sounds give the sample rate")


def _waveforms(given: Given) -> Tensor:
    """Sounds ``[N, 1, T]`` of ``[N, T]`` or ``[N, 1, T]``."""
    values = given.values
    if not values.is_floating_point() or values.dim() not in (2, 3) or (values.dim() == 3 and values.shape[1] != 1):
        wanted = "waveforms in [-1, 1], floats of shape [N, T] or [N, 1, T]"
        raise UsageError(f"{given.name} must be {wanted}, not {given.shape}")
    return values.reshape(len(values), 1, -1)


def _scale(
    value_range: tuple[float, float] | None, both: tuple[Tensor, Tensor], *, sounds: bool
) -> Callable[[Tensor], Tensor]:
    types = {kind_of(values) for values in both}
    if sounds or types == {"uint8"}:
        if value_range is not None:
            kind = "sounds lie in [-1, 1]" if sounds else "images that are uint8 go from 0 to 255"
            raise UsageError(f"a range of values is of images that are floats; {kind}")
        return (lambda values: values.float()) if sounds else Dataset.to_input
    if "uint8" in types or not all(values.is_floating_point() for values in both):
        named = " and ".join(sorted(types))
        raise UsageError(f"images must be uint8 (0 to 255) or floats, originals and reconstructions alike, not {named}")
    low, high = _ends(value_range)
    return lambda values: (values.float() - low) * (2 / (high - low)) - 1


def _ends(value_range: object) -> tuple[float, float]:
    if value_range is None:
        raise UsageError("images of floats need the range of their values, of which the ends are 0 and 1, or -1 and 1")
    numbers = list(value_range) if isinstance(value_range, Sequence) and not isinstance(value_range, str) else []
    if len(numbers) != 2 or not all(isinstance(end, int | float) and math.isfinite(end) for end in numbers):
        raise UsageError(f"the range of values is two finite numbers, as in (0, 1), not {value_range!r}")
    low, high = map(float, numbers)
    if not low < high:
        raise UsageError(f"the range of values must go from a lower to a higher number, not from {low:g} to {high:g}")
    return low, high
