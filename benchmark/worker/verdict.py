"""What went wrong with a run, from its exception or from how its process ended; and what was not its fault."""

import errno
import signal

import torch

from benchmark.records.files import UnwritableError
from benchmark.worker.job import EXIT_STOPPED

_HUNG = "Timeout ("
"""How faulthandler begins the traceback of a process that it ends."""
_FROM_OUTSIDE = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGKILL)
_NO_MEMORY = ("can't allocate memory", "out of memory", "CUBLAS_STATUS_ALLOC_FAILED", "std::bad_alloc")
_UNWRITABLE = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)


def verdict(exit_code: int, message: str, out_of_memory: bool) -> tuple[str, str] | None:
    """Status and reason of a run whose process died without a record; ``message`` is the last of its stderr.

    None where the end was someone else's doing (a person, a scheduler, a machine that went down): the run is as
    good as before and goes on from its checkpoint. A SIGKILL counts against the run only where the kernel says
    that memory ran out.
    """
    if out_of_memory:
        return "out_of_memory", "the system ran out of memory and ended the process"
    if exit_code == EXIT_STOPPED or -exit_code in _FROM_OUTSIDE:
        return None
    if exit_code == 1 and _HUNG in message:
        return "timeout", "the process hung beyond its time limit and was ended"
    if exit_code < 0:
        return "failed", f"the process was ended by {signal_name(exit_code)}"
    return "failed", f"the process ended with exit code {exit_code} and left no record"


def signal_name(exit_code: int) -> str:
    """``SIGSEGV`` for exit code -11."""
    try:
        return signal.Signals(-exit_code).name
    except ValueError:
        return f"signal {-exit_code}"


def is_out_of_memory(error: BaseException) -> bool:
    """Whether the memory of host or GPU ran out: PyTorch says so in several ways."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    if isinstance(error, OSError):
        return error.errno == errno.ENOMEM
    return isinstance(error, RuntimeError) and any(text in str(error) for text in _NO_MEMORY)


def is_unwritable(error: BaseException) -> bool:
    """Whether the disk is full or read-only."""
    return isinstance(error, UnwritableError) or (isinstance(error, OSError) and error.errno in _UNWRITABLE)
