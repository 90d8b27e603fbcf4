"""A published checkpoint put into a model and a quantizer of ours: every weight in its place, or a sentence why not."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import nn

from benchmark.pretrained.families import Family, resemblance
from benchmark.pretrained.unpickling import Archive, Stored, read_archive
from methods.core.usage import UsageError, shape_in_words


class Loaded(NamedTuple):
    """What was read: the ``family``, how many weights, how many of them averages, what the file holds besides."""

    family: str
    weights: int
    averaged: int
    placeholders: list[str]


def load_pretrained(path: Path, family: Family, model: nn.Module, quantizer: nn.Module) -> Loaded:
    """Fill ``model`` and ``quantizer`` with the weights in ``path``, their moving averages where the file has them.

    Raises:
        UsageError: the file can't be read, wants to execute something, or is of another architecture: which weights are
            missing or have another shape, and what the file seems to be.
    """
    archive = read_archive(path)
    stored = _tensors(archive, family.states)
    places = {family.rename(name, _resolutions(model)): (model, name) for name in model.state_dict()}
    places |= {theirs: (quantizer, ours) for ours, theirs in family.quantizer.items()}
    if others := set(quantizer.state_dict()) - set(family.quantizer) - {"initialised"}:
        raise UsageError(
            f"checkpoints of {family.title} have no `{min(others)}`, which these parameters of the method add"
        )
    shapes = {theirs: tuple(module.state_dict()[ours].shape) for theirs, (module, ours) in places.items()}
    averaged = {name: name for name in shapes}
    if family.averages is not None:
        averaged = {name: found if (found := family.averages(name)) in stored else name for name in shapes}
    _check(path, family, shapes, averaged, stored)
    values = archive.tensors({name: stored[averaged[name]] for name in shapes})
    with torch.no_grad():
        for theirs, (module, ours) in places.items():
            place = module.state_dict()[ours]
            place.copy_(values[theirs].reshape(place.shape))
    of_averages = sum(source != name for name, source in averaged.items())
    return Loaded(family.title, len(values), of_averages, sorted(archive.placeholders))


def _resolutions(model: nn.Module) -> int:
    """That the model of images works at; 0 where it does not say."""
    return len(getattr(getattr(model, "decoder", None), "up", ()))


def _tensors(archive: Archive, states: tuple[str, ...]) -> dict[str, Stored]:
    """The tensors of the state by name: under the first of ``states`` that the file has, else the file itself."""
    content: Any = archive.content
    if isinstance(content, Mapping):
        content = next((content[name] for name in states if isinstance(content.get(name), Mapping)), content)
    if not isinstance(content, Mapping):
        raise UsageError(f"{archive.path} holds no state of a model")
    return {name: value for name, value in content.items() if isinstance(name, str) and isinstance(value, Stored)}


def _check(
    path: Path,
    family: Family,
    shapes: Mapping[str, tuple[int, ...]],
    sources: Mapping[str, str],
    stored: Mapping[str, Stored],
) -> None:
    """UsageError unless ``stored`` has every weight in its shape."""
    missing = [name for name in shapes if sources[name] not in stored]
    own = ("encoder.", "decoder.", "quantize.", "quant_conv.", "post_quant_conv.")
    unknown = [name for name in stored if name.startswith(own) and name not in {*shapes, *family.unused}]
    wrong = [
        name
        for name in shapes
        if name not in missing and _without_ends(stored[sources[name]].size) != _without_ends(shapes[name])
    ]
    if missing:
        raise UsageError(
            f"{path} is not of this architecture ({family.title}): {_some(missing)} missing; {resemblance(stored)}"
        )
    if unknown:
        raise UsageError(f"{path} is not of this architecture ({family.title}): {_some(unknown)} without a place in it")
    if wrong:
        theirs, ours = map(shape_in_words, (stored[sources[wrong[0]]].size, shapes[wrong[0]]))
        raise UsageError(
            f"{path} is of another size: `{wrong[0]}` has the shape {theirs}, not {ours}"
            f"{f', and {len(wrong) - 1} more differ' if len(wrong) > 1 else ''}"
        )


def _without_ends(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Less the ones at its end, by which a 1x1 convolution differs from a linear map."""
    while shape and shape[-1] == 1:
        shape = shape[:-1]
    return shape


def _some(names: list[str]) -> str:
    shown = ", ".join(f"`{name}`" for name in names[:3])
    return f"{shown}{f' and {len(names) - 3} more' if len(names) > 3 else ''} {'is' if len(names) == 1 else 'are'}"
