"""How many runs at a time memory and cores bear: by what runs of the same shape held, else by their configuration."""

import json
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from benchmark.records.record import BadRecordError, read_record
from benchmark.records.run import Run, tokenizer_of
from benchmark.records.store import Store

MOST_ON_CPU = 4
_SLACK = 1.2
"""Of what was measured: peaks differ a little from run to run."""
_CONTEXT = 0.8e9
"""Bytes of a GPU beside what PyTorch counts: a process's context, its libraries, and what its allocator keeps."""
_HOST, _HOST_BESIDE_GPU, _DEVICE = 1.4e9, 2.6e9, 1.2e9
"""Bytes of a run with a small codebook and small images, as measured (results/reference)."""
_COPIES_OF_CODEBOOK, _BYTES = 16, 4
"""Weights, gradients, two moments, an average, effective codewords, and all of that in a checkpoint being written."""
_ASK = "import sys, torch; print(torch.cuda.mem_get_info(sys.argv[1])[0])"


class Need(NamedTuple):
    """Bytes that one run holds at most, of the machine's memory and of a GPU's."""

    host: float
    device: float = 0.0


def jobs_that_fit(needs: Sequence[Need], cores: int, host: float, device: float | None = None) -> int:
    """So many of the runs that whichever are under way fit at once; one at least, at most one a core.

    Args:
        needs: of every run that is left.
        cores: at most so many runs, and no more than four on a CPU, whose runs gain little from company.
        host: free bytes of the machine.
        device: free bytes of the GPU that they share; None on a CPU.
    """
    most = min(len(needs), cores if device is not None else min(cores, MOST_ON_CPU))
    fit = min(_fitting((need.host for need in needs), host), _fitting((need.device for need in needs), device))
    return max(1, min(most, fit))


def _fitting(needs: Iterable[float], free: float | None) -> int:
    """How many of the largest ``needs`` stay within ``free`` together."""
    count, held = 0, 0.0
    for need in sorted(needs, reverse=True):
        held += need
        if free is not None and held > free:
            break
        count += 1
    return count


def needs_of(runs: Sequence[Run], store: Store | None, *, on_gpu: bool) -> list[Need]:
    """What each of ``runs`` is likely to hold."""
    known = _measured(runs, store, on_gpu=on_gpu)
    return [known.get(shape(run)) or configured(tokenizer_of(run.config), on_gpu=on_gpu) for run in runs]


def _measured(runs: Iterable[Run], store: Store | None, *, on_gpu: bool) -> Mapping[str, Need]:
    """The largest that finished runs of each shape held on this kind of device."""
    known: dict[str, Need] = {}
    if store is None:
        return known
    for run in runs:
        try:
            record = read_record(store.record_path(run.key))
        except (FileNotFoundError, BadRecordError):
            continue
        host, device = (record["memory"].get(name) for name in ("peak_rss_mb", "peak_cuda_mb"))
        if host is None or on_gpu != (device is not None):
            continue
        need = Need(_SLACK * host * 1e6, _SLACK * device * 1e6 + _CONTEXT if device is not None else 0.0)
        known[shape(run)] = Need(*map(max, need, known.get(shape(run), need)))
    return known


def configured(config: Mapping[str, object], *, on_gpu: bool) -> Need:
    """A guess from a run's configuration: a program with its libraries, and the copies of a codebook of K x D."""
    model, size = config.get("model"), config.get("codebook_size")
    dim = model.get("latent_dim") if isinstance(model, Mapping) else None
    codewords = (size if isinstance(size, int) else 0) * (dim if isinstance(dim, int) else 64)
    codebook = _COPIES_OF_CODEBOOK * _BYTES * float(codewords)
    return Need(_HOST_BESIDE_GPU + codebook, _DEVICE + codebook) if on_gpu else Need(_HOST + codebook)


def shape(run: Run) -> str:
    """What runs of the same length and memory share: their configuration without what changes numbers but no sizes.

    Of a data set the whole numbers count (dimension, items); a shift or the name of a law makes no step longer.
    """
    named = tokenizer_of(run.config)
    sizes = {name: value for name, value in named["dataset"].items() if name == "name" or isinstance(value, int)}
    training = {**named["training"], "learning_rate": None}
    own = {**named, "dataset": sizes, "training": training, "seed": None}
    if run.tokenizer is not None:
        own = {**run.config, "tokenizer": {**own, "training": None}, "seed": None}
    return json.dumps(own, sort_keys=True)


def free_on(device: str) -> float:
    """Free bytes of a GPU; 0 where it doesn't say.

    Asked by another process: this one would hold a context there for as long as its runs go on, and a GPU that is set
    to one process would refuse them.
    """
    try:
        asked = subprocess.run([sys.executable, "-c", _ASK, device], capture_output=True, timeout=120, check=True)
        return float(asked.stdout)
    except (OSError, ValueError, subprocess.SubprocessError):
        return 0.0
