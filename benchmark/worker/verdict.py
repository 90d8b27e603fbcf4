"""What went wrong with a run, from its exception or from how its process ended; and what was not its fault."""

import errno
import re
import signal
from pathlib import Path

import torch

from benchmark.records.files import UnwritableError
from methods.core.usage import in_words

_HUNG = re.compile(r"^Timeout \(\d+:\d\d:\d\d(\.\d+)?\)!$", re.MULTILINE)
"""How faulthandler begins the traceback of a process that it ends."""
_FROM_OUTSIDE = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGKILL)
_NO_MEMORY = ("can't allocate memory", "out of memory", "CUBLAS_STATUS_ALLOC_FAILED", "std::bad_alloc")


def verdict(exit_code: int, message: str, out_of_memory: bool) -> tuple[str, str] | None:
    """Status and reason of a run whose process died without a record; ``message`` is the last of its stderr.

    None where a signal came from outside (a person, a scheduler, a machine that went down): the run is as good as
    before and goes on from its checkpoint. A SIGKILL counts against the run only where `OutOfMemoryWatch` says so; an
    exit code means nothing but that there was one, since a method can give any.
    """
    if out_of_memory:
        return "out_of_memory", "the system ran out of memory and ended the process"
    if -exit_code in _FROM_OUTSIDE:
        return None
    if exit_code == 1 and _HUNG.search(message):
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
    return isinstance(error, RuntimeError) and any(text in in_words(error) for text in _NO_MEMORY)


def has_no_room(error: BaseException) -> bool:
    """Whether other processes on the GPU may be to blame: its memory ran out, or it is set to one process."""
    return is_out_of_memory(error) or (isinstance(error, RuntimeError) and "busy or unavailable" in in_words(error))


def is_unwritable(error: BaseException, folder: Path) -> bool:
    """Whether the results in ``folder`` can't be written; a full disk elsewhere is the run's own failure."""
    return isinstance(error, UnwritableError) and error.path.resolve().is_relative_to(folder.resolve())


def sound(text: str) -> str:
    """``text`` as UTF-8 can hold it: half a surrogate pair, of an undecodable file name say, in escaped form."""
    return text.encode("utf-8", "backslashreplace").decode()
