"""The committed list of photographs, and what is said of it."""

import csv
from argparse import Namespace
from collections import Counter

import pytest

from benchmark.data.parts import photo_list
from benchmark.data.parts.photo_list import chosen, content, listed, place, print_licences, split_of
from methods.core.usage import UsageError


def test_every_photograph_is_where_its_name_says():
    assert all(photo.split == split_of(photo.name) for photo in listed())
    assert Counter(photo.split for photo in listed()) == {"train": 405, "validation": 49, "test": 200}
    assert len({photo.sha256 for photo in listed()}) == len({photo.name for photo in listed()}) == 654


def test_places_are_spread_evenly():
    assert sum(place(str(number)) < 0.3 for number in range(5000)) / 5000 == pytest.approx(0.3, abs=0.02)
    assert 0 <= place("") < 1


def test_what_was_left_out_is_a_duplicate_of_what_was_kept():
    with photo_list.FILE.open(encoding="utf-8") as stream:
        names = {photo_list.Photograph(**row).name for row in csv.DictReader(stream)}
    with photo_list.DUPLICATES.open(encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    kept = {photo.name for photo in listed()}
    assert {row["name"] for row in rows} == names - kept
    assert {row["kept"] for row in rows} <= kept


def test_licences():
    assert {photo.licence.split("-")[0] for photo in chosen("permissive")} == {"public", "CC", "CC0"}
    assert len(chosen("permissive")) == 495
    assert len(chosen("all")) == len(listed())
    shown = {photo.licence for photo in listed() if photo.showable}
    assert shown == {"public-domain", "CC0-1.0", "CC-BY-1.0", "CC-BY-2.0", "CC-BY-3.0", "CC-BY-4.0"}
    assert all(photo.author for photo in listed() if photo.showable and photo.licence.startswith("CC-BY"))
    with pytest.raises(UsageError, match="licences must be"):
        chosen("some")


def test_the_list_of_licences_is_a_table(capsys):
    assert print_licences(Namespace(dataset="debian_photos")) == 0
    printed = capsys.readouterr()
    rows = list(csv.DictReader(printed.out.splitlines()))
    assert len(rows) == len(listed())
    assert Counter(row["mark"] for row in rows) == {"": 495, "GPL": 158, "GFDL": 1}
    assert "224 public-domain" in printed.err
    with pytest.raises(UsageError, match="no list of licences by file of data set `photos`"):
        print_licences(Namespace(dataset="photos"))


def test_the_content_follows_the_split(monkeypatch):
    before = content()
    moved = [photo._replace(split="train") for photo in listed()]
    monkeypatch.setattr(photo_list, "listed", lambda: moved)
    assert content() != before
