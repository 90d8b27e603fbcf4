"""Runs on the machines of a Ray cluster: the engine beyond one machine (extra ``[ray]``)."""

import contextlib
import os
import secrets
import signal
import sys
import time
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from benchmark.machine import available_cores
from benchmark.records.files import read_file, write_output, writing
from benchmark.records.store import CHECKPOINT, RECORD, Store, output_path
from benchmark.sweep.launchers.base import Event
from benchmark.sweep.launchers.process import STOP_SECONDS, End
from benchmark.sweep.launchers.ray_task import Board, Returned, run_job
from benchmark.worker.channel import Ending
from benchmark.worker.job import Job
from methods.core.usage import UsageError

_OLDEST = (2, 52)
"""Version of Ray: the first with tokens."""
_ATTEMPTS = 5
"""How often a run may lose its machine in one call."""
_POLL_SECONDS = 0.5


@dataclass
class _Task:
    """A run on its way: the claim on it is this process's, wherever it runs."""

    job: Job
    claim: contextlib.ExitStack
    attempts: int = 0


class RayLauncher:
    """Each run is a Ray task that starts the same worker as the local launcher, on whatever machine has room.

    A run whose machine dies goes to another. Where a machine sees the results folder, its worker writes there; where
    it does not, the files come back with the task's answer and are committed here. Every machine needs this project
    (the same version of it), its data, and plug-ins at the same place. A Ray that is started here listens on loopback
    alone and answers only who has its token (`keep_private`); a cluster that is joined has its owner's rules.

    Args:
        address: of a running cluster (``host:6379``, ``ray://host:10001``, ``auto``); None starts one on this machine.
        slots: runs at a time; None for as many as there is room for.
        cpus: of each run; None shares those of the cluster evenly among ``slots``, or gives one.
        gpus: of each run; a fraction lets several share one.

    Raises:
        UsageError: Ray is not installed or too old, the cluster does not answer or refuses our token, or no machine of
            it has room for a run.
    """

    def __init__(self, address: str | None, slots: int | None, cpus: float | None, gpus: float) -> None:
        if address is None:
            keep_private()
        self._ray = _import_ray()
        self._connect(address)
        total = float(self._ray.cluster_resources().get("CPU", 0))
        self.cpus = cpus if cpus is not None else min(total / slots, 1e6) if slots else 1.0
        self._gpus = gpus
        self._slots = slots
        self._check_room()
        self._board: Any = None
        self._tasks: dict[Any, _Task] = {}

    @property
    def threads(self) -> int:
        """Of each run."""
        return max(1, int(self.cpus))

    def launch(self, jobs: Iterable[Job]) -> Iterator[Event]:
        """Start jobs as places fall free and yield events as they come."""
        waiting = iter(jobs)
        exhausted = False
        self._board = self._ray.remote(Board).options(**self._here()).remote()
        while True:
            while not exhausted and len(self._tasks) < self._places():
                job = next(waiting, None)
                if job is None:
                    exhausted = True
                    break
                yield Event("started", job)
                if not self._claim_and_submit(job):
                    yield Event("ended", job, ending=Ending.CLAIMED)
            if not self._tasks:
                return
            ready, _ = self._ray.wait(list(self._tasks), num_returns=1, timeout=_POLL_SECONDS)
            yield from self._news()
            for reference in ready:
                yield from self._ended(reference)

    def stop(self) -> None:
        """Ask every running job to save where it stands and end; returns when they have."""
        if self._board is None:
            return
        self._board.stop.remote()
        deadline = time.monotonic() + STOP_SECONDS
        for reference, task in self._tasks.items():
            try:
                self._commit(task.job, self._ray.get(reference, timeout=max(0.1, deadline - time.monotonic())))
            except self._ray.exceptions.RayError:
                self._ray.cancel(reference, force=True)
            task.claim.close()
        self._tasks.clear()

    def _claim_and_submit(self, job: Job) -> bool:
        claim = contextlib.ExitStack()
        if not claim.enter_context(Store(Path(job.results)).claim(job.run.key)):
            claim.close()
            return False
        self._submit(_Task(job, claim))
        return True

    def _submit(self, task: _Task) -> None:
        """Hand a run to the cluster, with its checkpoint for a machine that does not see the results folder."""
        job = task.job
        checkpoint = Store(Path(job.results)).run_folder(job.run.key) / CHECKPOINT
        content = read_file(checkpoint) if checkpoint.is_file() else None
        remote = self._ray.remote(run_job).options(
            num_cpus=self.cpus, num_gpus=self._gpus, max_retries=0, scheduling_strategy="SPREAD"
        )
        marker = self._marker(Path(job.results))
        task.claim.callback(marker.unlink, missing_ok=True)
        told = replace(job, held=True, threads=self.threads)
        self._tasks[remote.remote(told.to_json(), str(marker), content, self._board)] = task

    def _marker(self, results: Path) -> Path:
        """A file by which a machine knows that it sees the results folder, not another of the same name."""
        marker = results / f".seen-{uuid.uuid4().hex}"
        with writing(marker):
            marker.touch()
        return marker

    def _ended(self, reference: Any) -> Iterator[Event]:
        """What became of a task: its worker's end, or another attempt where a machine died under it."""
        task = self._tasks.pop(reference)
        errors = self._ray.exceptions
        try:
            returned: Returned = self._ray.get(reference)
        except errors.OutOfMemoryError as error:
            end = End(-signal.SIGKILL, str(error), True)
        except errors.RayTaskError as error:
            end = End(1, str(error), False)
        except errors.RayError as error:
            task.attempts += 1
            if task.attempts < _ATTEMPTS:
                self._submit(task)
                return
            end = End(-signal.SIGKILL, str(error), False)
        else:
            self._commit(task.job, returned)
            end = returned.end
        task.claim.close()
        yield Event("ended", task.job, **end._asdict())

    def _commit(self, job: Job, returned: Returned) -> None:
        """Write what came back from a machine that does not see the results folder, the record last."""
        folder = Store(Path(job.results)).run_folder(job.run.key)
        for name in sorted(returned.files, key=lambda name: name == RECORD):
            path = output_path(folder, name)
            with writing(path):
                path.parent.mkdir(exist_ok=True)
            write_output(path, returned.files[name])
        if RECORD in returned.files and not job.keep_checkpoint:
            (folder / CHECKPOINT).unlink(missing_ok=True)

    def _news(self) -> Iterator[Event]:
        jobs = {task.job.run.key: task.job for task in self._tasks.values()}
        try:
            news: dict[str, dict[str, Any]] = self._ray.get(self._board.news.remote(), timeout=10)
        except self._ray.exceptions.RayError:
            return
        for key, fields in news.items():
            if key in jobs:
                yield Event("progress", jobs[key], **fields)

    def _places(self) -> int:
        """Runs that may be under way now; a cluster may grow and shrink."""
        if self._slots is not None:
            return self._slots
        have = self._ray.cluster_resources()
        fit = have.get("CPU", 0) / self.cpus if self.cpus else float("inf")
        if self._gpus:
            fit = min(fit, have.get("GPU", 0) / self._gpus)
        return max(1, int(min(fit, 10_000)))

    def _connect(self, address: str | None) -> None:
        if self._ray.is_initialized():
            return
        # What runs in the tasks is reported by the tasks; Ray's own lines would tear the display.
        quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": "error"}
        try:
            if address is None:
                self._ray.init(address="local", num_cpus=available_cores(), include_dashboard=False, **quiet)
            else:
                self._ray.init(address=address, **quiet)
        except (OSError, ValueError, RuntimeError, self._ray.exceptions.RayError) as error:
            hint = "; a cluster with a token needs RAY_AUTH_MODE=token and RAY_AUTH_TOKEN" if address else ""
            raise UsageError(f"Ray can't be reached at {address or 'this machine'}: {error}{hint}") from error

    def _check_room(self) -> None:
        nodes = [node["Resources"] for node in self._ray.nodes() if node["Alive"]]
        wanted = {"CPU": self.cpus, "GPU": self._gpus}
        if not any(all(node.get(kind, 0) >= amount for kind, amount in wanted.items()) for node in nodes):
            raise UsageError(
                f"no machine of the Ray cluster has {self.cpus:g} CPUs and {self._gpus:g} GPUs for a run; "
                "lower --cpus or --gpus"
            )

    def _here(self) -> dict[str, Any]:
        """On this process's machine, which is there as long as it is needed."""
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        node = self._ray.get_runtime_context().get_node_id()
        return {"num_cpus": 0, "scheduling_strategy": NodeAffinitySchedulingStrategy(node, soft=True)}


def keep_private() -> None:
    """Before Ray is imported: what it starts in this process listens on loopback alone and asks for a token.

    Without that anybody on the network could have it run their code. Variables of Ray that are set already stay.

    Raises:
        UsageError: Ray was imported before, and would not see it.
    """
    if "ray" in sys.modules and "RAY_AUTH_MODE" not in os.environ:
        raise UsageError("Ray was imported before it could be given a token; set RAY_AUTH_MODE=token for this command")
    os.environ.setdefault("RAY_AUTH_MODE", "token")
    if not os.environ.keys() & {"RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"}:
        os.environ["RAY_AUTH_TOKEN"] = secrets.token_hex(32)
    # Ray's name for "takes the machine's address on the network instead of 127.0.0.1".
    os.environ.setdefault("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")


def _import_ray() -> Any:
    try:
        import ray
    except ImportError as error:
        raise UsageError("--launcher ray needs Ray: pip install 'codebook-bench[ray]'") from error
    if tuple(int(part) for part in ray.__version__.split(".")[:2]) < _OLDEST:
        oldest = ".".join(map(str, _OLDEST))
        raise UsageError(f"--launcher ray needs Ray {oldest} or later, for its tokens; this is {ray.__version__}")
    return ray
