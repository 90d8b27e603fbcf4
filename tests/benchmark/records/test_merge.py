"""Runs made elsewhere come in whole, once and checked, and nothing else does."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from benchmark.cli import main
from benchmark.records import merge as module
from benchmark.records.merge import Merged, merge
from benchmark.records.record import empty_record, seal
from benchmark.records.run import Run, run_key, suite_folder
from benchmark.records.store import Store, read_whole
from methods import UsageError

PLAN: dict[str, Any] = {
    "schema": 1,
    "suite": "tiny",
    "question": "?",
    "dataset": "photos",
    "tuned": False,
    "arms": [],
    "codebook_sizes": [],
    "seeds": [],
    "cells": [],
    "tables": [],
    "plots": [],
}


def _run(seed: int = 0, **config: Any) -> Run:
    whole = {"method": "vq_vae", "version": 1, "codebook_size": 8, "seed": seed, **config}
    return Run(run_key(whole), "vq_vae", "tiny", whole, {})


def _write(results: Path, run: Run, usage: float = 0.5, *, checkpoint: bool = False) -> Path:
    """A finished run with a curve and a sound, or an unfinished one."""
    store = Store(results / "tiny")
    folder = store.run_folder(run.key)
    if checkpoint:
        (folder / "checkpoint.pt").write_bytes(b"where it stands")
        return folder
    (folder / "samples").mkdir(exist_ok=True)
    (folder / "samples" / "original_1.wav").write_bytes(b"RIFF")
    (folder / "history.csv").write_text("step\n1\n")
    store.write_record(run.key, {**empty_record(run), "status": "ok", "metrics": {"usage": usage}})
    return folder


@pytest.fixture
def there(tmp_path: Path) -> Path:
    """Results of another machine."""
    return tmp_path / "there"


@pytest.fixture
def here(tmp_path: Path) -> Path:
    """Results of this one."""
    return tmp_path / "here"


def _known(method: str) -> int | None:
    return {"vq_vae": 1}.get(method)


def _merge(there: Path, here: Path) -> Merged:
    [merged] = merge(there, here, _known)
    return merged


def _edit(folder: Path, **changes: Any) -> None:
    """A record that vouches for itself and says something else."""
    path = folder / "record.json"
    path.write_text(json.dumps(seal({**json.loads(path.read_text()), **changes})))


@pytest.mark.parametrize("suite", ["", "tiny"])
def test_finished_and_unfinished_runs_come_in_and_a_second_call_finds_them(suite: str, there: Path, here: Path) -> None:
    finished, unfinished = _write(there, _run()), _write(there, _run(1), checkpoint=True)
    (there / "tiny" / "plan.json").write_text(json.dumps(PLAN))
    (there / "tiny" / "tuning.csv").write_text("arm\n")
    merged = _merge(there / suite, here)
    assert merged == Merged("tiny", taken=[finished.name], unfinished=[unfinished.name])
    assert read_whole(here / "tiny" / "runs" / finished.name) == read_whole(finished)
    inside = sorted(path.relative_to(here / "tiny").as_posix() for path in here.rglob("*") if path.is_file())
    runs = [f"runs/{finished.name}/{n}" for n in (".claim", "history.csv", "record.json", "samples/original_1.wav")]
    runs += [f"runs/{unfinished.name}/{n}" for n in (".claim", "checkpoint.pt")]
    assert inside == ["plan.json", *runs, "tuning.csv"]
    assert _merge(there / suite, here) == Merged("tiny", equal=[finished.name], kept=[unfinished.name])


@pytest.mark.parametrize("changed", ["training.steps=7", "dataset.path=größer"])
def test_the_results_of_an_overridden_suite_are_known_by_their_name(changed: str, there: Path, here: Path) -> None:
    run = _write(there, _run()).name
    (there / "tiny").rename(there / suite_folder(f"tiny@{changed}"))
    merged = _merge(there, here)
    assert (merged.suite, merged.taken) == (f"tiny@{changed}", [run])


def test_a_folder_that_no_suite_has_is_refused(there: Path, here: Path) -> None:
    _write(there, _run())
    (there / "tiny").rename(there / ".tiny")
    assert _merge(there / ".tiny", here).refused == [f"{there / '.tiny'} is not named like the results of a suite"]


def test_a_finished_run_takes_the_place_of_an_unfinished_or_broken_one(there: Path, here: Path) -> None:
    runs = [_run(seed) for seed in range(2)]
    theirs = [_write(there, run) for run in runs]
    unfinished, broken = _write(here, runs[0], checkpoint=True), _write(here, runs[1])
    (broken / "record.json").write_bytes((broken / "record.json").read_bytes()[:80])
    assert set(_merge(there, here).taken) == {run.key for run in runs}
    assert [read_whole(folder) for folder in (unfinished, broken)] == [read_whole(folder) for folder in theirs]
    assert not (unfinished / "checkpoint.pt").exists()


def test_a_whole_run_here_stays_and_another_one_of_its_key_is_named(there: Path, here: Path) -> None:
    _write(there, _run(), usage=0.9)
    mine = _write(here, _run(), usage=0.5)
    merged = _merge(there, here)
    assert [sentence.split(": ")[1] for sentence in merged.refused] == [
        f"{mine / 'record.json'} is another whole record of this run"
    ]
    assert read_whole(mine)["metrics"] == {"usage": 0.5}
    _write(there, _run(1), checkpoint=True)
    finished = _write(here, _run(1))
    assert _merge(there, here).kept == [finished.name]
    assert not (finished / "checkpoint.pt").exists()


def _digit(folder: Path) -> None:
    path = folder / "record.json"
    path.write_text(path.read_text().replace('"usage": 0.5', '"usage": 0.6'))


def _curve(folder: Path) -> None:
    (folder / "history.csv").write_text("step\n2\n")


def _link(folder: Path) -> None:
    """A run that is a link to a whole one."""
    folder.rename(elsewhere := folder.parents[3] / folder.name)
    folder.symlink_to(elsewhere)


def _linked_file(folder: Path) -> None:
    (folder / "history.csv").rename(folder.parents[3] / "history.csv")
    (folder / "history.csv").symlink_to(folder.parents[3] / "history.csv")


def _linked_folder(folder: Path) -> None:
    (folder / "samples").rename(folder.parents[3] / "samples")
    (folder / "samples").symlink_to(folder.parents[3] / "samples")


def _linked_record(folder: Path) -> None:
    (folder / "record.json").rename(folder.parents[3] / "record.json")
    (folder / "record.json").symlink_to(folder.parents[3] / "record.json")


def _pipe(folder: Path) -> None:
    (folder / "history.csv").unlink()
    os.mkfifo(folder / "history.csv")


def _linked_checkpoint(folder: Path) -> None:
    (folder / "record.json").unlink()
    (folder / "checkpoint.pt").symlink_to("/etc/hostname")


EMPTY = "e3b0c44298fc1c14"


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (_digit, "is not what its run wrote"),
        (_curve, "history.csv is not what its run wrote"),
        (_link, "is a link or no folder"),
        (_linked_file, "is a link, a pipe or another thing"),
        (_linked_folder, "is a link, a pipe or another thing"),
        (_linked_record, "is a link, a pipe or another thing"),
        (_linked_checkpoint, "is a link, a pipe or another thing"),
        (_pipe, "is a link, a pipe or another thing"),
        (lambda folder: _edit(folder, schema=3), "is not a record of schema 1 or 2"),
        (lambda folder: _edit(folder, config={**_run().config, "seed": 7}), "is not the one that its key names"),
        (lambda folder: _edit(folder, files={"../../../outside": EMPTY}), "as a file of its run"),
        (lambda folder: _edit(folder, files={"samples/../../../outside": EMPTY}), "as a file of its run"),
        (lambda folder: _edit(folder, files={"/etc/hostname": EMPTY}), "holds no file"),
        (lambda folder: _edit(folder, files={"nul\0": EMPTY}), "is missing or can't be read"),
        (lambda folder: _edit(folder, files={".claim": EMPTY}), "as a file of its run"),
        (lambda folder: _edit(folder, files={"samples/.hidden": EMPTY}), "as a file of its run"),
        (lambda folder: _edit(folder, files={"record.json": EMPTY}), "as a file of its run"),
        (lambda folder: (folder / "record.json").write_text("[" * 100_000), "is not a whole record"),
        (lambda folder: folder.rename(folder.with_name("..hidden")), "is not named like a run"),
        (lambda folder: folder.rename(folder.with_name(_run(5).key)), "is the record of another run"),
    ],
)
def test_what_can_not_be_trusted_is_refused_by_name_and_the_others_come_in(
    spoil: Callable[[Path], object], reason: str, there: Path, here: Path
) -> None:
    good, bad = _write(there, _run(1)), _write(there, _run())
    spoil(bad)
    merged = _merge(there, here)
    assert merged.taken == [good.name]
    [sentence] = merged.refused
    assert sentence.startswith(str(bad.parent))
    assert reason in sentence
    assert [folder.name for folder in (here / "tiny" / "runs").iterdir()] == [good.name]
    assert sorted(path.name for path in here.parent.iterdir() if path.name in ("here", "outside")) == ["here"]


def test_runs_of_another_version_are_refused_and_unknown_methods_are_not(there: Path, here: Path) -> None:
    _write(there, _run(version=2))
    plugin = _write(there, _run(method="theirs", version=9))
    merged = _merge(there, here)
    assert merged.taken == [plugin.name]
    assert merged.refused[0].endswith("record.json is of version 2 of `vq_vae`; here is version 1")


def test_a_merge_that_is_cut_short_leaves_whole_runs_or_nothing(
    there: Path, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = [_write(there, _run(seed)).name for seed in range(2)]
    left = iter(range(4))  # of three files a run

    def copy(source: Path, target: Path, expected: str | None) -> bool:
        if next(left, None) is None:
            raise KeyboardInterrupt
        return copy_file(source, target, expected)

    copy_file = module.copy_file
    with monkeypatch.context() as patched:
        patched.setattr(module, "copy_file", copy)
        with pytest.raises(KeyboardInterrupt):
            _merge(there, here)
    store = Store(here / "tiny")
    whole, problems = store.survey(keys)
    assert (len(whole), problems) == (1, [])
    merged = _merge(there, here)
    assert (len(merged.equal), len(merged.taken)) == (1, 1)
    assert len(store.survey(keys)[0]) == 2


def test_a_file_that_changes_while_it_is_copied_is_refused(
    there: Path, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = _write(there, _run())
    files = module._files

    def later(*arguments: Any) -> Any:
        found = files(*arguments)
        _curve(folder)
        return found

    monkeypatch.setattr(module, "_files", later)
    assert _merge(there, here).refused == [f"{folder / 'history.csv'} is not what its run wrote"]
    assert Store(here / "tiny").record(folder.name) is None


def test_the_oldest_records_name_no_files_and_come_with_what_lies_there(there: Path, here: Path) -> None:
    folder = _write(there, _run())
    old = {n: v for n, v in json.loads((folder / "record.json").read_text()).items() if n not in ("files", "digest")}
    (folder / "record.json").write_text(json.dumps({**old, "schema": 1}))
    (folder / "checkpoint.pt").write_bytes(b"kept")
    assert _merge(there, here).taken == [folder.name]
    mine = here / "tiny" / "runs" / folder.name
    assert (mine / "samples" / "original_1.wav").read_bytes() == b"RIFF"
    assert not (mine / "checkpoint.pt").exists()


def test_a_plan_here_stays_and_what_is_none_does_not_come(there: Path, here: Path) -> None:
    _write(there, _run())
    (there / "tiny" / "plan.json").write_text("[]")
    _merge(there, here)
    assert not (here / "tiny" / "plan.json").exists()
    (here / "tiny" / "plan.json").write_text("mine")
    (there / "tiny" / "plan.json").write_text(json.dumps(PLAN))
    _merge(there, here)
    assert (here / "tiny" / "plan.json").read_text() == "mine"


def test_a_linked_suite_is_refused_and_nothing_is_one_sentence(there: Path, here: Path) -> None:
    _write(there, _run())
    with pytest.raises(UsageError, match=r"there are no runs in .*name a folder of results"):
        merge(here, there, _known)
    with pytest.raises(UsageError, match="already; name results of elsewhere"):
        merge(there, there, _known)
    with pytest.raises(UsageError, match="already; name results of elsewhere"):
        merge(there / "tiny", there, _known)
    linked = there.with_name("linked")
    linked.mkdir()
    (linked / "tiny").symlink_to(there / "tiny")
    assert _merge(linked, here).refused == [f"{linked / 'tiny'} is a link, or its runs are"]
    assert not here.exists()


def test_the_command_counts_names_and_ends_with_1_where_something_was_refused(
    there: Path, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _write(there, _run())
    _digit(_write(there, _run(1)))
    lacks = "tiny: no plan.json came along, from which tables are made; it is written by: python -m benchmark run tiny"
    for expected, more in (
        ("1 finished runs taken over, 1 refused", f"{lacks} --results {here}\n"),
        ("0 finished runs taken over, 1 here already, 1 refused", ""),
    ):
        with pytest.raises(SystemExit) as end:
            main(["merge", str(there), "--results", str(here)])
        assert end.value.code == 1
        told = capsys.readouterr()
        assert told.out == f"tiny: {expected}\n{more}"
        assert told.err.startswith("refused: ")
        assert len(told.err.splitlines()) == 1


def test_nothing_is_left_where_all_was_refused(there: Path, here: Path) -> None:
    _digit(_write(there, _run()))
    merged = _merge(there, here)
    assert len(merged.refused) == 1
    assert not merged.planned
    assert not (here / "tiny").exists()
