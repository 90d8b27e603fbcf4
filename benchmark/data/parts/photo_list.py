"""The photographs of `debian_photos`: a committed list with package, hash, licence, credit and split of each."""

import argparse
import csv
import hashlib
import re
import sys
from collections import Counter
from functools import cache
from pathlib import Path
from typing import NamedTuple

from methods.core.usage import UsageError, check_choice

FILE = Path(__file__).with_name("debian_photos.csv")
DUPLICATES = Path(__file__).with_name("debian_photos_duplicates.csv")
TEST_SHARE = 0.3
VALIDATION_SHARE = 0.1  # of what is not test
LICENCES = ("all", "permissive")
COPYLEFT_OF_PROGRAMS = ("GPL", "GFDL")  # how their names begin
SHOWABLE = re.compile(r"public-domain|CC0-.*|CC-BY-[0-9.]+")  # what may be committed as a picture


class Photograph(NamedTuple):
    """One row of the list.

    ``file`` lies in ``package``, below ``/``; ``inner`` is the path inside it where it is a Qt resource file.
    ``named`` says whether the package's copyright file names the picture, or ``no``, only the package as a whole.
    """

    package: str
    file: str
    inner: str
    sha256: str
    licence: str
    named: str
    author: str
    source: str
    split: str

    @property
    def name(self) -> str:
        """By which it is split and told apart."""
        return "/".join(filter(None, (self.package, self.file, self.inner)))

    @property
    def marked(self) -> bool:
        """Whether it is under the GPL or the GFDL, which ask more of who passes pictures on."""
        return self.licence.startswith(COPYLEFT_OF_PROGRAMS)

    @property
    def showable(self) -> bool:
        """Whether a reconstruction may be committed: in the public domain, CC0 or CC-BY by the copyright file."""
        return self.named == "yes" and SHOWABLE.fullmatch(self.licence) is not None

    @property
    def credit(self) -> str:
        """Who made it, under which licence, and where it is from."""
        stem = Path(self.inner or self.file).name
        author = self.author or "unknown author"
        return f"{stem} ({author}; {self.licence}; {self.source or self.package})"


@cache
def listed() -> tuple[Photograph, ...]:
    """All photographs but near duplicates, in the order of the list."""
    with DUPLICATES.open(encoding="utf-8", newline="") as stream:
        left_out = {row["name"] for row in csv.DictReader(stream)}
    with FILE.open(encoding="utf-8", newline="") as stream:
        rows = [Photograph(**row) for row in csv.DictReader(stream)]
    return tuple(row for row in rows if row.name not in left_out)


def chosen(licences: str) -> list[Photograph]:
    """Those of ``all`` licences, or, ``permissive``, without those under GPL or GFDL.

    Raises:
        UsageError: another word.
    """
    check_choice("data set `debian_photos`: licences", licences, LICENCES)
    return [photo for photo in listed() if licences == "all" or not photo.marked]


def content() -> str:
    """A hash of which photographs lie in which split."""
    rows = [(photo.name, photo.sha256, photo.split) for photo in listed()]
    return hashlib.sha256(repr(rows).encode()).hexdigest()[:16]


def place(name: str) -> float:
    """Where a name falls in [0, 1), evenly: below `TEST_SHARE` it is tested on."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big") / 2**64


def split_of(name: str) -> str:
    """The split of a photograph, whichever others there are."""
    rest = (place(name) - TEST_SHARE) / (1 - TEST_SHARE)
    return "test" if rest < 0 else "validation" if rest < VALIDATION_SHARE else "train"


def print_licences(options: argparse.Namespace) -> int:
    """The command ``licences``: a CSV table of every file of a data set, its licence and its author."""
    if options.dataset != "debian_photos":
        raise UsageError(
            f"there is no list of licences by file of data set `{options.dataset}`; there is one of `debian_photos`"
        )
    table = csv.writer(sys.stdout)
    table.writerow(["licence", "mark", "named", "file", "author", "source"])
    for photo in listed():
        mark = photo.licence.split("-")[0] if photo.marked else ""
        table.writerow([photo.licence, mark, photo.named, photo.name, photo.author, photo.source])
    counts = Counter(photo.licence for photo in listed())
    for licence, count in sorted(counts.items()):
        print(f"{count:4} {licence}", file=sys.stderr)
    return 0
