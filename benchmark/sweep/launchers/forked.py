"""The other end of `benchmark.worker.forks`: a server that forks workers, and a worker that it forked."""

import atexit
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import weakref
from contextlib import ExitStack, suppress

from benchmark.worker.forks import Request

END_SECONDS = 5.0


class ForkedProcess:
    """What `subprocess.Popen` gives of a process, for one that a server forked.

    Args:
        told: descriptor of a pipe on which the server tells the number of the process, then its exit code.

    Raises:
        EOFError: the server is gone.
    """

    def __init__(self, told: int) -> None:
        self._told = told
        weakref.finalize(self, os.close, told)  # not before: another thread may wait for it
        self._lock = threading.Lock()
        self._text = b""
        self._code: int | None = None
        self.pid = self._number()

    def poll(self) -> int | None:
        """The exit code (negative: a signal), None while it runs."""
        with suppress(subprocess.TimeoutExpired):
            return self.wait(0.0)
        return None

    def wait(self, timeout: float | None = None) -> int:
        """The exit code, within ``timeout`` seconds.

        Raises:
            subprocess.TimeoutExpired: it still runs.
        """
        if self._code is None and not select.select([self._told], [], [], timeout)[0]:
            raise subprocess.TimeoutExpired("a forked worker", timeout or 0.0)
        with self._lock:
            if self._code is None:
                self._code = self._ended()
        return self._code

    def send_signal(self, number: int) -> None:
        """Unless it is gone."""
        if self.poll() is None:
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def kill(self) -> None:
        """SIGKILL, unless it is gone."""
        self.send_signal(signal.SIGKILL)

    def _ended(self) -> int:
        try:
            return self._number()
        except EOFError:  # its server was killed, and nobody will tell how it ends
            with suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)
            return -signal.SIGKILL

    def _number(self) -> int:
        """The next that the server tells."""
        while b"\n" not in self._text:
            said = os.read(self._told, 64)
            if not said:
                raise EOFError
            self._text += said
        line, _, self._text = self._text.partition(b"\n")
        return int(line)


class ForkServer:
    """A process that forks workers; it ends with this one, but for what its children still have to do."""

    def __init__(self, environment: dict[str, str]) -> None:
        self._lock = threading.Lock()
        with ExitStack() as opened:
            requests, theirs = (opened.enter_context(end) for end in socket.socketpair())
            self._process = subprocess.Popen(
                [sys.executable, "-m", "benchmark.worker.forks", str(theirs.fileno())],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env=environment,
                pass_fds=[theirs.fileno()],
                start_new_session=True,
            )
            theirs.close()
            opened.pop_all()
        self._requests = requests

    def fork(self, request: Request, given: int, output: int, channel: int) -> ForkedProcess:
        """A worker with these descriptors as standard input, standard output and channel.

        Raises:
            EOFError: the server is gone.
            OSError: it is gone, or the system has no further descriptors.
        """
        told, tell = os.pipe()
        try:
            message = memoryview(request.to_bytes())
            with self._lock:
                sent = socket.send_fds(self._requests, [message], [given, output, channel, tell])
                self._requests.sendall(message[sent:])
        except OSError:
            os.close(told)
            raise
        finally:
            os.close(tell)
        return ForkedProcess(told)

    def close(self) -> None:
        """Let it end."""
        self._requests.close()
        with suppress(subprocess.TimeoutExpired):  # a child of its still works
            self._process.wait(END_SECONDS)


_lock = threading.Lock()
_servers: dict[tuple[str | None, ...], ForkServer] = {}


def key_of(environment: dict[str, str]) -> tuple[str | None, ...]:
    """What imports read of an environment; all else a fork takes over."""
    return environment.get("PYTHONPATH"), environment.get("OMP_NUM_THREADS")


def forked(request: Request, given: int, output: int, channel: int) -> ForkedProcess | None:
    """See `ForkServer.fork`, of the server of this process for such environments; None where that is gone.

    The next one is then another's.
    """
    key = key_of(request.environment)
    with _lock:
        if key not in _servers:
            _servers[key] = ForkServer(request.environment)
            atexit.register(_servers[key].close)
        server = _servers[key]
    try:
        return server.fork(request, given, output, channel)
    except (EOFError, OSError):
        with _lock:
            if _servers.get(key) is server:
                del _servers[key]
        atexit.unregister(server.close)
        server.close()
        return None
