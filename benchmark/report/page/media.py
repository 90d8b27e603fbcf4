"""Pictures and sounds of runs as ``data:`` addresses, without loss and each once, as far as there is room."""

import base64
import hashlib
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from PIL import Image, ImageChops

from benchmark.records.files import read_file
from benchmark.report.frame import Results, unusable

_CLIPS = 8
_PICTURES = {"samples.png": "picture", "generated.png": "generated", "nearest.png": "nearest"}
"""By file: what a run has it as. The last is the last to get room."""


def media(results: Results, keys: list[str], room: int) -> tuple[dict[str, str], dict[str, Any], list[str]]:
    """Pictures and sounds by hash, what each run has of them, and what is left out.

    Pictures and the first clip of every run come before second clips; what several runs share is there once.
    """
    found: dict[str, str] = {}
    runs: dict[str, Any] = {}
    left_out: set[str] = set()
    for key, kind, names in sorted(_samples(results, keys), key=lambda sample: sample[1]):
        made = [made for name in names if (made := _address(results, key, name)) is not None]
        if len(made) != len(names):
            continue
        added = {_digest(address): address for address in made}
        needed = sum(len(address) for digest, address in added.items() if digest not in found)
        if needed > room:
            left_out.add(key)
            continue
        room -= needed
        found |= added
        own = runs.setdefault(key, {"sounds": []})
        if len(names) == 1:
            own[_PICTURES[names[0]]] = _digest(made[0])
        else:
            own["sounds"].append([kind, *(_digest(address) for address in made)])
    several = f"{len(left_out):,} runs" if len(left_out) != 1 else "1 run"
    return found, runs, [f"Some samples of {several} are left out, for want of room."] if left_out else []


def _samples(results: Results, keys: list[str]) -> Iterator[tuple[str, int, list[str]]]:
    """(key, rank, files) of what there is: clips by number, spectra of sounds late, for they are large."""
    for key in keys:
        clips = 0
        for clip in range(1, _CLIPS + 1):
            names = [f"samples/{kind}_{clip}.wav" for kind in ("original", "reconstruction")]
            if any(results.file(key, name) is None for name in names):
                break
            clips = clip
            yield key, clip, names
        for name in _PICTURES:
            if results.file(key, name) is not None:
                yield key, 100 if clips or name == "nearest.png" else 0, [name]


def _address(results: Results, key: str, name: str) -> str | None:
    """A file as a ``data:`` address; None, and a warning, where it can't be used."""
    path = results.file(key, name)
    assert path is not None, "only files that are there are asked for"
    return _picture(path) if name.endswith(".png") else _sound(path)


def _picture(path: Path) -> str | None:
    """As it is, or with one channel where all three are alike: that takes half the room."""
    content = read_file(path)
    try:
        with Image.open(io.BytesIO(content), formats=["PNG"]) as picture:
            picture.load()
            if picture.mode == "RGB" and _is_grey(picture):
                stream = io.BytesIO()
                picture.getchannel(0).save(stream, format="PNG", optimize=True)
                content = stream.getvalue()
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        unusable(path, error)
        return None
    return _encoded(content, "image/png")


def _is_grey(picture: Image.Image) -> bool:
    red, *others = picture.split()
    return all(ImageChops.difference(red, other).getbbox() is None for other in others)


def _sound(path: Path) -> str | None:
    """Compressed without loss."""
    import soundfile

    try:
        samples, rate = soundfile.read(path, dtype="int16")
        stream = io.BytesIO()
        soundfile.write(stream, samples, rate, format="FLAC")
    except (soundfile.LibsndfileError, OSError) as error:
        unusable(path, error)
        return None
    return _encoded(stream.getvalue(), "audio/flac")


def _encoded(content: bytes, kind: str) -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


def _digest(address: str) -> str:
    return hashlib.sha256(address.encode()).hexdigest()[:12]
