"""What `torch.save` wrote, read without executing anything, and one sentence where it can't be."""

import errno
import warnings
from pathlib import Path
from typing import BinaryIO

import torch

from methods.core.usage import UsageError


class UnreadableError(UsageError):
    """A file that holds nothing that `torch.save` wrote, is cut short, or holds more than tensors and plain values."""


def load_saved(file: Path | BinaryIO, device: torch.device | str = "cpu", *, mapped: bool = False) -> object:
    """The tensors, on ``device``, and plain values in ``file``; ``mapped`` leaves them on the disk until looked at.

    Raises:
        UnreadableError: see there. What PyTorch says of it is of unsafe ways to read it all the same.
        OSError: the file can't be opened or read.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of PyTorch, of how a file was written that it refuses or checks anyway
            return torch.load(file, map_location=device, weights_only=True, mmap=mapped)
    except (MemoryError, torch.OutOfMemoryError):
        raise
    except Exception as error:  # rubbish makes its readers raise nearly anything
        sought = isinstance(error, OSError) and error.errno == errno.EINVAL  # a place before the beginning of the file
        if isinstance(error, OSError) and not sought:
            raise
        cut = sought or "failed finding central directory" in str(error)
        what = "it is cut short" if cut else "it holds no plain tensors that torch.save wrote"
        raise UnreadableError(what) from error
