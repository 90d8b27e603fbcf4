"""A worker as a child process: started, fed with its job, read line by line; both launchers use it."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from benchmark.machine import OutOfMemoryWatch
from benchmark.worker.job import Job
from methods.core.usage import UsageError

STOP_SECONDS = 30
_LAST_LINES = 60


class End(NamedTuple):
    """How a worker ended: its exit code (negative: a signal), the last of its stderr, and whether memory ran out."""

    exit_code: int
    message: str
    out_of_memory: bool


class WorkerProcess:
    """One run in a session of its own, so that Ctrl-C reaches the runner alone, which then asks the run to save.

    Args:
        job: what to do.
        attached: end (and save) when the process that started it dies. Without it a run goes on to its record.

    Raises:
        UsageError: the system can't start another process.
    """

    def __init__(self, job: Job, *, attached: bool = False) -> None:
        self._watch = OutOfMemoryWatch()
        self._lines: list[str] = []
        root = str(Path(__file__).parents[3])
        paths = [root, *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]
        environment = {
            **os.environ,
            "OMP_NUM_THREADS": str(job.threads),
            "MKL_NUM_THREADS": str(job.threads),
            "PYTHONPATH": os.pathsep.join(dict.fromkeys(paths)),
        }
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "benchmark.worker", *(["--attached"] if attached else [])],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                errors="replace",
                env=environment,
                start_new_session=True,
            )
        except OSError as error:
            raise UsageError(f"no further process can be started: {error.strerror}; try fewer --jobs") from error
        self._reader = threading.Thread(target=self._read_errors, daemon=True)
        self._reader.start()
        assert self._process.stdin is not None
        with suppress(BrokenPipeError):  # it died at once; its exit code and errors say why
            self._process.stdin.write(job.to_json() + "\n")
            self._process.stdin.flush()
        if not attached:
            with suppress(BrokenPipeError):
                self._process.stdin.close()

    def progress(self) -> Iterator[dict[str, Any]]:
        """``step``, ``loss`` and ``usage`` as they come, until the process closes its output."""
        assert self._process.stdout is not None
        for line in self._process.stdout:
            try:
                fields = json.loads(line)
                usage = None if fields["usage"] is None else float(fields["usage"])
                yield {"step": int(fields["step"]), "loss": float(fields["loss"]), "usage": usage}
            except (ValueError, TypeError, KeyError):
                self._keep(line)

    def end(self) -> End:
        """Wait for the process; after `progress`."""
        code = self._process.wait()
        self._reader.join(1)  # a grandchild may hold the pipe open
        for pipe in (self._process.stdin, self._process.stdout, self._process.stderr):
            if pipe is not None and not (pipe is self._process.stderr and self._reader.is_alive()):
                with suppress(BrokenPipeError):
                    pipe.close()
        return End(code, "".join(self._lines), self._watch.blames(code))

    def ask_to_stop(self) -> None:
        """SIGTERM: save where it stands and end."""
        self._process.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """SIGKILL, for what does not listen."""
        self._process.kill()

    def wait(self, seconds: float) -> bool:
        """Whether it ended within ``seconds``."""
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        return True

    @property
    def pid(self) -> int:
        """Of the worker."""
        return self._process.pid

    def _read_errors(self) -> None:
        assert self._process.stderr is not None
        for line in self._process.stderr:
            self._keep(line)

    def _keep(self, line: str) -> None:
        self._lines.append(line)
        del self._lines[:-_LAST_LINES]
