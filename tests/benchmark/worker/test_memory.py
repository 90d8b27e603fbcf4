"""A kill counts as out of memory only for a process of which kernel and memory both say so."""

import os
import signal

import pytest

from benchmark.worker import memory
from benchmark.worker.memory import OutOfMemoryWatch, memory_limit, oom_kills


@pytest.mark.parametrize(
    ("counted", "seconds_before", "held", "blamed"),
    [
        (True, 0.1, 0.9, True),
        (True, 0.1, 0.3, True),  # an even share of two is half, and half of that a quarter
        (True, 0.1, 0.2, False),  # killed for what others used
        (False, 0.1, 0.9, False),  # a person's kill
        (True, 60.0, 0.9, False),  # another process's, a minute ago
    ],
)
def test_only_a_kill_that_the_kernel_counted_of_a_process_that_held_its_share_is_for_memory(
    counted: bool, seconds_before: float, held: float, blamed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    now, kills = [0.0], [5]
    monkeypatch.setattr(memory, "oom_kills", lambda: kills[0])
    monkeypatch.setattr(memory, "memory_limit", lambda: 1000.0)
    monkeypatch.setattr(memory, "peak_rss", lambda _: int(1000 * held))
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    watch = OutOfMemoryWatch(1, share=0.5)
    kills[0] += counted
    watch.look()
    now[0] += seconds_before
    assert watch.blames(-signal.SIGKILL) == blamed
    assert not watch.blames(1)


def test_what_the_kernel_says_of_this_process() -> None:
    assert 2**28 < memory_limit() <= os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    assert oom_kills() is None or oom_kills() == oom_kills()
    watch = OutOfMemoryWatch(os.getpid(), share=1.0)
    watch.look()
    assert 2**20 < watch._held < memory_limit()
