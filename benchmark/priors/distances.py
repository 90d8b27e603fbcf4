"""Samples of a prior beside what they could be at best and at worst, by distances of features to the test images."""

from typing import Any, NamedTuple

import torch
from torch import Tensor

from benchmark.data.base import spaced
from benchmark.metrics.parts.distances import frechet_distance, kernel_distance
from benchmark.metrics.parts.features import Classifier, Extractor
from benchmark.metrics.parts.pixels import in_chunks, to_colour
from benchmark.priors.code_length import Unigram
from benchmark.priors.neighbours import NEIGHBOURS, manifolds, radii
from benchmark.priors.sampling import classes_asked, images_of
from benchmark.priors.tokenizer import Tokenizer
from benchmark.priors.training import Codes
from benchmark.seeds import derive_seed

Metrics = dict[str, float | None]


class Distances(NamedTuple):
    """What was measured, and how: network, weights and numbers of images."""

    metrics: Metrics
    details: dict[str, Any]


def distances(
    extractor: Extractor,
    samples: Tensor,
    codes: Codes,
    tokenizer: Tokenizer,
    config: dict[str, Any],
    guided: Tensor | None = None,
) -> Distances:
    """Features of samples against those of the test images, beside what stands in for them at best and at worst.

    ``guided``: as many samples of guided classes, where there are any. Anchors: the tokenizer's reconstructions of as
    many test images, codes drawn one by one from their frequencies on the training set, codes drawn uniformly, and as
    many training images.
    """
    dataset, device = tokenizer.dataset, tokenizer.device
    generator = torch.Generator().manual_seed(derive_seed("anchors", config["seed"]))
    shape = (len(samples), codes.test.index.shape[1])
    # As many as there are samples, where there are: recall and coverage depend on the number.
    seen = codes.test.some(some_of(len(codes.test.index), len(samples)))
    single = Unigram(codes.train.index.cpu(), tokenizer.joint.digits).sample(shape, generator)
    uniform = torch.randint(tokenizer.joint.size, shape, generator=generator)
    images = {
        "samples": samples,
        "reconstructions": images_of(tokenizer, seen.index),
        "single": images_of(tokenizer, single.to(device)),
        "uniform": images_of(tokenizer, uniform.to(device)),
        "train": dataset.train[some_of(len(dataset.train), len(samples))],
    }
    ours = ["samples"]
    if guided is not None:
        images["guided"] = guided
        ours.append("guided")
    real = features_of(extractor, dataset.test, device)
    found = {name: features_of(extractor, items, device) for name, items in images.items()}
    least = 2 * extractor.num_features
    metrics: Metrics = {}
    for name, features in found.items():
        few = min(len(features), len(real)) < least
        metrics[f"{name}_{extractor.distance}"] = None if few else frechet_distance(real, features)
        metrics[f"{name}_kid_{extractor.name}"] = kernel_distance_of(real, features)
    if min(len(real), len(samples)) > NEIGHBOURS:
        radii_real = radii(real)
        for name in (*ours, "reconstructions"):
            shares = manifolds(real, radii_real, found[name])._asdict()
            metrics |= {f"{name}_{share}": value for share, value in shares.items()}
    if isinstance(extractor, Classifier) and config["classes"]:
        asked = classes_asked(len(samples), config["classes"])
        told = {**dict.fromkeys(ours, asked), "reconstructions": seen.labels}
        for name, classes in told.items():
            assert classes is not None
            same = extractor.classify(found[name]) == classes.to(device)
            metrics[f"{name}_class_told"] = float(same.double().mean())
    details = {
        f"samples_{extractor.distance}": {
            "extractor": extractor.name,
            "weights_sha256": extractor.weights[:12],
            "images": len(samples),
            "reference": len(real),
            "withheld": f"fewer images than {least:,}, twice the features"
            if min(len(samples), len(real)) < least
            else None,
        }
    }
    return Distances(metrics, details)


def features_of(extractor: Extractor, images: Tensor, device: torch.device) -> Tensor:
    """Of uint8 images ``[N, C, H, W]``."""
    with torch.inference_mode():
        return torch.cat([in_chunks(extractor, to_colour(batch.to(device))) for batch in images.split(512)])


def kernel_distance_of(real: Tensor, features: Tensor) -> float | None:
    """Of as many features of each kind."""
    count = min(len(real), len(features))
    return kernel_distance(*(rows[some_of(len(rows), count)] for rows in (real, features))) if count > 1 else None


def some_of(total: int, count: int) -> Tensor:
    """``count`` indexes of ``total`` items, or of all where they are fewer, evenly spaced."""
    return spaced(total, min(total, count))
