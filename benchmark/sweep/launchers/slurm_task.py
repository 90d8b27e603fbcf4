"""What happens in an allocation of Slurm: its runs as worker processes, saved and begun again when it is taken away."""

import json
import os
import signal
import subprocess
import threading
import time
from pathlib import Path
from typing import Any

from benchmark.records.files import write_atomic
from benchmark.sweep.launchers.process import STOP_SECONDS, End, WorkerProcess
from benchmark.worker.channel import Ending
from benchmark.worker.job import Job

_LOOK_SECONDS = 0.5


class Allocation:
    """Runs that share an allocation, side by side. Called on a node by submitit, which pickles it.

    SIGUSR1, SIGUSR2 (before the time is over) and SIGTERM (preemption) make every run save where it stands; the
    allocation is then queued again. Of one that was cancelled nothing is.

    Args:
        jobs: `Job.to_json` of each.
        ends: folder into which is written how each ended, as `End` in a file by its key.
        marker: a file that asks all to save and end once it is there.
    """

    def __init__(self, jobs: list[str], ends: str, marker: str) -> None:
        self.jobs, self.ends, self.marker = jobs, ends, marker
        self._again = False
        self._processes: list[WorkerProcess] = []
        self._threads: list[threading.Thread] = []

    def __call__(self) -> None:
        """Do the runs that have not ended yet."""
        from submitit import JobEnvironment

        own = JobEnvironment._usr_sig()  # what submitit listens to
        for number in {signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2} - {own}:
            signal.signal(number, lambda *_: self._stop() if _is_cancelled() else os.kill(os.getpid(), own))
        for text in self.jobs:
            job = Job.from_json(text)
            if not end_file(Path(self.ends), job.run.key).exists():
                process = WorkerProcess(job, attached=True)
                self._processes.append(process)
                self._threads.append(threading.Thread(target=self._follow, args=(process, job.run.key), daemon=True))
                self._threads[-1].start()
        while any(thread.is_alive() for thread in self._threads):
            if Path(self.marker).exists():
                self._stop()
            time.sleep(_LOOK_SECONDS)

    def checkpoint(self) -> Any:
        """Called by submitit when the allocation is taken away: all save, and it is queued again."""
        from submitit.helpers import DelayedSubmission

        self._again = True
        self._stop()
        return DelayedSubmission(Allocation(self.jobs, self.ends, self.marker))

    def _stop(self) -> None:
        """All runs save and end."""
        for process in self._processes:
            process.ask_to_stop()
        deadline = time.monotonic() + STOP_SECONDS
        for thread in self._threads:
            thread.join(max(0.1, deadline - time.monotonic()))

    def _follow(self, process: WorkerProcess, key: str) -> None:
        for _ in process.progress():
            pass  # whoever started the sweep reads the curves in the run's folder
        end = process.end()
        if not (self._again and end.ending is Ending.STOPPED):
            write_atomic(end_file(Path(self.ends), key), json.dumps(end._asdict()))


def end_file(folder: Path, key: str) -> Path:
    """Where an allocation says how the run ended."""
    return folder / f"{key}.json"


def read_end(file: Path) -> End | None:
    """What it says; None where it says nothing yet."""
    try:
        fields = json.loads(file.read_text())
    except (OSError, ValueError):
        return None
    return End(**{**fields, "ending": Ending(fields["ending"]) if fields["ending"] else None})


def _is_cancelled() -> bool:
    """Whether somebody cancelled the allocation that this is, rather than Slurm taking it away."""
    job = os.environ.get("SLURM_JOB_ID")
    if job is None:
        return False
    asked = ["squeue", "--noheader", "--jobs", job, "--format=%T"]
    told = subprocess.run(asked, capture_output=True, text=True, check=False)
    return told.stdout.strip() in ("CANCELLED", "COMPLETING")
