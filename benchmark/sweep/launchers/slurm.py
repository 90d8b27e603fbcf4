"""Runs on a cluster of Slurm: one job array a call, followed through the shared results folder."""

import json
import os
import re
import signal
import subprocess
import time
import uuid
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmark.records.files import read_rows, write_atomic
from benchmark.records.history import HISTORY_FILE
from benchmark.records.store import Store
from benchmark.sweep.launchers.base import Event
from benchmark.sweep.launchers.process import STOP_SECONDS, End
from benchmark.sweep.launchers.slurm_task import Allocation, end_file, read_end
from benchmark.sweep.time_limit import seconds_of
from benchmark.worker.job import Job
from methods.core.usage import UsageError, did_you_mean

OPTIONS = {
    "partition": "slurm_partition",
    "account": "slurm_account",
    "qos": "slurm_qos",
    "constraint": "slurm_constraint",
    "time": "timeout_min",
    "memory": "mem_gb",
    "together": "",
}
"""What `--slurm` takes, and what submitit calls it: `time` as of `--time-limit`, `memory` in GB of an allocation,
`together`: runs that share one, side by side."""
_ATTEMPTS = 5
"""How often a run may lose its allocation in one call."""
_OFTEN = 10_000
"""How often an allocation may come to the end of its time and be queued again."""
_POLL_SECONDS = 1.0
_USUAL_SECONDS = 3600


@dataclass
class _Task:
    """An allocation on its way, and the runs of it that have not ended."""

    handle: Any
    marker: Path
    jobs: dict[str, Job]
    rows: dict[str, int] = field(default_factory=dict)


class SlurmLauncher:
    """Each allocation starts the same workers as the local launcher; what becomes of them is read from the folder.

    The results folder must be shared, with this project, its data and plug-ins at the same place on every node. An
    array outlives the command that submitted it; the next call follows what is still queued or running.

    Args:
        options: of `--slurm`, see `OPTIONS`.
        slots: allocations at a time; None for as many as Slurm gives.
        cpus: of each run.
        gpus: of each allocation.
        cluster: of submitit: ``slurm``, or ``local`` for processes of this machine in its place.

    Raises:
        UsageError: submitit is not installed, there is no Slurm here, or an option is wrong.
    """

    def __init__(
        self, options: Mapping[str, Any], slots: int | None, cpus: float | None, gpus: float, cluster: str = "slurm"
    ) -> None:
        self.together, given = _checked(options)
        self._submitit = _import_submitit()
        self._cluster = cluster
        self.threads = max(1, int(cpus or 1))
        self._settings = {
            "timeout_min": _USUAL_SECONDS // 60,
            **given,
            "cpus_per_task": self.threads * self.together,
            "gpus_per_node": int(gpus),
            **({"slurm_array_parallelism": slots} if slots else {}),
        }
        self._tasks: list[_Task] = []
        self._attempts: dict[str, int] = {}
        self._started: set[str] = set()
        self._executor(Path.cwd())  # says at once what is wrong

    def launch(self, jobs: Iterable[Job]) -> Iterator[Event]:
        """Queue all jobs in one array, but for those that an earlier call has queued; yield events as they come."""
        wanted = list(jobs)
        if not wanted:
            return
        place = _place(wanted[0])
        place.mkdir(exist_ok=True)
        self._tasks = self._queued_before(place, {job.run.key: job for job in wanted})
        queued = {key for task in self._tasks for key in task.jobs}
        self._submit([job for job in wanted if job.run.key not in queued])
        while self._tasks:
            time.sleep(_POLL_SECONDS)
            alive = self._alive()
            for task in list(self._tasks):
                yield from self._with_start(self._look(task))
                if not task.jobs:
                    self._tasks.remove(task)
                elif not alive(task.handle):
                    self._tasks.remove(task)
                    yield from self._with_start(self._look(task))
                    yield from self._with_start(self._again(task))

    def stop(self) -> None:
        """Ask every running job to save where it stands and end; returns when they have. What waits is cancelled."""
        alive = self._alive()
        for task in self._tasks:
            task.marker.touch()
        deadline = time.monotonic() + 2 * STOP_SECONDS
        for task in self._tasks:
            while any(self._is_running(job) for job in task.jobs.values()) and time.monotonic() < deadline:
                time.sleep(_POLL_SECONDS / 4)
            if alive(task.handle):
                task.handle.cancel(check=False)
        self._tasks = []

    def _with_start(self, events: Iterator[Event]) -> Iterator[Event]:
        """A run has started when there is the first news of it: it may have waited for hours."""
        for event in events:
            if event.job.run.key not in self._started:
                self._started.add(event.job.run.key)
                yield Event("started", event.job)
            yield event

    def _submit(self, jobs: list[Job]) -> None:
        """One array; a note beside it says what is in each allocation.

        Raises:
            UsageError: Slurm does not take it, or does not answer.
        """
        if not jobs:
            return
        place = _place(jobs[0])
        marker = place / f"stop-{uuid.uuid4().hex}"
        groups = [jobs[first : first + self.together] for first in range(0, len(jobs), self.together)]
        for job in jobs:
            end_file(place, job.run.key).unlink(missing_ok=True)
        allocations = [Allocation([job.to_json() for job in group], str(place), str(marker)) for group in groups]
        executor = self._executor(place / "logs")
        root = str(Path(__file__).parents[3])
        paths = [root, *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]
        os.environ["PYTHONPATH"] = os.pathsep.join(dict.fromkeys(paths))
        try:
            handles = executor.submit_array(allocations)
        except self._submitit.core.utils.FailedJobError as error:
            raise UsageError(f"--launcher slurm: {_reason(str(error))}") from error
        for handle, group in zip(handles, groups, strict=True):
            self._tasks.append(_Task(handle, marker, {job.run.key: job for job in group}))
            note = {"job": handle.job_id, "marker": marker.name, "runs": [job.run.key for job in group]}
            write_atomic(place / f"queued-{handle.job_id}.json", json.dumps(note))

    def _queued_before(self, place: Path, wanted: dict[str, Job]) -> list[_Task]:
        """Allocations of earlier calls that are still queued or running, with those of their runs that are wanted."""
        found, alive = [], self._alive()
        for file in sorted(place.glob("queued-*.json")):
            try:
                note = json.loads(file.read_text())
            except (OSError, ValueError):
                continue
            handle = self._submitit.SlurmJob(place / "logs", str(note["job"])) if self._cluster == "slurm" else None
            runs = {key: wanted[key] for key in note["runs"] if key in wanted}
            if handle is None or not alive(handle) or (place / note["marker"]).exists():
                for done in (file, place / note["marker"]):
                    done.unlink(missing_ok=True)
            elif runs:
                found.append(_Task(handle, place / str(note["marker"]), runs))
        return found

    def _look(self, task: _Task) -> Iterator[Event]:
        """What the files of a task's runs say that they did not say before."""
        for key, job in list(task.jobs.items()):
            end = read_end(end_file(_place(job), key))
            if end is not None:
                del task.jobs[key]
                end_file(_place(job), key).unlink(missing_ok=True)
                yield Event("ended", job, **end._asdict())
            elif job.replaces is None:  # else the curves may be those of the record that is replaced
                rows = read_rows(Store(Path(job.results), read_only=True).record_path(key).parent / HISTORY_FILE)
                if len(rows) > task.rows.get(key, 0):
                    task.rows[key] = len(rows)
                    last = {name: float(value) for name, value in rows[-1].items() if value}
                    yield Event("progress", job, step=int(last["step"]), loss=last["loss"], usage=last.get("usage"))

    def _again(self, task: _Task) -> Iterator[Event]:
        """Runs whose allocation is gone without a word of them: its node died."""
        left = []
        for key, job in task.jobs.items():
            self._attempts[key] = self._attempts.get(key, 0) + 1
            if self._attempts[key] < _ATTEMPTS:
                left.append(job)
            else:
                yield Event("ended", job, **End(-signal.SIGKILL, "its allocation ended", False)._asdict())
        self._submit(left)

    def _alive(self) -> Any:
        """Tells whether an allocation is queued or running; Slurm is asked once for all, and needs no accounting."""
        if self._cluster != "slurm":
            return lambda handle: not handle.done()
        asked = ["squeue", "--me", "--noheader", "--array", "--format=%i"]
        told = subprocess.run(asked, capture_output=True, text=True, check=False)
        if told.returncode:  # it will answer again
            return lambda handle: True
        queued = set(told.stdout.split())
        return lambda handle: handle.job_id in queued

    def _is_running(self, job: Job) -> bool:
        return Store(Path(job.results), read_only=True).is_claimed(job.run.key)

    def _executor(self, folder: Path) -> Any:
        try:
            often = {f"{self._cluster}_max_num_timeout": _OFTEN}
            executor = self._submitit.AutoExecutor(folder=folder, cluster=self._cluster, **often)
            executor.update_parameters(name="codebook-bench", **self._settings)
        except (RuntimeError, ValueError, TypeError, NameError) as error:
            raise UsageError(f"--launcher slurm: {str(error).splitlines()[0]}") from error
        return executor


def _reason(told: str) -> str:
    """What `sbatch` says last, without what it puts before each line."""
    lines = [line for line in told.splitlines() if line.strip()]
    return re.sub(r"^(sbatch: )?((error|fatal): )?", "", lines[-1]) if lines else "sbatch failed without a word"


def _place(job: Job) -> Path:
    """Where notes, logs and ends of allocations lie."""
    return Path(job.results) / "slurm"


def _checked(options: Mapping[str, Any]) -> tuple[int, dict[str, Any]]:
    """Runs that share an allocation, and the rest as submitit has it."""
    for name in options:
        if name not in OPTIONS:
            raise UsageError(f"--slurm has no `{name}`{did_you_mean(name, OPTIONS)}; it has: {', '.join(OPTIONS)}")
    given = dict(options)
    together = given.pop("together", 1)
    for name, number in (("together", together), ("memory", given.get("memory", 1))):
        if isinstance(number, bool) or not isinstance(number, int) or number < 1:
            raise UsageError(f"--slurm {name} takes a whole number of at least 1, not {number!r}")
    if "time" in given:
        given["time"] = max(1, round(seconds_of(str(given["time"]), "--slurm time") / 60))
    return together, {OPTIONS[name]: value for name, value in given.items()}


def _import_submitit() -> Any:
    try:
        import submitit
    except ImportError as error:
        raise UsageError("--launcher slurm needs submitit: pip install 'codebook-bench[slurm]'") from error
    return submitit
