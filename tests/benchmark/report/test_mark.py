"""A report is whole only as long as it is made of what is there, and each of its files is as it was written."""

import json
import os
import shutil
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

import pytest

from benchmark.report.mark import MARK, is_whole
from benchmark.report.write import write_reports


@pytest.fixture(scope="module")
def reported(shared_synthetic, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a whole report."""
    made = shared_synthetic(("vq_vae", "simvq"), sizes=(256,), seeds=2, artefacts=False)
    folder = Path(shutil.copytree(made.folder, tmp_path_factory.mktemp("reported") / "results"))
    (folder / "plan.json").write_text(json.dumps({**made.plan, "tables": ["main"], "plots": ["usage"]}))
    assert not is_whole(folder)
    write_reports([folder])
    return folder


@pytest.fixture
def folder(reported: Path, tmp_path: Path) -> Path:
    """The same, elsewhere."""
    folder = Path(shutil.copytree(reported, tmp_path / "results"))
    assert is_whole(folder)
    return folder


def first_record(folder: Path) -> Path:
    return min(folder.glob("runs/*/record.json"))


CHANGES: dict[str, Callable[[Path], object]] = {
    "a plot is gone": lambda folder: (folder / "plots" / "usage.pdf").unlink(),
    "a plot is cut": lambda folder: os.truncate(folder / "plots" / "usage.png", 100),
    "a table is edited": lambda folder: (folder / "tables" / "main.csv").write_text("method,usage\nmine,1.0\n"),
    "the summary is gone": lambda folder: (folder / "summary.csv").unlink(),
    "a record is another": lambda folder: first_record(folder).write_text(first_record(folder).read_text() + " "),
    "a record is gone": lambda folder: first_record(folder).unlink(),
    "the plan is another": lambda folder: (folder / "plan.json").write_text((folder / "plan.json").read_text() + " "),
    "there are trials now": lambda folder: (folder / "tuning.csv").write_text("arm\nvq_vae\n"),
    "the mark is gone": lambda folder: (folder / MARK).unlink(),
    "the mark is empty": lambda folder: (folder / MARK).write_text(""),
    "the mark is no mark": lambda folder: (folder / MARK).write_text('{"made_of": 3, "files": [1]}'),
}


@pytest.mark.parametrize("change", CHANGES)
def test_what_makes_a_report_no_longer_whole(folder: Path, change: str):
    CHANGES[change](folder)
    assert not is_whole(folder)


def test_a_report_that_is_made_again_is_the_same(folder: Path):
    before = {path.name: path.read_bytes() for path in [*folder.glob("*/main.*"), *folder.glob("*/usage.*")]}
    for change in ("a plot is gone", "a plot is cut", "a table is edited", "the mark is empty"):
        CHANGES[change](folder)
    write_reports([folder])
    assert is_whole(folder)
    assert {path.name: path.read_bytes() for path in [*folder.glob("*/main.*"), *folder.glob("*/usage.*")]} == before


def test_a_record_that_comes_while_a_report_is_made_is_in_the_next(folder: Path, monkeypatch: pytest.MonkeyPatch):
    from benchmark import report

    build, path = report.build, first_record(folder)
    content = path.read_text()
    path.unlink()

    def built_while_it_comes(results):
        path.write_text(content)
        return build(results)

    with monkeypatch.context() as patched:
        patched.setattr(report, "build", built_while_it_comes)
        write_reports([folder])
    assert "1 of 2 not run yet" in (folder / "tables" / "main.md").read_text()
    assert not is_whole(folder)


def test_a_report_that_stops_half_way_is_not_whole(folder: Path, monkeypatch: pytest.MonkeyPatch):
    (folder / MARK).unlink()

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(import_module("benchmark.report.build"), "_write_figure", killed)
        with pytest.raises(KeyboardInterrupt):
            write_reports([folder])
    assert (folder / "summary.csv").exists()
    assert not is_whole(folder)
