"""A worker as a child process: started, fed with its job, listened to; both launchers use it."""

import os
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any, NamedTuple

from benchmark.machine import available_cores
from benchmark.sweep.launchers.forked import ForkedProcess, forked
from benchmark.worker.channel import Ending, Listener
from benchmark.worker.forks import EVALUATION, Request
from benchmark.worker.job import Job
from benchmark.worker.memory import OutOfMemoryWatch
from methods.core.usage import UsageError

STOP_SECONDS = 30
_LOOK_SECONDS = 0.1
_GRACE_SECONDS = 1.0
"""How long what a worker left in its pipes is read after its end; a child of its may hold them open for ever."""
_LAST_BYTES = 20_000
_CHUNK = 65_536


class End(NamedTuple):
    """How a worker ended: its exit code (negative: a signal), the last of its output, whether its memory ran out.

    ``ending``: why it ended, where it said so; ``message`` is then what it said.
    """

    exit_code: int
    message: str
    out_of_memory: bool
    ending: Ending | None = None


class WorkerProcess:
    """One run in a session of its own, so that Ctrl-C reaches the runner alone, which then asks the run to save.

    Args:
        job: what to do.
        attached: end (and save) when the process that started it dies. Without it a run goes on to its record.

    Raises:
        UsageError: the system can't start another process.
    """

    def __init__(self, job: Job, *, attached: bool = False) -> None:
        self._listener = Listener()
        self._output = b""
        try:
            with ExitStack() as ours, ExitStack() as feeding:
                with ExitStack() as theirs:
                    given, told = _pipe(theirs, feeding)
                    self._printed, printing = _pipe(ours, theirs)
                    self._channel, telling = _pipe(ours, theirs)
                    self._process = _started(job, ["--attached"] if attached else [], given, printing, telling)
                with suppress(BrokenPipeError), open(told, "wb", closefd=False) as file:  # or it died at once
                    file.write(job.to_json().encode() + b"\n")
                if attached:
                    ours.push(feeding.pop_all())
                self._open = ours.pop_all()
        except OSError as error:
            raise UsageError(f"no further process can be started: {error.strerror}; try fewer --jobs") from error
        share = min(job.threads / available_cores(), 1 / job.beside)
        self._watch = OutOfMemoryWatch(self._process.pid, share)

    def progress(self) -> Iterator[dict[str, Any]]:
        """``step``, ``loss`` and ``usage`` as they come, until the process is gone."""
        gone_at: float | None = None
        with selectors.DefaultSelector() as selector:
            selector.register(self._channel, selectors.EVENT_READ)
            selector.register(self._printed, selectors.EVENT_READ)
            while gone_at is None or (selector.get_map() and time.monotonic() < gone_at + _GRACE_SECONDS):
                for key, _ in selector.select(_LOOK_SECONDS):
                    data = os.read(key.fd, _CHUNK)
                    if not data:
                        selector.unregister(key.fd)
                    elif key.fd == self._printed:
                        self._output = (self._output + data)[-_LAST_BYTES:]
                    else:
                        yield from self._listener.hear(data)
                if gone_at is not None:
                    continue
                self._watch.look()
                if self._process.poll() is not None:
                    gone_at = time.monotonic()
                    with suppress(ProcessLookupError, PermissionError):  # what it started and left behind
                        os.killpg(self._process.pid, signal.SIGKILL)

    def end(self) -> End:
        """How it ended; after `progress`."""
        code = self._process.wait()
        out_of_memory = self._watch.blames(code)
        self._open.close()
        said = self._listener
        message = said.message if said.ending is not None else self._output.decode(errors="replace")
        return End(code, message, out_of_memory, said.ending)

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


def _pipe(reader: ExitStack, writer: ExitStack) -> tuple[int, int]:
    """A pipe, each end of which is closed with its stack."""
    read, write = os.pipe()
    reader.callback(os.close, read)
    writer.callback(os.close, write)
    return read, write


def _started(
    job: Job, arguments: list[str], given: int, output: int, channel: int
) -> "subprocess.Popen[bytes] | ForkedProcess":
    """A fork of a server on a CPU; a GPU is not used from forks, and a process of its own is what every system has."""
    environment = environment_of(job.threads)
    if sys.platform == "linux" and job.device == "cpu":
        # What a prior draws is compared by features, where it has some.
        config = job.run.config
        modules = EVALUATION if config.get("evaluation") or config.get("features") else ()
        process = forked(Request(arguments, environment, os.getcwd(), modules), given, output, channel)
        if process is not None:
            return process
    return subprocess.Popen(
        [sys.executable, "-m", "benchmark.worker", "--channel", str(channel), *arguments],
        stdin=given,
        stdout=output,
        stderr=subprocess.STDOUT,
        env=environment,
        pass_fds=[channel],
        start_new_session=True,
    )


def environment_of(threads: int) -> dict[str, str]:
    """Of a worker with so many threads: that of this process, and where our modules are."""
    root = str(Path(__file__).parents[3])
    paths = [root, *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]
    return {
        **os.environ,
        "OMP_NUM_THREADS": str(threads),
        "MKL_NUM_THREADS": str(threads),
        # Large tensors in large pages, where the system gives them: a codebook of 64 MB then costs 32 page faults.
        "THP_MEM_ALLOC_ENABLE": os.environ.get("THP_MEM_ALLOC_ENABLE", "1"),
        "PYTHONPATH": os.pathsep.join(dict.fromkeys(paths)),
    }
