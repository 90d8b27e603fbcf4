"""The weights that a run of this harness kept: `weights.pt`, or those in a `checkpoint.pt`."""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from benchmark.pretrained.unpickling import Archive, Stored, read_archive
from methods.core.usage import UsageError


class Weights(NamedTuple):
    """The tensors of a system by name, not yet read, and the ``archive`` that reads them."""

    archive: Archive
    stored: dict[str, Stored]


def find_weights(path: Path) -> Weights:
    """What ``path`` holds to start from, found without reading its values.

    Raises:
        UsageError: no file that PyTorch wrote, a damaged one, one that wants to execute something, or one without
            weights by name.
    """
    archive = read_archive(path)
    content = archive.content
    state = content.get("system", content) if isinstance(content, Mapping) else None
    named = state.items() if isinstance(state, Mapping) else ()
    stored = {name: value for name, value in named if isinstance(name, str) and isinstance(value, Stored)}
    if not stored:
        raise UsageError(f"{path} holds no weights by name, as `weights.pt` and `checkpoint.pt` of a run do")
    return Weights(archive, stored)
