"""A time limit ends a sweep as Ctrl-C does: in time, everything saved, one sentence and exit code 130."""

import signal
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest

from benchmark import commands
from benchmark.cli import main
from benchmark.records.store import Store
from benchmark.suite.plan import plan_suite
from benchmark.sweep import launching
from benchmark.sweep.display import Display
from benchmark.sweep.launchers import Event, Launcher
from benchmark.sweep.runner import Settings, run_plan
from benchmark.sweep.time_limit import OutOfTime, alarm, seconds_of, stop_at
from benchmark.worker.job import Job
from methods import UsageError

Write = Callable[[dict[str, object] | str], str]


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("540", 540), ("540s", 540), ("9m", 540), ("2h", 7200), ("1h30m", 5400), ("1h0m5", 3605), (" 0.5h ", 1800)],
)
def test_times_as_they_are_typed(text: str, seconds: float) -> None:
    assert seconds_of(text) == seconds


@pytest.mark.parametrize("text", ["", "0", "0s", "-5", "5d", "m", "30m1h", "1:30", "nan", "inf", "1e3", "9" * 30, "٣"])
def test_what_is_no_time_is_one_sentence(text: str) -> None:
    with pytest.raises(UsageError, match=r"--time-limit takes a time such as 540, 540s, 9m, 2h or 1h30m, not "):
        seconds_of(text)


def test_a_minute_or_a_fifth_is_left_to_save_and_report() -> None:
    assert stop_at(100.0, 540.0) == 100 + 480
    assert stop_at(100.0, 50.0) == 100 + 40


def test_the_alarm_rings_once_in_time_and_not_afterwards() -> None:
    before = signal.getsignal(signal.SIGALRM)
    with pytest.raises(OutOfTime), alarm(time.monotonic() - 5):
        time.sleep(5)
    with alarm(time.monotonic() + 3600), alarm(None):
        assert signal.getitimer(signal.ITIMER_REAL)[0] > 0
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)
    assert signal.getsignal(signal.SIGALRM) is before


class Endless:
    """A launcher whose first run ends well and whose second one never does."""

    stopped = False

    def __init__(self, launcher: Launcher) -> None:
        self._launcher = launcher

    def launch(self, jobs: Iterable[Job]) -> Iterator[Event]:
        first, second = jobs
        yield from self._launcher.launch([first])
        yield Event("started", second)
        signal.raise_signal(signal.SIGALRM)
        time.sleep(60)

    def stop(self) -> None:
        self.stopped = True


def test_run_stops_says_what_is_left_and_writes_what_is_done(
    tiny: dict[str, object],
    write_suite: Write,
    tmp_path: Path,
    in_process: Launcher,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    launcher = Endless(in_process)
    monkeypatch.setattr(launching, "LocalLauncher", lambda _: launcher)
    reported: list[Path] = []
    monkeypatch.setattr(commands, "write_reports", reported.extend)
    with pytest.raises(SystemExit) as end:
        main(["run", write_suite(tiny), "--results", str(tmp_path / "results"), "--time-limit", "1h"])
    assert end.value.code == 130
    told = capsys.readouterr()
    sentence = "time limit: 1 of 2 runs are left; the running ones save where they stand, and the same command goes on"
    assert sentence in told.err
    assert launcher.stopped
    assert reported == [tmp_path / "results" / "tiny"]


@pytest.mark.parametrize("command", ["run", "tune"])
def test_a_bad_time_is_said_before_anything_is_done(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main([command, "quickstart", "--time-limit", "soon"])
    assert end.value.code == 2
    assert capsys.readouterr().err == (
        "error: --time-limit takes a time such as 540, 540s, 9m, 2h or 1h30m, not 'soon'\n"
    )


def test_a_limit_that_is_past_starts_nothing(
    tiny: dict[str, object], write_suite: Write, tmp_path: Path, in_process: Launcher
) -> None:
    plan, store = plan_suite(write_suite(tiny)), Store(tmp_path / "results")
    settings = Settings("cpu", 1, stop_at=time.monotonic() - 1)
    outcome = run_plan(plan, store, in_process, settings, Display(quiet=True), lambda: time.sleep(60))
    assert outcome.interrupted
    assert not outcome.ended
