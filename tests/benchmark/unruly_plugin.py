"""A plug-in whose method does what it should not: once, at one of its calls, what a number says."""

import os
import random
import signal
import sys
import threading

from methods import register
from methods.vq_vae import VQVAE

AT = ["parameter_groups", "forward", "after_step", "encode", "decode"]


class UnprintableError(Exception):
    def __str__(self):
        raise RuntimeError("no words")


class SpeechlessMemoryError(MemoryError):
    __str__ = UnprintableError.__str__


class EndlessError(Exception):
    def __str__(self):
        return str(self)


class NoTextError(Exception):
    def __str__(self):
        return 3


RUBBISH = [
    b"[" * 200_000,
    b"x" * 3_000_000,
    b"\x1b[2J\x1b]0;mine\x07",
    b"\xff\xfe\x00",
    "\u2028é".encode() * 99,
    b'{"step": 1e999, "loss": 1, "usage": null}',
    b'{"ending": "unwritable", "message": "full"}',
    b"\r\n" * 5000,
    b"Timeout (0:00:10)!",
    b"MemoryError: out of memory",
    b"No space left on device",
]
ERRORS = [
    ValueError("x" * 1_000_000),
    RuntimeError("half \ud800 a pair"),
    OSError(28, "No space left on device"),
    NoTextError(),
    KeyError(b"\xff"),
    Exception(),
    MemoryError(),
    SpeechlessMemoryError(),
    UnicodeDecodeError("utf-8", b"\xff", 0, 1, "mine"),
    UnprintableError(),
    EndlessError(),
    RecursionError(),
    StopIteration(1),
    GeneratorExit(),
    SystemExit(0),
    SystemExit("words"),
    EOFError("\x00"),
    BaseExceptionGroup("many", [KeyboardInterrupt(), ValueError("\x1b[31m\n\n")]),
    type("\n=1+1", (Exception,), {})("a"),
]


def write(draw):
    content = draw.choice(RUBBISH) + draw.randbytes(draw.randrange(50)) + draw.choice([b"", b"\n"])
    os.write(draw.choice([1, 2]), content)


def write_everywhere(draw):
    for descriptor in range(3, 64):
        try:
            if os.get_inheritable(descriptor):
                os.write(descriptor, draw.choice(RUBBISH)[:1000])
        except OSError:
            pass


def fail(draw):
    raise draw.choice(ERRORS)


def leave(draw):
    os._exit(draw.randrange(256))


def die(draw):
    os.kill(os.getpid(), draw.choice([signal.SIGSEGV, signal.SIGABRT, signal.SIGFPE, signal.SIGBUS, signal.SIGUSR1]))


def fork(draw):
    if os.fork() == 0:
        os.execvp("sleep", ["sleep", "20"])


def close(draw):
    os.close(draw.choice([0, 1, 2]))


def replace(draw):
    sys.stdout = sys.stderr = draw.choice([None, 3, object()])


def stay(draw):
    threading.Thread(target=threading.Event().wait, args=(20,), daemon=draw.random() < 0.7).start()


def chdir(draw):
    os.chdir("/")


def ignore(draw):
    signal.signal(signal.SIGTERM, signal.SIG_IGN)


def say_terms(draw):
    return {
        draw.choice(["step", "", "\n", "a,b", "=1+1", "loss", 3, "usage"]): draw.choice([1.0, "x", None, 1e999, True])
    }


DEEDS = [write, write_everywhere, fail, fail, leave, die, fork, close, replace, stay, chdir, ignore, say_terms]


@register("unruly")
class Unruly(VQVAE):
    """Does what a number says, once.

    Args:
        number: of the deed.
        quiet: only deeds that leave this process as it is.
    """

    def __init__(self, codebook_size, dim, *, number=0, quiet=False):
        super().__init__(codebook_size, dim)
        if os.environ.get("UNRULY") == "init":
            fail(random.Random(number))
        draw = self._draw = random.Random(number)
        self._at, self._deed = draw.choice(AT), fail if quiet else draw.choice(DEEDS)

    def _do(self, where):
        if where == self._at and os.environ.get("UNRULY") == "yes":
            self._at = None
            return self._deed(self._draw)
        return None

    @classmethod
    def resolve_size(cls, codebook_size, **params):
        if os.environ.get("UNRULY") == "size":
            fail(random.Random(params["number"]))
        return super().resolve_size(codebook_size)

    def parameter_groups(self, learning_rate):
        self._do("parameter_groups")
        return super().parameter_groups(learning_rate)

    def forward(self, latents):
        said = self._do("forward")
        found = super().forward(latents)
        return found._replace(log={**found.log, **said}) if said else found

    def after_step(self):
        self._do("after_step")

    def encode(self, latents):
        self._do("encode")
        return super().encode(latents)

    def decode(self, codes):
        self._do("decode")
        return super().decode(codes)
