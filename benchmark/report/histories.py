"""Histories of many runs in one go: pandas takes a millisecond to begin with a file, and a history is read in less."""

import io
from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from benchmark.records.files import read_file


def read_alike(paths: Iterable[Path]) -> dict[Path, pd.DataFrame]:
    """The tables in CSV files of numbers, those of one heading in one go: what pandas reads of each alone.

    A file that can't be read so is not in the answer: one that is missing or damaged, has quotes or lines of other
    lengths, or shares its heading with a file that has another word than a number. What is wrong with it, and whether
    anything is, is for who reads it alone.
    """
    alike: dict[str, dict[Path, list[str]]] = {}
    for path in paths:
        heading, lines = _lines(path)
        if lines:
            alike.setdefault(heading, {})[path] = lines
    return {path: table for heading, files in alike.items() for path, table in _parsed(heading, files).items()}


def _lines(path: Path) -> tuple[str, list[str]]:
    """The heading and the lines below it, none where they are not all as many numbers as it has names."""
    try:
        text = read_file(path).decode()
    except (OSError, ValueError):
        return "", []
    heading, *lines = text.removesuffix("\n").split("\n")
    commas = heading.count(",")
    plain = commas and not {'"', "\r"} & set(text) and all(line.count(",") == commas for line in lines)
    return heading, lines if plain else []


def _parsed(heading: str, files: dict[Path, list[str]]) -> dict[Path, pd.DataFrame]:
    lines = [line for own in files.values() for line in own]
    try:
        whole = pd.read_csv(io.StringIO("\n".join([heading, *lines])), dtype=float)
    except ValueError:
        return {}
    if len(whole) != len(lines):
        return {}
    numbers, end, found = whole.to_numpy(), 0, {}
    for path, own in files.items():
        start, end = end, end + len(own)
        found[path] = pd.DataFrame(numbers[start:end], columns=whole.columns)
    return found
