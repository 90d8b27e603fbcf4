"""One run on several processes of this machine: a worker starts and watches them; as a command, one of them."""

import faulthandler
import gc
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

from benchmark.machine import available_cores
from benchmark.records.files import UnwritableError
from benchmark.training.loop import Stopped
from benchmark.worker.changed import ChangedError
from benchmark.worker.channel import Ending, channel, open_channel
from benchmark.worker.execution import execute
from benchmark.worker.job import Job
from benchmark.worker.memory import OutOfMemoryWatch
from benchmark.worker.verdict import verdict

_GRACE_SECONDS = 10.0
"""How long the others have to end by themselves, and to say why, after one of them has."""
_LAST_BYTES = 20_000
"""What is kept of what a process printed."""
_COLLECTIVE_TIMEOUT = timedelta(minutes=60)
"""Beyond what a data set takes to prepare on the slowest process; a dead process is noticed at once."""


def execute_on_ranks(job: Job, folder: Path) -> dict[str, Any]:
    """`execute` on ``job.run.devices`` processes, each on a device of its own and with its share of every batch.

    Whichever of them fails first says what became of the run, and the others are ended.
    """
    with tempfile.TemporaryDirectory(prefix="ranks-") as name:
        place = Path(name)
        processes = [_start(job, folder, rank, place) for rank in range(job.run.devices)]
        share = job.threads / job.run.devices / available_cores()
        watches = [OutOfMemoryWatch(process.pid, share) for process in processes]
        try:
            with _passed_on(processes[0]):
                failed = _wait(processes, watches)
        finally:
            for process in processes:
                process.kill()
                process.wait()
                with suppress(BrokenPipeError):
                    assert process.stdin is not None
                    process.stdin.close()
        first = min(failed, key=lambda rank: _told_at(place, rank), default=0)
        code = processes[first].returncode
        return _outcome(job, folder, first, code, watches[first].blames(code), place)


def _start(job: Job, folder: Path, rank: int, place: Path) -> "subprocess.Popen[str]":
    """The first also inherits this worker's channel, and tells how far the run is."""
    heard = [descriptor] if rank == 0 and (descriptor := channel()) is not None else []
    with open(place / f"errors-{rank}", "w") as errors:
        process = subprocess.Popen(
            [sys.executable, "-m", "benchmark.worker.ranks", str(rank), str(folder), str(place), *map(str, heard)],
            stdin=subprocess.PIPE,
            stdout=errors,
            pass_fds=heard,
            stderr=errors,
            text=True,
            start_new_session=True,
        )
    assert process.stdin is not None
    with suppress(BrokenPipeError):
        process.stdin.write(job.to_json() + "\n")
        process.stdin.flush()  # and kept open: it closes when this process dies, and the rank with it
    return process


def _wait(processes: list["subprocess.Popen[str]"], watches: list[OutOfMemoryWatch]) -> list[int]:
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
        for watch in watches:
            watch.look()
        time.sleep(0.05)


def _told_at(place: Path, rank: int) -> float:
    """When a rank said what became of it: the first began it, before all one that could not say anything."""
    try:
        return (place / f"outcome-{rank}").stat().st_mtime
    except OSError:
        return 0.0


def _outcome(job: Job, folder: Path, first: int, code: int, out_of_memory: bool, place: Path) -> dict[str, Any]:
    errors = _last_of(place / f"errors-{first}")
    with suppress(OSError):
        sys.stderr.write(errors)
        sys.stderr.flush()
    told: dict[str, Any] = {}
    with suppress(OSError, ValueError):
        told = json.loads((place / f"outcome-{first}").read_text())
    if told.get("ending") == Ending.STOPPED:
        raise Stopped
    if told.get("ending") == Ending.UNWRITABLE:
        raise UnwritableError(told["message"], folder)
    if told.get("ending") == Ending.CHANGED:
        raise ChangedError(told["message"])
    where = f" (process {first} of {job.run.devices})" if first else ""
    if told:
        if told["status"] in ("failed", "out_of_memory"):
            told["reason"] += where
        return told
    found = verdict(code, errors, out_of_memory)
    if found is None:
        raise Stopped
    return {"status": found[0], "reason": found[1] + where, "traceback": errors}


def _last_of(file: Path) -> str:
    with file.open("rb") as stream:
        stream.seek(max(0, file.stat().st_size - _LAST_BYTES))
        return stream.read(_LAST_BYTES).decode(errors="replace")


@contextmanager
def _passed_on(process: "subprocess.Popen[str]") -> Iterator[None]:
    """Within it SIGTERM goes to the first process, which stops all between two steps."""
    previous = signal.signal(signal.SIGTERM, lambda *_: process.send_signal(signal.SIGTERM))
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, previous)


def main(rank: int, folder: Path, place: Path) -> int:
    """One of the processes: join the others, do the run, leave what became of it, or why it ends, in ``place``."""
    faulthandler.enable()
    job = Job.from_json(sys.stdin.readline())
    threading.Thread(target=_die_with_stdin, daemon=True).start()
    outcome: dict[str, Any]
    try:
        outcome = _share(job, rank, folder, place)
    except Stopped:
        outcome = {"ending": Ending.STOPPED}
    except UnwritableError as error:
        outcome = {"ending": Ending.UNWRITABLE, "message": str(error)}
    except ChangedError as error:
        outcome = {"ending": Ending.CHANGED, "message": str(error)}
    (place / f"outcome-{rank}").write_text(json.dumps(outcome))
    return 0 if outcome.get("status") == "ok" else 1


def _share(job: Job, rank: int, folder: Path, place: Path) -> dict[str, Any]:
    device = torch.device("cuda", rank) if torch.device(job.device).type == "cuda" else torch.device("cpu")
    if device.type == "cuda":
        torch.cuda.set_device(device)
    dist.init_process_group(
        "cpu:gloo,cuda:nccl" if device.type == "cuda" else "gloo",
        init_method=f"file://{place}/rendezvous",
        rank=rank,
        world_size=job.run.devices,
        timeout=_COLLECTIVE_TIMEOUT,
    )
    return execute(replace(job, threads=max(1, job.threads // job.run.devices)), folder, device)


def _stop(_signal: int, _frame: object) -> None:
    raise Stopped


def _die_with_stdin() -> None:
    """A rank without the worker that started it has no one to write for."""
    sys.stdin.read()
    os._exit(1)


if __name__ == "__main__":
    gc.freeze()  # as in `benchmark.worker.forks`
    signal.signal(signal.SIGTERM, _stop if sys.argv[1] == "0" else signal.SIG_IGN)
    if len(sys.argv) > 4:
        open_channel(int(sys.argv[4]))
    code = main(int(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]))
    # Not through the interpreter's end, where a collective that another process left might be waited for.
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
