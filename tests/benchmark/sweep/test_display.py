"""What is said of a sweep where no terminal shows bars: a line a minute for each run, named by its arm."""

import pytest

from benchmark.records.run import Run
from benchmark.sweep import display
from benchmark.sweep.display import Display
from benchmark.sweep.launchers.base import Event
from benchmark.worker.job import Job

CONFIG = {"method": "simvq", "dataset": {"name": "shifted"}, "training": {"steps": 1000}}
RUN = Run("simvq-K8-s0-01234567", "mine", "some", CONFIG, {})
JOB = Job(RUN, "results", "cpu", 1)


def test_a_log_has_a_line_now_and_then(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    clock = [0.0]
    monkeypatch.setattr(display.time, "monotonic", lambda: clock[0])
    shown = Display()
    shown.begin([RUN], [(RUN, {"status": "failed"})] * 2)
    shown.show(Event("started", JOB))
    for second in range(1, 131):
        clock[0] = float(second)
        shown.show(Event("progress", JOB, step=5 * second, loss=0.25, usage=0.5))
    clock[0] = 230.0
    shown.show(Event("ended", JOB))
    assert capsys.readouterr().err.splitlines() == [
        "2 finished runs skipped",
        "mine simvq-K8-s0-01234567: step 5 of 1,000, loss 0.25, usage 50.0%",
        "mine simvq-K8-s0-01234567: step 305 of 1,000, loss 0.25, usage 50.0%; about 2 min left",
        "mine simvq-K8-s0-01234567: step 605 of 1,000, loss 0.25, usage 50.0%; about 79 s left",
        "[1/1] mine simvq-K8-s0-01234567 in 230 s",
    ]
