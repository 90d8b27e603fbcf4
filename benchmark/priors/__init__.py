"""The second stage: models of the codes of trained tokenizers, sampling, code length."""

import inspect
from collections.abc import Mapping, Sequence
from typing import Any

from benchmark.priors.base import Prior
from benchmark.priors.pixelcnn import PixelCNNPrior
from benchmark.priors.transformer import TransformerPrior
from methods.core.usage import UsageError, check_options, did_you_mean, options_of

PRIORS: dict[str, type[Prior]] = {"pixelcnn": PixelCNNPrior, "transformer": TransformerPrior}
"""By the names that suites use."""
_SUPPLIED = ("codebook_size", "positions", "classes")


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


def create(config: Mapping[str, Any], codebook_size: int, positions: Sequence[int], classes: int) -> Prior:
    """The prior of ``config``, as `resolve` answers it, for so many joint codes at the positions of an item."""
    own = {name: value for name, value in config.items() if name not in ("name", "version")}
    return PRIORS[config["name"]](codebook_size, positions, classes=classes, **own)
