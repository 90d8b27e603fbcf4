"""Sources are tried in their order; what is fetched lands in the cache whole or not at all."""

import socket
import sys
import threading
import time
import urllib.error
from pathlib import Path

import pytest

from benchmark.data.parts.sources import UnavailableError, download, locked, obtain, user_folder
from methods.core.cache import cache_folder
from methods.core.usage import UsageError


@pytest.fixture(autouse=True)
def folders(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("CODEBOOK_BENCH_DATA", raising=False)


def read(folder: Path) -> str:
    if not (folder / "data.txt").is_file():
        raise UnavailableError("no data.txt")
    content = (folder / "data.txt").read_text()
    if content == "bad":
        raise UnavailableError("data.txt is damaged")
    return content


def put(folder: Path, content: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "data.txt").write_text(content)
    return folder


def fails(folder: Path) -> None:
    raise UnavailableError("no network")


def test_order_of_sources(tmp_path, monkeypatch):
    machine, fetchers = [tmp_path / "machine"], {"first": fails, "second": lambda folder: put(folder, "fetched")}
    assert obtain("toy", read, machine, fetchers, "help") == ("fetched", "second")
    assert obtain("toy", read, machine, fetchers, "help") == ("fetched", "the cache")
    put(machine[0], "on the machine")
    assert obtain("toy", read, machine, fetchers, "help") == ("on the machine", "this machine")
    monkeypatch.setenv("CODEBOOK_BENCH_DATA", str(tmp_path / "mine"))
    put(tmp_path / "mine", "the user's")
    assert obtain("toy", read, machine, fetchers, "help") == ("the user's", "the user's folder")
    put(tmp_path / "mine", "bad")
    assert obtain("toy", read, machine, fetchers, "help") == ("on the machine", "this machine")


def test_nothing_works_says_what_was_tried(tmp_path):
    with pytest.raises(UsageError) as caught:
        obtain("toy", read, [tmp_path / "machine"], {"the download": fails}, "ask a friend")
    assert str(caught.value) == (
        f"data set `toy` is nowhere to be had (tried {tmp_path / 'machine'}: no data.txt; "
        f"{cache_folder() / 'toy'}: no data.txt; the download: no network); ask a friend"
    )


def test_damaged_fetches_and_leftovers_never_become_the_cache():
    put(cache_folder() / "toy.partial", "half of it")
    with pytest.raises(UsageError, match=r"the download: data.txt is damaged"):
        obtain("toy", read, [], {"the download": lambda folder: put(folder, "bad")}, "help")
    assert [path.name for path in cache_folder().iterdir()] == ["toy.lock"]


def test_a_damaged_cache_is_replaced():
    put(cache_folder() / "toy", "bad")
    assert obtain("toy", read, [], {"the download": lambda folder: put(folder, "good")}, "help")[0] == "good"
    assert obtain("toy", read, [], {}, "help") == ("good", "the cache")


def test_two_that_start_at_once_fetch_once():
    fetches, found = [], []

    def fetch(folder: Path) -> None:
        fetches.append(folder)
        time.sleep(0.2)
        put(folder, "fetched")

    def work() -> None:
        found.append(obtain("toy", read, [], {"the download": fetch}, "help"))

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(fetches) == 1
    assert sorted(found) == [("fetched", "the cache"), ("fetched", "the cache"), ("fetched", "the download")]


def test_lock_is_released_after_an_error():
    with pytest.raises(RuntimeError), locked(cache_folder() / "toy"):
        raise RuntimeError
    with locked(cache_folder() / "toy"):
        assert (cache_folder() / "toy.lock").exists()


def test_a_cache_that_cannot_be_written(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    with pytest.raises(UsageError, match=r"the cache folder .* can't be written: Not a directory\); help$"):
        obtain("toy", read, [], {"the download": lambda folder: put(folder, "good")}, "help")


def test_user_folder_must_exist(tmp_path, monkeypatch):
    assert user_folder() is None
    monkeypatch.setenv("CODEBOOK_BENCH_DATA", str(tmp_path / "nowhere"))
    with pytest.raises(UsageError, match=r"^the data folder .*nowhere \(--data or CODEBOOK_BENCH_DATA\) is not there$"):
        user_folder()


def test_download_is_quiet_and_never_stands_still(capsys):
    timeouts = []

    def get() -> None:
        timeouts.append(socket.getdefaulttimeout())
        print("100 %")
        print("100 %", file=sys.stderr)

    download("toy", get)
    assert timeouts == [5.0]
    assert socket.getdefaulttimeout() is None
    assert capsys.readouterr() == ("", "toy: downloading to the cache …\n")


@pytest.mark.parametrize(
    "error", [RuntimeError("no\n luck"), urllib.error.URLError("no luck"), TimeoutError("no luck")]
)
def test_a_failed_download_is_unavailable_in_one_line(error):
    def get() -> None:
        raise error

    with pytest.raises(UnavailableError, match=r"^failed \(.*no luck.*\)$"):
        download("toy", get)
    assert socket.getdefaulttimeout() is None
