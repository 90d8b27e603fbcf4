"""Records are whole or do not count; claims keep two processes apart."""

import json
import multiprocessing
import os
import time
from pathlib import Path
from typing import Any

import pytest

from benchmark.records.files import write_atomic
from benchmark.records.record import BadRecordError, empty_record, read_record
from benchmark.records.run import Run
from benchmark.records.store import Store
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
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    assert store.record(KEY) is None


@pytest.mark.parametrize("name", [name for name in _record() if name not in ("reason", "traceback")])
def test_a_record_without_one_of_its_fields_does_not_count(tmp_path: Path, name: str) -> None:
    store = Store(tmp_path)
    store.write_record(KEY, {field: value for field, value in _record().items() if field != name})
    assert store.record(KEY) is None


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
    assert ready.get(timeout=10) is True
    with store.claim(KEY) as mine:
        assert mine is False
    holder.kill()
    holder.join()
    with store.claim(KEY) as mine:
        assert mine is True
