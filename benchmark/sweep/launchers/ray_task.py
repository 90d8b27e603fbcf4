"""What happens on a machine of the Ray cluster: one run as a worker process, watched from a task."""

import tempfile
import threading
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from benchmark.records.store import CHECKPOINT, outputs
from benchmark.sweep.launchers.process import End, WorkerProcess
from benchmark.worker.channel import Ending
from benchmark.worker.job import Job

_REPORT_SECONDS = 1.0


class Returned(NamedTuple):
    """How a worker ended, and the files of its run where its machine does not see the results folder."""

    end: End
    files: dict[str, bytes]


class Board:
    """An actor beside the runner: the latest progress of every run, and whether all should stop."""

    def __init__(self) -> None:
        self._news: dict[str, dict[str, Any]] = {}
        self._stop = False

    def report(self, key: str, fields: dict[str, Any] | None) -> bool:
        """Leave the news of a run; answers whether it should stop."""
        if fields is not None:
            self._news[key] = fields
        return self._stop

    def news(self) -> dict[str, dict[str, Any]]:
        """What was left since the last call."""
        news, self._news = self._news, {}
        return news

    def stop(self) -> None:
        """Ask all runs to stop."""
        self._stop = True


def run_job(text: str, marker: str, checkpoint: bytes | None, board: Any) -> Returned:
    """Do the job in ``text`` in a worker process of this machine.

    Args:
        text: `Job.to_json`.
        marker: a file in the results folder; whoever sees it writes there.
        checkpoint: where the run stands, for a machine that does not see it.
        board: handle of the `Board`.
    """
    job = Job.from_json(text)
    with ExitStack() as stack:
        place: Path | None = None
        if not Path(marker).exists():
            place = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="codebook-bench-")))
            job = replace(job, results=str(place))
            if checkpoint is not None:
                folder = place / "runs" / job.run.key
                folder.mkdir(parents=True)
                (folder / CHECKPOINT).write_bytes(checkpoint)
        # Attached: if this task's process is killed, its run saves and ends too.
        process = WorkerProcess(job, attached=True)
        end = _follow(process, job.run.key, board)
        return Returned(end, _files(place / "runs" / job.run.key, end) if place else {})


def _follow(process: WorkerProcess, key: str, board: Any) -> End:
    latest: dict[str, Any] = {}
    done = threading.Event()
    watch = threading.Thread(target=_report, args=(process, key, board, latest, done), daemon=True)
    watch.start()
    try:
        for fields in process.progress():
            latest.update(fields)
        return process.end()
    finally:
        done.set()
        watch.join()


def _report(process: WorkerProcess, key: str, board: Any, latest: dict[str, Any], done: threading.Event) -> None:
    """Tell the board where the run stands and hear whether it should stop, once a second."""
    import ray

    while not done.wait(_REPORT_SECONDS):
        try:
            stop = ray.get(board.report.remote(key, dict(latest) or None), timeout=30)
        except ray.exceptions.RayError:
            continue  # the driver can't be reached; the run goes on
        if stop:
            process.ask_to_stop()
            return


def _files(folder: Path, end: End) -> dict[str, bytes]:
    """What the run wrote: outputs and record, and the checkpoint of one that was stopped or is to keep it."""
    found = outputs(folder) if folder.is_dir() else {}
    keeps = end.exit_code == 0 or end.ending is Ending.STOPPED
    return {name: path.read_bytes() for name, path in found.items() if name != CHECKPOINT or keeps}
