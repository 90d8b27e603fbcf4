"""One run on several processes of this machine: a worker starts and watches them; as a command, one of them."""

import faulthandler
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist

from benchmark.machine import OutOfMemoryWatch
from benchmark.records.files import UnwritableError
from benchmark.worker.execution import execute
from benchmark.worker.job import EXIT_STOPPED, EXIT_UNWRITABLE, Job
from benchmark.worker.verdict import verdict

_GRACE_SECONDS = 10.0
"""How long the others have to end by themselves, and to say why, after one of them has."""
_COLLECTIVE_TIMEOUT = timedelta(minutes=60)
"""Beyond what a data set takes to prepare on the slowest process; a dead process is noticed at once."""


def execute_on_ranks(job: Job, folder: Path) -> dict[str, Any]:
    """`execute` on ``job.run.devices`` processes, each on a device of its own and with its share of every batch.

    Whichever of them fails first says what became of the run, and the others are ended.
    """
    watch = OutOfMemoryWatch()
    with tempfile.TemporaryDirectory(prefix="ranks-") as name:
        place = Path(name)
        processes = [_start(job, folder, rank, place) for rank in range(job.run.devices)]
        try:
            with _passed_on(processes[0]):
                failed = _wait(processes)
        finally:
            for process in processes:
                process.kill()
                process.wait()
                with suppress(BrokenPipeError):
                    assert process.stdin is not None
                    process.stdin.close()
        first = min(failed, key=lambda rank: _told_at(place, rank), default=0)
        code = processes[first].returncode
        return _outcome(job, first, code, watch.blames(code), place)


def _start(job: Job, folder: Path, rank: int, place: Path) -> "subprocess.Popen[str]":
    with open(place / f"errors-{rank}", "w") as errors:
        process = subprocess.Popen(
            [sys.executable, "-m", "benchmark.worker.ranks", str(rank), str(folder), str(place)],
            stdin=subprocess.PIPE,
            stdout=None if rank == 0 else errors,
            stderr=errors,
            text=True,
            start_new_session=True,
        )
    assert process.stdin is not None
    with suppress(BrokenPipeError):
        process.stdin.write(job.to_json() + "\n")
        process.stdin.flush()  # and kept open: it closes when this process dies, and the rank with it
    return process


def _wait(processes: list["subprocess.Popen[str]"]) -> list[int]:
    """Wait for all, or until one fails and the others had their grace: the ranks that failed by themselves."""
    deadline: float | None = None
    while True:
        codes = [process.poll() for process in processes]
        failed = [rank for rank, code in enumerate(codes) if code not in (None, 0)]
        if None not in codes:
            return failed
        if failed and deadline is None:
            deadline = time.monotonic() + _GRACE_SECONDS
        if deadline is not None and time.monotonic() > deadline:
            return failed
        time.sleep(0.05)


def _told_at(place: Path, rank: int) -> float:
    """When a rank said what became of it: the first began it, before all one that could not say anything."""
    try:
        return (place / f"outcome-{rank}").stat().st_mtime
    except OSError:
        return 0.0


def _outcome(job: Job, first: int, code: int, out_of_memory: bool, place: Path) -> dict[str, Any]:
    errors = (place / f"errors-{first}").read_text(errors="replace")
    with suppress(BrokenPipeError):
        sys.stderr.write(errors)
        sys.stderr.flush()
    if code == EXIT_STOPPED:
        raise KeyboardInterrupt
    if code == EXIT_UNWRITABLE:
        raise UnwritableError(errors.strip().splitlines()[-1])
    where = f" (process {first} of {job.run.devices})" if first else ""
    with suppress(OSError, ValueError):
        told: dict[str, Any] = json.loads((place / f"outcome-{first}").read_text())
        if told["status"] in ("failed", "out_of_memory"):
            told["reason"] += where
        return told
    found = verdict(code, errors, out_of_memory)
    if found is None:
        raise KeyboardInterrupt
    return {"status": found[0], "reason": found[1] + where, "traceback": errors}


@contextmanager
def _passed_on(process: "subprocess.Popen[str]") -> Iterator[None]:
    """Within it SIGTERM goes to the first process, which stops all between two steps."""
    previous = signal.signal(signal.SIGTERM, lambda *_: process.send_signal(signal.SIGTERM))
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, previous)


def main(rank: int, folder: Path, place: Path) -> int:
    """One of the processes: join the others, do the run, leave what became of it in ``place``."""
    faulthandler.enable()
    job = Job.from_json(sys.stdin.readline())
    threading.Thread(target=_die_with_stdin, daemon=True).start()
    device = torch.device("cuda", rank) if torch.device(job.device).type == "cuda" else torch.device("cpu")
    if device.type == "cuda":
        torch.cuda.set_device(device)
    share = replace(job, threads=max(1, job.threads // job.run.devices))
    dist.init_process_group(
        "cpu:gloo,cuda:nccl" if device.type == "cuda" else "gloo",
        init_method=f"file://{place}/rendezvous",
        rank=rank,
        world_size=job.run.devices,
        timeout=_COLLECTIVE_TIMEOUT,
    )
    try:
        outcome = execute(share, folder, device)
    except UnwritableError as error:
        print(error, file=sys.stderr)
        return EXIT_UNWRITABLE
    (place / f"outcome-{rank}").write_text(json.dumps(outcome))
    return 0 if outcome["status"] == "ok" else 1


def _interrupt(_signal: int, _frame: object) -> None:
    raise KeyboardInterrupt


def _die_with_stdin() -> None:
    """A rank without the worker that started it has no one to write for."""
    sys.stdin.read()
    os._exit(EXIT_STOPPED)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, _interrupt if sys.argv[1] == "0" else signal.SIG_IGN)
    try:
        code = main(int(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]))
    except KeyboardInterrupt:
        code = EXIT_STOPPED
    # Not through the interpreter's end, where a collective that another process left might be waited for.
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
