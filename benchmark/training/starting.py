"""Where a training starts from what is there: weights of another run or a file, or a shorter training of the same."""

import pickle
from io import BytesIO
from pathlib import Path
from typing import Any

from torch import Tensor

from benchmark.objectives import Objective
from benchmark.pretrained.weights import find_weights
from benchmark.records.files import checksum
from benchmark.records.kept import Shorter
from benchmark.training.checkpoint import load_checkpoint, save_checkpoint
from benchmark.training.loop import milestones
from benchmark.training.probe import probe_items
from benchmark.training.system import System
from benchmark.training.trainer import Trainer
from methods import Quantizer
from methods.core.usage import UsageError, shape_in_words

_OF_PROBE = ("validation_error", "usage", "perplexity")


def load_weights(path: Path, system: System) -> dict[str, str]:
    """Put the weights in ``path`` (`weights.pt`, or a checkpoint) into ``system``; which file it was, by its hash.

    Raises:
        UsageError: it can't be read, or holds another model or quantizer.
    """
    archive, found = find_weights(path)
    wanted = system.state_dict()
    for name in (*wanted, *found):
        if name not in found or name not in wanted:
            lacks = "lacks" if name not in found else "has"
            raise UsageError(f"{path} holds the weights of another model or quantizer: it {lacks} `{name}`")
        if found[name].size != tuple(wanted[name].shape):
            theirs, ours = shape_in_words(found[name].size), shape_in_words(wanted[name].shape)
            raise UsageError(f"{path} holds weights of another size: `{name}` has the shape {theirs}, not {ours}")
    system.load_state_dict(archive.tensors(found))
    return {"file": path.name, "sha256": checksum(path)}


def is_a_beginning(shorter: Shorter, trainer: Trainer) -> bool:
    """Whether the run of ``trainer`` begins as ``shorter`` did, step for step.

    It does where neither the rate nor anything that quantizer or objective change over a run depends on its length.
    """
    settings = trainer.settings
    if settings["layerwise"]:
        return False
    if settings["schedule"] != "constant" or trainer.continuous_steps or trainer.snapshots.wanted:
        return False
    parts: tuple[Quantizer | Objective, ...] = trainer.system.quantizer, trainer.objective
    return not any(_depends_on_length(part, shorter.steps, settings["steps"]) for part in parts)


def go_on_from(shorter: Shorter, trainer: Trainer, checkpoint: Path) -> None:
    """Put ``trainer`` where ``shorter`` ended, and make that its own ``checkpoint``. Every process must call.

    Raises:
        BadCheckpointError: the shorter one's can't be used; the training is then in no defined state.
    """
    load_checkpoint(shorter.checkpoint, trainer, of=shorter.key)
    trainer.progress.history = _rows_of(trainer, shorter.steps)
    trainer.progress.origin |= {"continued": {"run": shorter.key, "steps": shorter.steps}}
    save_checkpoint(checkpoint, trainer)


def _rows_of(trainer: Trainer, shorter: int) -> list[dict[str, float]]:
    """The rows that a history of the whole length has too, without what was seen on fewer items."""
    steps, batch, most = trainer.settings["steps"], trainer.settings["batch_size"], trainer.dataset.probe_items
    alike = probe_items(shorter * batch, most) == probe_items(steps * batch, most)
    left_out = () if alike else _OF_PROBE
    rows = [row for row in trainer.progress.history if row["step"] in milestones(steps)]
    return [{name: value for name, value in row.items() if name not in left_out} for row in rows]


def _depends_on_length(part: Quantizer | Objective, shorter: int, longer: int) -> bool:
    """Whether in some step of the shorter run ``part`` is set otherwise than in that step of the longer one."""
    if type(part).anneal in (Quantizer.anneal, Objective.anneal):
        return False
    try:
        return any(_set(part, step, shorter) != _set(part, step, longer) for step in range(shorter))
    except Exception:  # what can't be written down can't be compared
        return True


def _set(part: Quantizer | Objective, step: int, total: int) -> bytes:
    """All that ``part`` is in a step but its larger tensors."""
    part.anneal(step, total)
    buffer = BytesIO()
    _Settings(buffer).dump(part)
    return buffer.getvalue()


class _Settings(pickle.Pickler):
    """Writes a module with small tensors as numbers and larger ones as nothing."""

    def persistent_id(self, held: Any) -> Any:
        """What stands for ``held``."""
        if isinstance(held, Tensor):
            return held.tolist() if held.numel() <= 1 else ()
        return None
