"""The report that is timed: of whole records, as many as it says."""

import json
from pathlib import Path

import pytest

from benchmark.perf import report
from benchmark.report import read
from methods import UsageError

COMMITTED = Path("results/reference/collapse_check")


def test_what_is_copied_is_whole_and_planned(tmp_path: Path):
    before = read(COMMITTED)
    count = report.plant(COMMITTED, tmp_path, 2 * len(before.plan["seeds"]))
    after = read(tmp_path)
    assert after.problems == []
    assert count == len(after.records) == len(set(after.cells["key"].dropna()) & set(after.records))
    assert count == 2 * len(before.records)
    assert after.histories.keys() == after.records.keys()
    assert {record["config"]["seed"] for record in after.records.values()} == set(after.plan["seeds"])


def test_each_part_is_timed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    times = iter([0.0, 1.0, 1.0, 3.0, 3.0, 7.0])
    monkeypatch.setattr(report.time, "process_time", lambda: next(times))
    report.plant(COMMITTED, tmp_path, 1)
    plan = json.loads((tmp_path / "plan.json").read_text())
    (tmp_path / "plan.json").write_text(json.dumps({**plan, "plots": ["reconstructions"]}))
    found = report.measure_report(1, tmp_path)
    assert found[1:] == (1.0, 2.0, 4.0)
    assert found.records == len(read(tmp_path).records)


def test_without_the_project_s_results(tmp_path: Path):
    with pytest.raises(UsageError, match="there is no .*missing: make perf is run where"):
        report.measure_report(1, tmp_path / "missing")
