"""Workers as forks of one process that has imported what they need: each then starts in a moment, not in seconds.

``python -m benchmark.worker.forks N`` serves requests on the inherited socket N until the other end is closed and its
children are gone. `benchmark.sweep.launchers.forked` is that other end. A request is eight bytes, the length of what
follows, with four descriptors (the worker's standard input and output, its channel, and where its end is told), then a
`Request`. Told are the number of the process at once and its exit code (negative: a signal) at its end, a line each.

Nothing here may start a thread or touch a GPU: neither survives a fork.
"""

import gc
import json
import os
import select
import signal
import socket
import sys
from contextlib import suppress
from dataclasses import asdict, dataclass
from importlib import import_module

from methods.core.plugins import import_ours

_LENGTH = 8
_ALWAYS = ("benchmark.worker.__main__", "torch._dynamo")
"""PyTorch imports its compiler when the first optimiser is built."""
EVALUATION = ("scipy.signal", "torchvision")
"""The slow half of what torchmetrics imports; the rest of it starts threads."""

_WORKERS_OWN = {signal.SIGINT, signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2}
"""A signal to all processes of a run or a job is for the workers; what serves them ends when nobody asks any more."""


@dataclass(frozen=True)
class Request:
    """A worker that is wanted: the arguments of ``python -m benchmark.worker`` and where it is to be.

    ``modules``: what is to be imported before, for this worker and all that follow.
    """

    arguments: list[str]
    environment: dict[str, str]
    folder: str
    modules: tuple[str, ...] = ()

    def to_bytes(self) -> bytes:
        """With its length in front."""
        body = json.dumps(asdict(self)).encode()
        return len(body).to_bytes(_LENGTH, "big") + body


class Server:
    """Forks a child a request, and tells how each ends."""

    def __init__(self, requests: socket.socket) -> None:
        self._requests = requests
        self._told: dict[int, int] = {}
        self._awake, self._wake = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.set_wakeup_fd(self._wake, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)

    def serve(self) -> list[str] | None:
        """In a child: the arguments of its worker. Here, when nobody asks any more and all have ended: None."""
        listening = True
        while listening or self._told:
            heard = [self._awake, self._requests.fileno()] if listening else [self._awake]
            for ready in select.select(heard, [], [])[0]:
                if ready == self._awake:
                    os.read(self._awake, 512)
                    self._tell_ends()
                    continue
                request, descriptors = _received(self._requests)
                listening = request is not None
                if request is not None and self._fork(request, descriptors):
                    return _become(request, descriptors)
        return None

    def _fork(self, request: Request, descriptors: list[int]) -> bool:
        """Whether this is the child."""
        for module in request.modules:
            with suppress(ImportError):  # of an extra that is not installed: who needs it says so
                import_module(module)
        gc.freeze()
        try:
            child = os.fork()
        except OSError:  # no room for a process; whoever asked sees all descriptors closed
            child = None
        if child == 0:
            gc.enable()
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            for descriptor in (self._requests.detach(), self._awake, self._wake, *self._told.values()):
                os.close(descriptor)
            return True
        if child is not None:
            self._told[child] = os.dup(descriptors[-1])
            _tell(self._told[child], child)
        for descriptor in descriptors:
            os.close(descriptor)
        return False

    def _tell_ends(self) -> None:
        with suppress(ChildProcessError):
            while (ended := os.waitpid(-1, os.WNOHANG))[0]:
                child, status = ended
                descriptor = self._told.pop(child)
                _tell(descriptor, os.waitstatus_to_exitcode(status))
                os.close(descriptor)


def _received(requests: socket.socket) -> tuple[Request | None, list[int]]:
    """The next request and its descriptors; None where nobody asks any more."""
    try:
        head, descriptors, *_ = socket.recv_fds(requests, _LENGTH, 4)
        length, body = int.from_bytes(head, "big"), b""
        while len(body) < length and (piece := requests.recv(length - len(body))):
            body += piece
        return Request(**json.loads(body)), descriptors
    except (OSError, ValueError):  # it closed its end, perhaps within a request
        return None, []


def _become(request: Request, descriptors: list[int]) -> list[str]:
    """Make this child what a process started with the same arguments, environment and folder would be."""
    given, output, channel, told = descriptors
    os.close(told)
    os.setsid()
    os.dup2(given, 0)
    os.dup2(output, 1)
    os.dup2(output, 2)
    for descriptor in (given, output):
        os.close(descriptor)
    os.environ.clear()
    os.environ.update(request.environment)
    os.chdir(request.folder)
    sys.path[0] = request.folder
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _WORKERS_OWN)
    return ["--channel", str(channel), *request.arguments]


def _tell(descriptor: int, number: int) -> None:
    with suppress(OSError):  # whoever asked is gone; the run goes on
        os.write(descriptor, f"{number}\n".encode())


def main() -> int:
    """Serve, and in a child do the worker's job."""
    signal.pthread_sigmask(signal.SIG_BLOCK, _WORKERS_OWN)
    # What is imported lives to the end. To look for garbage among it would take half a second here, and in every worker
    # a second more, most of it at its end, and a copy of all its pages.
    gc.disable()
    for module in _ALWAYS:
        import_module(module)
    import_ours()
    arguments = Server(socket.socket(fileno=int(sys.argv[1]))).serve()
    if arguments is None:
        os._exit(0)  # there is nothing to tidy up, and who waits for it waits no longer than needed
    from benchmark.worker.__main__ import main as work

    return work(arguments)


if __name__ == "__main__":
    sys.exit(main())
