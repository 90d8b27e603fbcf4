"""Thinning leaves the samples that plots show, whole records, and nothing to do for a second time."""

import copy
import json
import shutil
from pathlib import Path

import pytest

from benchmark.records.record import seal
from benchmark.records.store import Store
from benchmark.report.thinning import thin_samples

ARMS, SIZES = ("vq_vae", "simvq", "no_quantization"), (256, 1024)
OLD = {"schema": 1}


@pytest.fixture(scope="module")
def whole(synthetic_of_module):
    """Two seeds of each arm at each size, with records that vouch for their files."""
    made = synthetic_of_module(ARMS, SIZES, 2)
    for key in runs(made.folder):
        record = json.loads((made.folder / "runs" / key / "record.json").read_text())
        Store(made.folder).write_record(key, record)
    return made


@pytest.fixture
def made(whole, tmp_path: Path):
    """The same in a folder of a test's own."""
    own = copy.deepcopy(whole)
    own.folder = shutil.copytree(whole.folder, tmp_path / "results")
    return own


def runs(folder: Path) -> list[str]:
    return sorted(path.name for path in (folder / "runs").iterdir())


def with_samples(folder: Path) -> set[str]:
    pictures = {path.parent.name for path in folder.glob("runs/*/samples.png")}
    assert pictures == {path.parent.parent.name for path in folder.glob("runs/*/samples/original_1.wav")}
    return pictures


def test_samples_stay_of_the_lowest_seed_at_the_largest_size(made):
    whole = Store(made.folder).survey(runs(made.folder))[0]
    thinned = thin_samples(made.folder)
    shown = {made.key(arm, 1024, 0) for arm in ARMS}
    assert with_samples(made.folder) == shown
    assert thinned.keys == [key for key in runs(made.folder) if key not in shown]
    assert thinned.size > 0
    assert thinned.problems == []
    records, problems = Store(made.folder).survey(runs(made.folder))
    assert problems == []
    for key, record in records.items():
        if key in shown:
            assert record == whole[key]
            continue
        files = {name: digest for name, digest in whole[key]["files"].items() if not name.startswith("samples")}
        assert set(files) == {"history.csv"} | ({"counts.npz", "snapshots.npz"} if "no_quant" not in key else set())
        assert record == seal({**whole[key], "files": files, "thinned": ["samples", "samples.png"]})
        assert record["digest"] != whole[key]["digest"]


def test_an_arm_that_ends_at_a_smaller_size_keeps_its_samples_there(made):
    made.make_unavailable("simvq", 1024, "too large")
    thin_samples(made.folder)
    assert made.key("simvq", 256, 0) in with_samples(made.folder)


def test_a_second_time_changes_nothing(made):
    thin_samples(made.folder)
    before = {path: path.read_bytes() for path in made.folder.rglob("*") if path.is_file()}
    assert thin_samples(made.folder) == ([], 0, [])
    assert {path: path.read_bytes() for path in made.folder.rglob("*") if path.is_file()} == before


def test_a_run_that_is_not_whole_keeps_what_it_has(made):
    key = made.key("vq_vae", 256, 1)
    (made.folder / "runs" / key / "history.csv").write_text("edited")
    thinned = thin_samples(made.folder)
    assert key not in thinned.keys
    assert [key in problem for problem in thinned.problems] == [True]
    assert key in with_samples(made.folder)


def test_a_record_older_than_the_hashes_stays_without_them(made):
    key = made.key("vq_vae", 256, 0)
    path = made.folder / "runs" / key / "record.json"
    content = json.loads(path.read_text())
    path.write_text(json.dumps({name: content[name] for name in content if name not in ("files", "digest")} | OLD))
    thin_samples(made.folder)
    record = Store(made.folder).record(key)
    assert record is not None
    assert record["thinned"] == ["samples", "samples.png"]
    assert "files" not in record
    assert "digest" not in record
