"""Compiled loops on the threads that torch has, which are awake where Python's would have to be woken.

PyTorch's threads wait for the next operator with their cores busy. A further thread would have to take turns with one
of them, for longer than a search takes.
"""

import ctypes
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch

_PARTS = 8
"""Parts a thread: one that is held up leaves the rest to the others."""
_LIBRARY = "libtorch_cpu.so"


def share(loop: Any, arrays: Sequence[np.ndarray], count: int, least: int) -> None:
    """Call ``loop`` (`bounded_kernels.Loop`) in as many threads as torch has.

    It gets a table of ``arrays`` and of a last one, int64 ``[2]``: how much of ``range(count)`` is begun, to which
    threads add the second number, the size of a part, when they take one; it is ``least`` or more.
    """
    assert tuple(f"{array.dtype.str[1:]}:{array.ndim}" for array in arrays) == loop.kinds, loop
    threads = max(1, min(torch.get_num_threads(), count // least))
    run = _parallel() if threads > 1 else None
    part = count if run is None else max(least, -(-count // (_PARTS * threads)))
    arrays = [*arrays, np.array([0, part])]
    table = np.zeros((len(arrays), 4), np.int64)
    for i, array in enumerate(arrays):
        assert array.flags.c_contiguous
        table[i, 0] = array.ctypes.data
        table[i, 1 : 1 + array.ndim] = array.shape
    if run is None:
        loop.function.ctypes(table.ctypes.data)
    else:
        run(loop.function.address, table.ctypes.data, threads, 0)


@cache
def _parallel() -> Callable[[int, int, int, int], None] | None:
    """OpenMP's call of a C function in many threads, by the runtime that torch uses; None where it has another."""
    try:
        run = ctypes.CDLL(str(Path(torch.__file__).parent / "lib" / _LIBRARY)).GOMP_parallel
    except (OSError, AttributeError):
        return None
    run.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_uint, ctypes.c_uint]
    run.restype = None
    return run
