"""Records are whole or do not count; claims keep two processes apart."""

import json
import multiprocessing
import os
import time
from pathlib import Path
from typing import Any

import pytest

from benchmark.records.files import write_atomic
from benchmark.records.record import BadRecordError, empty_record, read_record, seal
from benchmark.records.run import Run
from benchmark.records.store import Store, read_whole
from methods import UsageError

KEY = "vq_vae-K8-s0-0123abcd"


def _record(**changes: Any) -> dict[str, Any]:
    return {**empty_record(Run(KEY, "vq_vae", "tiny", {"seed": 0}, {})), "status": "ok", **changes}


def test_a_record_survives_the_round_trip_and_has_no_nan(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.write_record(KEY, _record(metrics={"usage": 0.5, "fd": float("nan")}))
    record = store.record(KEY)
    assert record is not None
    assert record["metrics"] == {"usage": 0.5, "fd": None}
    assert not list(tmp_path.rglob(".record*"))


@pytest.mark.parametrize("length", [0, 1, 20, 200, -2])
def test_a_record_cut_short_does_not_count(tmp_path: Path, length: int) -> None:
    store = Store(tmp_path)
    store.write_record(KEY, _record())
    path = store.record_path(KEY)
    path.write_bytes(path.read_bytes()[:length])
    assert store.record(KEY) is None
    assert len(store.survey([KEY])[1]) == 1
    with pytest.raises(BadRecordError):
        read_record(path)


@pytest.mark.parametrize(
    "change",
    [{"schema": 99}, {"status": "fine"}, {"metrics": []}, {"key": "other-K8-s0-0123abcd"}, {"config": None}],
)
def test_a_record_of_another_shape_does_not_count(tmp_path: Path, change: dict[str, Any]) -> None:
    store = Store(tmp_path)
    store.write_record(KEY, _record())
    path = store.record_path(KEY)
    path.write_text(json.dumps(seal({**json.loads(path.read_text()), **change})))
    assert store.record(KEY) is None


@pytest.mark.parametrize("name", [name for name in _record() if name not in ("reason", "traceback")])
def test_a_record_without_one_of_its_fields_does_not_count(tmp_path: Path, name: str) -> None:
    store = Store(tmp_path)
    store.write_record(KEY, {field: value for field, value in _record().items() if field != name})
    assert store.record(KEY) is None


RESULTS = {"metrics": {"usage": 0.5, "mse": 0.0625}, "provenance": {"data": {"test_sha256": "0123"}}}


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"usage": 0.5', '"usage": 0.6'),
        ('"mse": 0.0625', '"mse": 0.0626'),
        ('"seed": 0', '"seed": 1'),
        ('"arm": "vq_vae"', '"arm": "simvq"'),
        ('"status": "ok"', '"status": "failed"'),
        ('"test_sha256": "0123"', '"test_sha256": "0124"'),
        ('"history.csv": "', '"history.csv": "0'),
        ('"reason": null', '"reason": null, "note": "better than the others"'),
        ('"digest": "', '"digest": "0'),
        ('"digest"', '"digests"'),
        ('"schema": 2', '"schema": 1'),
    ],
)
def test_an_edited_record_is_named_and_not_counted(old: str, new: str, tmp_path: Path) -> None:
    store = Store(tmp_path)
    (store.run_folder(KEY) / "history.csv").write_text("step\n1\n")
    store.write_record(KEY, _record(**RESULTS))
    path = store.record_path(KEY)
    assert path.read_text().count(old) == 1
    path.write_text(path.read_text().replace(old, new))
    assert store.record(KEY) is None
    assert store.survey([KEY]) == ({}, [f"{path} is not what its run wrote"])


def test_every_flipped_bit_of_a_record_is_found(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.write_record(KEY, _record(**RESULTS))
    path = store.record_path(KEY)
    written, whole = path.read_bytes(), store.record(KEY)
    for place in range(0, len(written), 3):
        path.write_bytes(bytes([*written[:place], written[place] ^ 1 << place % 8, *written[place + 1 :]]))
        # Another kind of white space is the same record.
        assert store.record(KEY) in (None, whole)
        assert store.record(KEY) is None or chr(written[place]).isspace()


def test_a_record_written_otherwise_is_the_same_record(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.write_record(KEY, _record(**RESULTS, details={"tuple": (1, 2), 3: "a number as a name"}))
    path, whole = store.record_path(KEY), store.record(KEY)
    assert whole is not None
    path.write_text(json.dumps(whole, sort_keys=True))
    assert store.record(KEY) == whole


def test_files_in_folders_are_vouched_for(tmp_path: Path) -> None:
    store = Store(tmp_path)
    folder = store.run_folder(KEY)
    (folder / "samples").mkdir()
    for name in ("samples/original_1.wav", "counts.npz", ".claim", "checkpoint.pt"):
        (folder / name).write_bytes(name.encode())
    store.write_record(KEY, _record())
    record = store.record(KEY)
    assert record is not None
    assert set(record["files"]) == {"counts.npz", "samples/original_1.wav"}
    sound = folder / "samples" / "original_1.wav"
    sound.write_bytes(b"another")
    assert store.survey([KEY])[1] == [f"{sound} is not what its run wrote"]
    sound.unlink()
    assert store.survey([KEY])[1] == [f"{sound} is missing or can't be read"]
    os.mkfifo(sound)
    assert store.survey([KEY])[1] == [f"{sound} is missing or can't be read"]


@pytest.mark.parametrize("name", ["../outside", "/etc/hostname", "samples/../../outside", ""])
def test_a_record_names_no_file_elsewhere(name: str, tmp_path: Path) -> None:
    store = Store(tmp_path)
    (tmp_path / "runs" / "outside").write_text("")
    store.write_record(KEY, _record())
    path = store.record_path(KEY)
    path.write_text(json.dumps(seal({**json.loads(path.read_text()), "files": {name: "e3b0c44298fc1c14"}})))
    with pytest.raises(BadRecordError, match="holds no file"):
        read_whole(path.parent)


def test_a_record_older_than_the_digest_is_valid_by_the_hashes_that_it_has(tmp_path: Path) -> None:
    store = Store(tmp_path)
    history = store.run_folder(KEY) / "history.csv"
    history.write_text("step\n1\n")
    store.write_record(KEY, _record())
    path = store.record_path(KEY)
    old = {name: value for name, value in json.loads(path.read_text()).items() if name != "digest"} | {"schema": 1}
    path.write_text(json.dumps(old))
    assert store.record(KEY) == old
    history.write_text("step\n2\n")
    assert store.survey([KEY]) == ({}, [f"{history} is not what its run wrote"])


def test_nothing_is_written_or_removed_through_a_link(tmp_path: Path) -> None:
    store, elsewhere = Store(tmp_path / "results"), tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / ".hidden").write_text("mine")
    folder = tmp_path / "results" / "runs" / KEY
    folder.symlink_to(elsewhere)
    for write in (lambda: store.tidy(KEY), lambda: store.write_record(KEY, _record())):
        with pytest.raises(UsageError, match="is a link; a run writes into the results folder alone"):
            write()
    assert [path.name for path in elsewhere.iterdir()] == [".hidden"]
    folder.unlink()
    folder.mkdir()
    (folder / ".claim").symlink_to(elsewhere / ".hidden")
    with pytest.raises(UsageError, match="can't be written"), store.claim(KEY):
        pass
    assert (elsewhere / ".hidden").read_text() == "mine"


def test_a_pipe_in_place_of_a_record_or_a_claim_is_named(tmp_path: Path) -> None:
    store = Store(tmp_path)
    os.mkfifo(store.run_folder(KEY) / "record.json")
    os.mkfifo(store.run_folder(KEY) / ".claim")
    assert store.record(KEY) is None
    assert "no file but a pipe" in store.survey([KEY])[1][0]
    assert store.fingerprint(KEY) == ""
    assert not store.is_claimed(KEY)
    with pytest.raises(UsageError, match="can't be written"), store.claim(KEY):
        pass


def test_a_failed_write_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "file"
    write_atomic(target, "old")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        write_atomic(target, "new")
    assert target.read_text() == "old"
    assert os.listdir(tmp_path) == ["file"]


@pytest.mark.parametrize(("mask", "mode"), [(0o022, 0o644), (0o077, 0o600), (0o002, 0o664)])
def test_files_have_the_mode_that_the_umask_says(mask: int, mode: int, tmp_path: Path) -> None:
    before = os.umask(mask)
    try:
        for _ in range(2):  # also one that replaces another
            Store(tmp_path).write_record(KEY, _record())
    finally:
        os.umask(before)
    assert Store(tmp_path).record_path(KEY).stat().st_mode & 0o777 == mode


def test_a_folder_that_cannot_be_made_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="can't be written.*choose another with --results"):
        Store(tmp_path / "file" / "results")


def _hold(folder: str, ready: Any) -> None:
    with Store(Path(folder)).claim(KEY) as mine:
        ready.put(mine)
        time.sleep(60)


def test_a_claim_is_respected_while_its_process_lives_and_free_when_it_is_killed(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    ready = context.Queue()
    store = Store(tmp_path)
    holder = context.Process(target=_hold, args=(str(tmp_path), ready))
    holder.start()
    assert ready.get(timeout=120) is True
    with store.claim(KEY) as mine:
        assert mine is False
    holder.kill()
    holder.join()
    with store.claim(KEY) as mine:
        assert mine is True
