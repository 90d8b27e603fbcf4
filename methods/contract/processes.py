"""Several processes: two train for real, each on half of every batch, and are compared with one on the whole."""

import gc
import json
import os
import subprocess
import sys
import tempfile
from datetime import timedelta
from pathlib import Path
from pkgutil import resolve_name

import torch
import torch.distributed as dist
from torch import Tensor

from methods.contract.promises import check, require
from methods.contract.subject import Subject, seed_cpu
from methods.core.base import Card, Quantizer
from methods.core.plugins import load_again, loaded_plugins

_STEPS = 2
_LEARNING_RATE = 0.1
_SECONDS = 300
_LATENTS = "gradient of the latents"


@check("two_processes", thorough=True)
def two_processes(subject: Subject) -> str:
    """Two processes (gloo), each with half of every batch, end with one state, and with what its card says of them."""
    cls = subject.cls
    if cls.__module__ == "__main__" or "<locals>" in cls.__qualname__:
        return "not run: another process can't import a class that is not at the top of a module"
    halves, whole = _in_two_processes(subject), train(subject)
    apart, off = compare(halves, whole)
    require(
        not apart,
        f"in two processes these differ from one to the other: {', '.join(apart)}; sum counts and sums of a batch over "
        "the processes, and draw alike in both (methods/parts/processes.py)",
    )
    said = cls.card.distributed
    claims = said == Card.SAME_AS_ONE
    found = f"two processes, with the same state in both, do not end where one does: {', '.join(off)}"
    require(not (claims and off), f"{found}; its card says that they do")
    seen = found if off else "two processes end where one with the whole batch does"
    return f"seen: {seen}" + ("" if claims else f"; its card {f'says: {said}' if said else 'says nothing of it'}")


def train(subject: Subject, rank: int | None = None) -> dict[str, Tensor]:
    """State after two steps, and the latents' gradients, on the whole of each batch or on the half of process ``rank``.

    Gradients of parameters are averaged over the processes, as DistributedDataParallel averages them.
    """
    world = 1 if rank is None else 2
    quantizer = subject.create()
    quantizer.initialise(iter([_part(subject.latents(seed=100), rank)]))
    found = {}
    for step in range(_STEPS):
        seed_cpu(1000 + step)
        quantizer.train().anneal(step, _STEPS)
        latents = _part(subject.latents(seed=10 + step), rank).clone().requires_grad_()
        result = quantizer(latents)
        errors = (result.latents - latents.detach().roll(1, -1)).square().flatten(1).sum(1)
        quantizer.zero_grad()
        (quantizer.reconstruction_loss(errors, latents[0].numel()) + result.loss).backward()
        assert latents.grad is not None
        found[f"{_LATENTS} in step {step}"] = latents.grad / world
        _optimise(quantizer, world)
    return found | {f"`{name}`": value for name, value in quantizer.state_dict().items()}


def compare(halves: list[dict[str, Tensor]], whole: dict[str, Tensor]) -> tuple[list[str], list[str]]:
    """What differs between two processes, and what is off in the first of them from one with the whole batch."""
    first, second = halves
    state = [name for name in whole if not name.startswith(_LATENTS)]
    apart = [name for name in state if not torch.equal(first[name], second[name])]
    off = []
    for name, expected in whole.items():
        found = first[name] if name in state else torch.cat([first[name], second[name]])
        if not torch.allclose(found.double(), expected.double(), rtol=1e-4, atol=1e-5, equal_nan=True):
            gap = (found.double() - expected.double()).abs().max().item()
            off.append(f"{name} by up to {gap:.3g}")
    return apart, off


def _part(latents: Tensor, rank: int | None) -> Tensor:
    half = latents.shape[0] // 2
    return latents if rank is None else latents[rank * half : (rank + 1) * half]


def _optimise(quantizer: Quantizer, world: int) -> None:
    """A step of gradient descent; PyTorch's own would make each process import a compiler, for a second."""
    for group in quantizer.parameter_groups(_LEARNING_RATE):
        for parameter in group["params"]:
            gradient = torch.zeros_like(parameter) if parameter.grad is None else parameter.grad
            if world > 1:
                dist.all_reduce(gradient)
                gradient /= world
            parameter.detach().sub_(gradient, alpha=group.get("lr", _LEARNING_RATE))
    quantizer.after_step()


def _in_two_processes(subject: Subject) -> list[dict[str, Tensor]]:
    """What `train` returns in each of two new processes."""
    task = {
        "plugins": {path: content.decode("latin-1") for path, content in loaded_plugins().items()},
        "class": f"{subject.cls.__module__}:{subject.cls.__qualname__}",
        "subject": (subject.codebook_size, subject.dim, dict(subject.params)),
    }
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "task").write_text(json.dumps(task))
        # Not by `multiprocessing`, which would import the caller's script once more.
        # Nor with a search for garbage among what is imported, which lives to the end.
        script = "import gc; gc.disable(); from methods.contract.processes import _join; gc.freeze(); _join()"
        command = [sys.executable, "-c", script, name]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "OMP_NUM_THREADS": "1"}
        pair = [subprocess.Popen([*command, rank], env=environment, stderr=subprocess.PIPE, text=True) for rank in "01"]
        try:
            told = [process.communicate(timeout=_SECONDS)[1] for process in pair]
        except subprocess.TimeoutExpired:
            told = [f"no end after {_SECONDS} seconds: do both processes take part in every exchange?"] * 2
        finally:
            for process in pair:
                process.kill()
                process.communicate()
        for process, text in zip(pair, told, strict=True):
            last = (text.strip().splitlines() or [f"exit code {process.returncode}"])[-1]
            require(process.returncode == 0, f"one of two processes fails: {last}")
        return [torch.load(folder / rank, weights_only=True) for rank in "01"]


def _join() -> None:
    """What one of two processes does: take part in a gloo group, train, and save what was found."""
    folder, rank = Path(sys.argv[1]), int(sys.argv[2])
    gc.enable()
    torch.set_num_threads(1)
    task = json.loads((folder / "task").read_text())
    load_again({path: content.encode("latin-1") for path, content in task["plugins"].items()})
    subject = Subject(resolve_name(task["class"]), *task["subject"])
    meeting = f"file://{folder}/meeting"
    dist.init_process_group("gloo", init_method=meeting, rank=rank, world_size=2, timeout=timedelta(seconds=_SECONDS))
    torch.save(train(subject, rank), folder / str(rank))
    dist.barrier()
    dist.destroy_process_group()
