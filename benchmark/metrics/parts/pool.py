"""Many clips at once in processes of their own: where compiled code ends its process, that costs one value."""

import sys
from collections import Counter, deque
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from typing import Any

import torch

from benchmark.machine import clean_processes
from methods.core.plugins import load_again, loaded_plugins

MOST_DEATHS = 5
"""Of one measure. One that ends more processes is asked no more, and has no value for any clip."""
Answer = dict[str, Any]
"""By measure; without those that ended their process."""


Task = Callable[..., Answer]
"""What the measures ``names`` say of a clip: ``task(clip, names=names)``."""


def in_processes(task: Task, clips: Sequence[Any], names: Sequence[str], processes: int) -> list[Answer]:
    """``task`` of every clip, in so many processes at once; the order is kept."""
    found: dict[int, Answer] = {}
    deaths: Counter[str] = Counter()
    waiting = deque(range(len(clips)))
    while waiting:
        asked = [name for name in names if deaths[name] < MOST_DEATHS]
        answers = _until_a_death(partial(task, names=asked), clips, processes, waiting)
        for index, answer in answers.items():
            found[index] = answer or {}
            for name in asked if answer is None else []:
                found[index] |= _alone(partial(task, names=[name]), clips[index], name, deaths)
    lost = {name for name in names if deaths[name] >= MOST_DEATHS}
    for name, count in deaths.items():
        what = "it has no value for any clip" if name in lost else "they have no value of it"
        print(f"speech measure `{name}` ended its process on {count} clips; {what}", file=sys.stderr)
    return [{name: said for name, said in found[index].items() if name not in lost} for index in range(len(clips))]


def _until_a_death(
    task: Callable[[Any], Answer], clips: Sequence[Any], processes: int, waiting: deque[int]
) -> dict[int, Answer | None]:
    """Take clips out of those ``waiting`` until a process dies: their answers, None where it died of one of these."""
    answers: dict[int, Answer | None] = {}
    running: dict[Future[Answer], int] = {}
    with _pool(processes) as pool:
        try:
            while waiting or running:
                while waiting and len(running) < 2 * processes:
                    running[pool.submit(task, clips[waiting[0]])] = waiting[0]
                    waiting.popleft()
                for future in wait(running, return_when=FIRST_COMPLETED).done:
                    answers[running[future]] = future.result()
                    del running[future]
        except BrokenProcessPool:
            answers |= dict.fromkeys(running.values())
    return answers


def _alone(task: Callable[[Any], Answer], clip: Any, name: str, deaths: "Counter[str]") -> Answer:
    """What one measure says of one clip; nothing where its process dies."""
    if deaths[name] >= MOST_DEATHS:
        return {}
    with _pool(1) as pool:
        try:
            return pool.submit(task, clip).result()
        except BrokenProcessPool:
            deaths[name] += 1
            return {}


def _pool(processes: int) -> ProcessPoolExecutor:
    context = clean_processes("benchmark.metrics.audio")
    return ProcessPoolExecutor(processes, context, initializer=_prepare, initargs=(loaded_plugins(),))


def _prepare(plugins: dict[str, bytes]) -> None:
    """A process of its own takes one thread, and knows the measures that this one knows."""
    torch.set_num_threads(1)
    load_again(plugins)
