"""Runs as processes of this machine, a few at a time."""

import json
import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Iterable, Iterator

from benchmark.launchers.base import Event
from benchmark.worker_job import Job

_STOP_SECONDS = 30


class LocalLauncher:
    """One process a run, ``slots`` at a time, each with the threads its job names."""

    def __init__(self, slots: int) -> None:
        self._slots = slots
        self._running: dict[str, subprocess.Popen[str]] = {}
        self._lock = threading.Lock()

    def launch(self, jobs: Iterable[Job]) -> Iterator[Event]:
        """Start jobs as places fall free and yield events as they come."""
        events: queue.Queue[Event] = queue.Queue()
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
            active -= event.kind == "ended"
            yield event

    def stop(self) -> None:
        """Ask every running job to save where it stands and end; returns when they have."""
        with self._lock:
            processes = list(self._running.values())
        for process in processes:
            process.send_signal(signal.SIGTERM)
        for process in processes:
            try:
                process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def _start(self, job: Job, events: "queue.Queue[Event]") -> None:
        threads = str(job.threads)
        environment = {**os.environ, "OMP_NUM_THREADS": threads, "MKL_NUM_THREADS": threads}
        process = subprocess.Popen(
            [sys.executable, "-m", "benchmark.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment,
            start_new_session=True,  # Ctrl-C reaches the runner alone, which then asks the runs to save
        )
        with self._lock:
            self._running[job.run.key] = process
        threading.Thread(target=self._follow, args=(process, job, events), daemon=True).start()

    def _follow(self, process: "subprocess.Popen[str]", job: Job, events: "queue.Queue[Event]") -> None:
        """Turn the output of one worker into events."""
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        errors: list[str] = []
        reader = threading.Thread(target=errors.extend, args=(process.stderr,), daemon=True)
        with process:
            reader.start()
            try:
                process.stdin.write(job.to_json())
                process.stdin.close()
            except BrokenPipeError:
                pass  # it died at once; its exit code and errors say why
            for line in process.stdout:
                try:
                    fields = json.loads(line)
                    events.put(Event("progress", job, fields["step"], fields["loss"], fields["usage"]))
                except (ValueError, TypeError, KeyError):
                    errors.append(line)
            reader.join()
        with self._lock:
            del self._running[job.run.key]
        events.put(Event("ended", job, exit_code=process.returncode, message="".join(errors[-40:])))
