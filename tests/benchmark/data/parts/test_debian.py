"""Debian packages are unpacked by the system's own tools, here replaced by small scripts."""

import hashlib
import io
import os
import tarfile

import pytest

from benchmark.data.parts import debian
from benchmark.data.parts.debian import unpack_package
from benchmark.data.parts.sources import UnavailableError

APT = """#!/bin/sh
echo "$*" | sed 's/-o [^ ]* *//g' >> "$LOG"
case "$*" in
  *update) touch "$LOG.updated";;
  *) if [ -n "$NEEDS_UPDATE" ] && [ ! -e "$LOG.updated" ]; then
       echo "W: old lists" >&2; echo "E: Unable to locate package" >&2; exit 100
     fi
     echo content > toy_1.0_all.deb;;
esac
"""
DPKG = """#!/bin/sh
cat "$LOG.tar"
"""
SHA256 = hashlib.sha256(b"content\n").hexdigest()  # of the archive that the script above "downloads"


def write_tar(file, *members):
    """A package's files: ``(name, type, target of a link)`` each."""
    with tarfile.open(file, "w") as archive:
        for name, kind, target in members:
            member = tarfile.TarInfo(name)
            member.type, member.linkname, member.size = kind, target, 4 if kind == tarfile.REGTYPE else 0
            archive.addfile(member, io.BytesIO(b"text") if member.size else None)


@pytest.fixture
def log(tmp_path, monkeypatch):
    tools = tmp_path / "bin"
    tools.mkdir()
    for name, script in (("apt-get", APT), ("dpkg-deb", DPKG)):
        (tools / name).write_text(script)
        (tools / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tools}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("LOG", str(tmp_path / "log"))
    write_tar(tmp_path / "log.tar", ("./usr/share", tarfile.DIRTYPE, ""), ("./usr/share/toy.txt", tarfile.REGTYPE, ""))
    return tmp_path / "log"


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "folder").mkdir()
    return tmp_path / "folder"


def test_files_of_the_package_and_nothing_else(log, folder):
    unpack_package("toy", folder)
    assert (folder / "usr/share/toy.txt").read_text() == "text"
    assert [path.name for path in folder.iterdir()] == ["usr"]
    assert log.read_text() == "download toy\n"


def test_an_archive_with_another_hash_is_not_opened(log, folder):
    with pytest.raises(UnavailableError, match=r"^toy_1\.0_all\.deb has another hash than the toy that is known here$"):
        unpack_package("toy", folder, "0" * 64)
    assert list(folder.iterdir()) == []
    unpack_package("toy", folder, SHA256)
    assert (folder / "usr/share/toy.txt").is_file()


def test_nothing_leaves_the_folder(log, folder):
    links = [("./usr/passwd", tarfile.SYMTYPE, "/etc/passwd"), ("./usr/null", tarfile.CHRTYPE, "")]
    write_tar(log.with_name("log.tar"), *links, ("./usr/toy.txt", tarfile.REGTYPE, ""))
    unpack_package("toy", folder)
    assert [path.name for path in (folder / "usr").iterdir()] == ["toy.txt"]
    write_tar(log.with_name("log.tar"), ("../outside.txt", tarfile.REGTYPE, ""))
    with pytest.raises(UnavailableError, match=r"^toy_1\.0_all\.deb can't be unpacked"):
        unpack_package("toy", folder)
    assert not (folder.parent / "outside.txt").exists()


def test_root_updates_the_lists_once(log, folder, monkeypatch):
    monkeypatch.setenv("NEEDS_UPDATE", "1")
    monkeypatch.setattr(debian.os, "geteuid", lambda: 0)
    unpack_package("toy", folder)
    assert log.read_text() == "download toy\nupdate\ndownload toy\n"


def test_others_are_told_the_error(log, folder, monkeypatch):
    monkeypatch.setenv("NEEDS_UPDATE", "1")
    monkeypatch.setattr(debian.os, "geteuid", lambda: 1000)
    with pytest.raises(UnavailableError, match=r"^apt-get failed \(Unable to locate package\)$"):
        unpack_package("toy", folder)
    assert log.read_text() == "download toy\n"


def test_no_debian(folder, monkeypatch):
    monkeypatch.setenv("PATH", "")
    with pytest.raises(UnavailableError, match=r"^no apt-get on this machine$"):
        unpack_package("toy", folder)


def test_a_command_that_hangs(folder, monkeypatch):
    monkeypatch.setattr(debian, "LONGEST", 0.1)
    with pytest.raises(UnavailableError, match=r"^sleep took longer than 0.1 s$"):
        debian.run(["sleep", "5"], folder)
