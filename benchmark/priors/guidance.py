"""Classifier-free guidance: its strength is chosen by validation images, by the same rule for every arm."""

from typing import Any, NamedTuple

import torch

from benchmark.metrics.parts.features import Extractor
from benchmark.priors.base import Prior
from benchmark.priors.distances import features_of, kernel_distance_of
from benchmark.priors.sampling import draw, images_of
from benchmark.priors.tokenizer import Tokenizer


class Chosen(NamedTuple):
    """The strength, and the kernel distance to validation images of every one that was tried, by its number."""

    strength: float
    distances: dict[str, float]


@torch.no_grad()
def choose(prior: Prior, tokenizer: Tokenizer, extractor: Extractor, config: dict[str, Any]) -> Chosen:
    """The strength whose samples are nearest to validation images, the weaker of two that are equally near.

    Of kernel distances, which few images do not bias; the samples are others than those that are measured.
    """
    settings, device = config["guidance"], tokenizer.device
    count, temperature = settings["images"], config["sampling"]["temperature"]
    real, found = features_of(extractor, tokenizer.dataset.validation, device), {}
    for strength in sorted(settings["strengths"]):
        index = draw(prior, count, config["seed"], temperature, strength, of="guidance")
        distance = kernel_distance_of(real, features_of(extractor, images_of(tokenizer, index), device))
        assert distance is not None, "two images at least"
        found[float(strength)] = distance
    return Chosen(min(found, key=found.__getitem__), {f"{strength:g}": value for strength, value in found.items()})
