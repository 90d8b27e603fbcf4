"""Was a process killed for the memory it used? By what the kernel counts and what the process held."""

import signal
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from benchmark.machine import main_memory, number_in, peak_rss

_RECENT_SECONDS = 5.0
"""The kernel counts a kill, then frees the memory, then the process is gone."""
_BLAMED_SHARE = 0.5
_CGROUPS = Path("/sys/fs/cgroup")


class OutOfMemoryWatch:
    """Tells a process that used up the memory from one that was killed by a person, or for what another one used.

    A SIGKILL counts as out of memory only where all of this holds:

    - the kernel counted a kill for want of memory among the processes of its own control group (of the machine, where
      there are no such groups) within the five seconds before it was gone;
    - when last seen, the process had held at least half of an even share of the memory of that group or machine. One
      that held less was killed for what others used, and would run as well as before.

    Args:
        pid: of the process, which is in the control group of this one.
        share: of the memory that an even division gives it, from 0 to 1: its threads by the cores there are.
    """

    def __init__(self, pid: int, share: float) -> None:
        self._pid = pid
        self._blamed = _BLAMED_SHARE * min(share, 1.0) * memory_limit()
        self._count = oom_kills()
        self._rose_at: float | None = None
        self._held = 0

    def look(self) -> None:
        """To be called several times a second while the process runs."""
        self._held = max(self._held, peak_rss(self._pid) or 0)
        count = oom_kills()
        if count != self._count:
            self._count, self._rose_at = count, time.monotonic()

    def blames(self, exit_code: int) -> bool:
        """Whether the process, gone just now with ``exit_code``, was killed for the memory it used."""
        self.look()
        recent = self._rose_at is not None and time.monotonic() - self._rose_at <= _RECENT_SECONDS
        return exit_code == -signal.SIGKILL and recent and self._held >= self._blamed


def memory_limit() -> float:
    """Bytes that the processes of this control group may hold together: its limit, or the memory of the machine."""
    limits = [float(main_memory())]
    for folder in _own_groups():
        for name in ("memory.max", "memory.limit_in_bytes"):
            with suppress(OSError, ValueError):
                limits.append(float((folder / name).read_text()))  # `max` of a group without a limit is no number
    return min(limits)


def memory_free() -> float:
    """Bytes that further processes of this control group may hold: of its limit and of the machine what is not in use.

    What caches of files hold counts as free.
    """
    free = [memory_limit()]
    with suppress(OSError, ValueError, StopIteration):
        free.append(1024.0 * number_in(Path("/proc/meminfo"), "MemAvailable:"))
    for folder in _own_groups():
        for limit, used, cached in (
            ("memory.max", "memory.current", "inactive_file"),
            ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
        ):
            with suppress(OSError, ValueError, StopIteration):
                in_use = float((folder / used).read_text()) - number_in(folder / "memory.stat", cached)
                free.append(float((folder / limit).read_text()) - in_use)
    return max(0.0, min(free))


def oom_kills() -> int | None:
    """Processes that the kernel has ended for want of memory, of this control group, else of the machine.

    None where it doesn't say.
    """
    for folder in _own_groups():
        for name in ("memory.events", "memory.oom_control"):
            with suppress(OSError, ValueError, StopIteration):
                return number_in(folder / name, "oom_kill")
    with suppress(OSError, ValueError, StopIteration):
        return number_in(Path("/proc/vmstat"), "oom_kill")
    return None


def _own_groups() -> Iterator[Path]:
    """Folders of the control group that counts this process's memory, in both versions of the interface.

    In a container the path is often that of the host, and the group is mounted at the root.
    """
    with suppress(OSError):
        for line in Path("/proc/self/cgroup").read_text().splitlines():
            _, controllers, path = line.split(":", 2)
            if controllers == "":
                roots = [_CGROUPS, _CGROUPS / "unified"]
            elif "memory" in controllers.split(","):
                roots = [_CGROUPS / "memory"]
            else:
                continue
            for root in roots:
                yield root / path.lstrip("/")
                yield root
