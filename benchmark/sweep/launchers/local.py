"""Runs as processes of this machine, a few at a time."""

import queue
import threading
import time
from collections.abc import Iterable, Iterator

from benchmark.sweep.launchers.base import Event
from benchmark.sweep.launchers.process import STOP_SECONDS, WorkerProcess
from benchmark.worker.job import Job


class LocalLauncher:
    """One process a run, ``slots`` at a time, each with the threads its job names."""

    def __init__(self, slots: int) -> None:
        self._slots = slots
        self._running: set[WorkerProcess] = set()
        self._lock = threading.Lock()

    def launch(self, jobs: Iterable[Job]) -> Iterator[Event]:
        """Start jobs as places fall free and yield events as they come."""
        events: queue.Queue[Event | BaseException] = queue.Queue()
        waiting = iter(jobs)
        active = 0
        exhausted = False
        while True:
            while active < self._slots and not exhausted:
                job = next(waiting, None)
                if job is None:
                    exhausted = True
                    break
                self._start(job, events)
                active += 1
                yield Event("started", job)
            if active == 0:
                return
            event = events.get()
            if isinstance(event, BaseException):
                raise event
            active -= event.kind == "ended"
            yield event

    def stop(self) -> None:
        """Ask every running job to save where it stands and end; returns when they have."""
        with self._lock:
            processes = list(self._running)
        for process in processes:
            process.ask_to_stop()
        deadline = time.monotonic() + STOP_SECONDS
        for process in processes:
            if not process.wait(max(0.1, deadline - time.monotonic())):
                process.kill()
                process.wait(STOP_SECONDS)

    def _start(self, job: Job, events: "queue.Queue[Event | BaseException]") -> None:
        process = WorkerProcess(job)
        with self._lock:
            self._running.add(process)
        threading.Thread(target=self._follow, args=(process, job, events), daemon=True).start()

    def _follow(self, process: WorkerProcess, job: Job, events: "queue.Queue[Event | BaseException]") -> None:
        """Turn the output of one worker into events, the last of which comes whatever happens."""
        try:
            for fields in process.progress():
                events.put(Event("progress", job, **fields))
            events.put(Event("ended", job, **process.end()._asdict()))
        except BaseException as error:
            events.put(error)
        finally:
            with self._lock:
                self._running.remove(process)
