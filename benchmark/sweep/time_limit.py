"""How long a command may take: what a person types, and the alarm that stops a sweep in time to save."""

import re
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from methods.core.usage import UsageError

RESERVE_SECONDS = 60.0
"""Half for the running ones to save, which may take them `STOP_SECONDS`, half for tables and plots."""
RESERVE_SHARE = 0.2
"""Of a limit at most."""
_LONGEST = 10 * 365 * 86_400.0
_PARTS = re.compile(r"(?:(\d+(?:\.\d+)?)h)?(?:(\d+(?:\.\d+)?)m)?(?:(\d+(?:\.\d+)?)s?)?", re.ASCII)


class OutOfTime(KeyboardInterrupt):
    """The time limit of the command is near: its runs save where they stand, as at Ctrl-C."""


def seconds_of(text: str, option: str = "--time-limit") -> float:
    """``540``, ``540s``, ``9m``, ``2h`` and ``1h30m`` in seconds.

    Raises:
        UsageError: it is no such time.
    """
    parts = _PARTS.fullmatch(text.strip())
    hours, minutes, seconds = (float(part or 0) for part in parts.groups()) if parts else (0.0, 0.0, 0.0)
    total = 3_600 * hours + 60 * minutes + seconds
    if not 0 < total <= _LONGEST:
        raise UsageError(f"{option} takes a time such as 540, 540s, 9m, 2h or 1h30m, not {text[:40]!r}")
    return total


def stop_at(began: float, limit: float) -> float:
    """When, by the monotonic clock, the runs of a command that ``began`` must begin to save."""
    return began + limit - min(RESERVE_SECONDS, RESERVE_SHARE * limit)


@contextmanager
def alarm(at: float | None) -> Iterator[None]:
    """Within it `OutOfTime` is raised ``at`` that moment of the monotonic clock, at once where it is past."""
    if at is None or threading.current_thread() is not threading.main_thread():
        yield
        return

    def ring(_signal: int, _frame: object) -> None:
        raise OutOfTime

    previous = signal.signal(signal.SIGALRM, ring)
    try:
        signal.setitimer(signal.ITIMER_REAL, max(1e-6, at - time.monotonic()))
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, previous)
