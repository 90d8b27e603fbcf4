"""What a worker tells over its own channel, and that nothing else is heard there."""

import os

import pytest

from benchmark.worker import channel
from benchmark.worker.channel import Ending, Listener, emit, open_channel, say_why


@pytest.mark.parametrize(
    "line",
    [
        b"[" * 200_000,
        b'{"step": 1e999, "loss": 1, "usage": null}',
        b'{"step": 1, "loss": 1' + b"0" * 400 + b', "usage": null}',
        b'{"step": -1, "loss": 1, "usage": null}',
        b'{"step": 1, "loss": [], "usage": null}',
        b'{"ending": "because", "message": ""}',
        b'{"ending": "stopped"}',
        b'"ending"',
        b"[1]",
        b"\xff\xfe",
        b"x" * 10_000_000,
    ],
)
def test_what_is_no_message_is_passed_over(line: bytes) -> None:
    listener = Listener()
    assert list(listener.hear(line)) == []
    assert len(listener._rest) < 100_000
    good = b'{"step": 3, "loss": NaN, "usage": 0.5}\n'
    (progress,) = listener.hear(b"\n" + good)
    assert (progress["step"], progress["usage"]) == (3, 0.5)
    assert listener.ending is None


def test_what_is_told_is_heard_but_not_from_a_fork(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(channel, "_descriptor", None)
    emit({"step": 0, "loss": 0.0, "usage": None})  # nobody listens
    ours, theirs = os.pipe()
    os.set_inheritable(theirs, True)
    open_channel(theirs)
    assert not os.get_inheritable(theirs)
    emit({"step": 2, "loss": 0.5, "usage": None})
    if (child := os.fork()) == 0:
        emit({"step": 3, "loss": 0.5, "usage": None})
        os._exit(0)
    os.waitpid(child, 0)
    say_why(Ending.UNWRITABLE, "full " + "\ud800" + "x" * 100_000)
    os.close(theirs)
    listener = Listener()
    with os.fdopen(ours, "rb") as pipe:
        assert list(listener.hear(pipe.read())) == [{"step": 2, "loss": 0.5, "usage": None}]
    assert listener.ending is Ending.UNWRITABLE
    assert listener.message.startswith("full ?x")
