"""The second stage: models of the codes of trained tokenizers, sampling, code length."""

import inspect
from collections.abc import Mapping, Sequence
from typing import Any

from benchmark.priors.base import Prior
from benchmark.priors.native import NativePrior
from benchmark.priors.pixelcnn import PixelCNNPrior
from benchmark.priors.transformer import TransformerPrior
from methods.core.usage import UsageError, check_options, did_you_mean, options_of

PRIORS: dict[str, type[Prior]] = {"native": NativePrior, "pixelcnn": PixelCNNPrior, "transformer": TransformerPrior}
"""By the names that suites use."""
_SUPPLIED = ("digits", "positions", "classes", "guided")


def options(name: str) -> dict[str, inspect.Parameter]:
    """What a suite may set of the prior ``name``.

    Raises:
        UsageError: there is no such prior.
    """
    if name not in PRIORS:
        raise UsageError(f"unknown prior `{name}`{did_you_mean(name, PRIORS)}; there are: {', '.join(PRIORS)}")
    return options_of(PRIORS[name].__init__, _SUPPLIED)


def resolve(name: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """All options of the prior ``name``, checked, with its version: what belongs in a run's key.

    Raises:
        UsageError: an unknown prior or option, a value that does not fit, or a package that is missing.
    """
    resolved = check_options(f"prior `{name}`", options(name), given)
    PRIORS[name].check(**resolved)
    return {"name": name, "version": PRIORS[name].version, **resolved}


def is_native(config: Mapping[str, Any]) -> bool:
    """Whether the prior of ``config``, as `resolve` answers it, has a softmax for each digit of a code."""
    return PRIORS[config["name"]].native


def create(
    config: Mapping[str, Any], digits: Sequence[int], positions: Sequence[int], classes: int, *, guided: bool = False
) -> Prior:
    """The prior of ``config``, as `resolve` answers it, for codes of these ``digits`` at the positions of an item."""
    own = {name: value for name, value in config.items() if name not in ("name", "version")}
    return PRIORS[config["name"]](digits, positions, classes=classes, guided=guided, **own)
