"""One run in a process of its own, from start to record: ``python -m benchmark.worker`` with a job on stdin.

With ``--attached`` it stops, and saves where it stands, when its standard input closes: whoever started it is gone.
"""

import faulthandler
import os
import signal
import sys
import threading
from contextlib import nullcontext, suppress
from pathlib import Path

import torch

from benchmark.records.files import UnwritableError
from benchmark.records.record import empty_record
from benchmark.records.store import CHECKPOINT, Store
from benchmark.worker.execution import execute
from benchmark.worker.job import EXIT_CLAIMED, EXIT_STOPPED, EXIT_UNWRITABLE, Job
from benchmark.worker.ranks import execute_on_ranks


def work(job: Job) -> None:
    """Do the run and commit its record, whatever becomes of it.

    Raises:
        UnwritableError: the record can't be written.
    """
    store = Store(Path(job.results))
    with nullcontext(True) if job.held else store.claim(job.run.key) as mine:
        if not mine:
            sys.exit(EXIT_CLAIMED)
        found = store.fingerprint(job.run.key)
        if found != job.replaces and store.record(job.run.key) is not None:
            return
        store.tidy(job.run.key)
        folder = store.run_folder(job.run.key)
        outcome = _outcome(job, folder)
        store.write_record(job.run.key, {**empty_record(job.run), **outcome})
        # What ended badly would end so again from its checkpoint: a retry begins anew.
        if not job.keep_checkpoint or outcome["status"] != "ok":
            (folder / CHECKPOINT).unlink(missing_ok=True)


def _outcome(job: Job, folder: Path) -> dict[str, object]:
    if job.run.devices > 1:
        return execute_on_ranks(job, folder)
    return execute(job, folder, torch.device(job.device))


def prefer_to_be_killed() -> None:
    """Where memory runs out, the system should end the run, not the runner that survives it."""
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("500")


def stop_with_stdin() -> None:
    """Ask this process to stop as soon as its standard input closes."""

    def wait() -> None:
        sys.stdin.read()
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=wait, daemon=True).start()


def _interrupt(_signal: int, _frame: object) -> None:
    raise KeyboardInterrupt


def main() -> None:
    """Read a job from standard input and do it."""
    signal.signal(signal.SIGTERM, _interrupt)
    faulthandler.enable()
    prefer_to_be_killed()
    job = Job.from_json(sys.stdin.readline())
    if "--attached" in sys.argv[1:]:
        stop_with_stdin()
    try:
        work(job)
    except KeyboardInterrupt:
        sys.exit(EXIT_STOPPED)
    except UnwritableError as error:
        with suppress(BrokenPipeError):
            print(error, file=sys.stderr)
        sys.exit(EXIT_UNWRITABLE)


if __name__ == "__main__":
    main()
