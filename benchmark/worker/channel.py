"""From a worker to whoever started it: how far the run is, and why the worker ends, on a pipe that is theirs alone.

What a method prints, its exit codes and the processes that it starts mean nothing there.
"""

import json
import math
import os
from collections.abc import Iterator
from contextlib import suppress
from enum import StrEnum
from typing import Any

_LONGEST = 3_000
"""Characters of a message: a line stays within what the system writes in one piece."""


class Ending(StrEnum):
    """Why a worker ends without a record, where that is not the run's doing."""

    CLAIMED = "claimed"
    """Another process holds the run."""
    STOPPED = "stopped"
    """It was asked to stop, and saved where it stands."""
    CROWDED = "crowded"
    """The memory of a GPU that it shares with other runs ran out: alone it may have room."""
    UNWRITABLE = "unwritable"
    """The results can't be written: a full disk, a read-only folder."""
    CHANGED = "changed"
    """A plug-in or the files of the data set are not, or no longer, those that the run's key names."""


_descriptor: int | None = None


def open_channel(descriptor: int) -> None:
    """Speak on the inherited ``descriptor`` from now on; programs and forks of this process don't get it."""
    global _descriptor
    os.set_inheritable(descriptor, False)
    os.register_at_fork(after_in_child=_close)
    _descriptor = descriptor


def channel() -> int | None:
    """The descriptor that this process speaks on; None where nobody listens."""
    return _descriptor


def emit(progress: dict[str, Any]) -> None:
    """Say how far the run is: ``step``, ``loss`` and ``usage``."""
    _write(progress)


def say_why(ending: Ending, message: str = "") -> None:
    """Say why this process ends."""
    _write({"ending": ending, "message": message[:_LONGEST].encode("utf-8", "replace").decode()})


def _write(event: dict[str, Any]) -> None:
    if _descriptor is None:
        return
    with suppress(OSError):  # a listener that is gone does not stop the run
        os.write(_descriptor, json.dumps(event, ensure_ascii=False).encode() + b"\n")


def _close() -> None:
    global _descriptor
    if _descriptor is not None:
        with suppress(OSError):
            os.close(_descriptor)
        _descriptor = None


class Listener:
    """The other end: what bytes say, piece by piece. ``ending`` and ``message``: the last that was said of the end."""

    def __init__(self) -> None:
        self.ending: Ending | None = None
        self.message = ""
        self._rest = b""

    def hear(self, data: bytes) -> Iterator[dict[str, Any]]:
        """``step``, ``loss`` and ``usage`` of every whole line of progress; what is no message is passed over."""
        *lines, rest = (self._rest + data).split(b"\n")
        self._rest = rest[: 8 * _LONGEST]
        for line in lines:
            try:
                said = json.loads(line)
                if "ending" in said:
                    self.ending, self.message = Ending(said["ending"]), str(said["message"])
                else:
                    yield _progress(said)
            except (ValueError, TypeError, KeyError, ArithmeticError, RecursionError):
                continue


def _progress(said: dict[str, Any]) -> dict[str, Any]:
    usage = None if said["usage"] is None else float(said["usage"])
    loss = float(said["loss"])
    if not math.isfinite(said["step"]) or said["step"] < 0:
        raise ValueError("no step")
    return {"step": int(said["step"]), "loss": loss, "usage": usage}
