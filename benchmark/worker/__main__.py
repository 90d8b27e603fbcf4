"""One run in a process of its own, from start to record: ``python -m benchmark.worker`` with a job on stdin.

With ``--channel N`` it tells on the inherited descriptor N how far it is, and why it ends without a record where that
is not the run's doing (`benchmark.worker.channel`). With ``--attached`` it stops, and saves where it stands, when its
standard input closes: whoever started it is gone.
"""

import argparse
import faulthandler
import gc
import os
import signal
import sys
import threading
from collections.abc import Sequence
from contextlib import nullcontext, suppress
from pathlib import Path

import torch

from benchmark.records.files import UnwritableError
from benchmark.records.record import empty_record
from benchmark.records.store import CHECKPOINT, Store
from benchmark.training.loop import Stopped
from benchmark.worker.changed import ChangedError
from benchmark.worker.channel import Ending, open_channel, say_why
from benchmark.worker.execution import CrowdedError, execute
from benchmark.worker.job import Job
from benchmark.worker.ranks import execute_on_ranks


class ClaimedError(RuntimeError):
    """Another process holds the run."""


def work(job: Job) -> None:
    """Do the run and commit its record, whatever becomes of it.

    Raises:
        ClaimedError: another process holds the run.
        Stopped: the run was asked to stop; its checkpoint says where it stands.
        CrowdedError: the GPU had no room for it beside others.
        UnwritableError: the record can't be written.
        ChangedError: a plug-in or the data are not those that the run's key names.
    """
    store = Store(Path(job.results))
    with nullcontext(True) if job.held else store.claim(job.run.key) as mine:
        if not mine:
            raise ClaimedError
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


def _stop(_signal: int, _frame: object) -> None:
    raise Stopped


def main(arguments: Sequence[str] | None = None) -> int:
    """Read a job from standard input and do it."""
    parser = argparse.ArgumentParser(prog="python -m benchmark.worker")
    parser.add_argument("--channel", type=int)
    parser.add_argument("--attached", action="store_true")
    options = parser.parse_args(arguments)
    if options.channel is not None:
        open_channel(options.channel)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _stop)
    for number in (signal.SIGUSR1, signal.SIGUSR2):  # of a batch system, for whoever started the worker
        signal.signal(number, signal.SIG_IGN)
    faulthandler.enable()
    prefer_to_be_killed()
    try:
        job = Job.from_json(sys.stdin.readline())
        if options.attached:
            stop_with_stdin()
        work(job)
    except ClaimedError:
        say_why(Ending.CLAIMED)
    except Stopped:
        say_why(Ending.STOPPED)
    except CrowdedError:
        say_why(Ending.CROWDED)
    except UnwritableError as error:
        say_why(Ending.UNWRITABLE, str(error))
    except ChangedError as error:
        say_why(Ending.CHANGED, str(error))
    else:
        return 0
    return 1


if __name__ == "__main__":
    gc.freeze()  # as in `benchmark.worker.forks`
    sys.exit(main())
