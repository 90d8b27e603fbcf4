"""Evaluation of a prior: code length, structure found, and samples beside what they could be at best and at worst."""

import math
import time
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from benchmark.data import Dataset
from benchmark.data.base import spaced
from benchmark.metrics.codes import CodeStatistics
from benchmark.metrics.parts.distances import frechet_distance, kernel_distance
from benchmark.metrics.parts.features import EXTRACTORS, Classifier, Extractor
from benchmark.metrics.parts.pixels import in_chunks, to_colour
from benchmark.priors.base import Prior
from benchmark.priors.code_length import Unigram, bits_per_dimension, fit_scale, pixel_nats
from benchmark.priors.neighbours import NEIGHBOURS, manifolds, nearest, radii
from benchmark.priors.sampling import classes_asked, draw, images_of, save_generated, save_nearest
from benchmark.priors.tokenizer import Tokenizer
from benchmark.priors.training import Codes, labels_of, nats
from benchmark.seeds import derive_seed

COMPARED = 1000
"""Samples and test images whose nearest training image is looked for."""
FITTED = 1000
"""Validation images that the scale of the pixels is fitted to."""
_BITS = 1 / math.log(2)
Metrics = dict[str, float | None]


def check_data(config: dict[str, Any], dataset: Dataset) -> None:
    """What a prior of ``config`` needs of the data, before hours of training.

    Raises:
        UsageError: there are no labels that it could be told, or its features don't know such images.
    """
    if config["classes"]:
        labels_of(dataset)
    if config["features"] is not None:
        EXTRACTORS[config["features"]](torch.device("cpu")).check_shape(dataset.item_shape)


class Measured(NamedTuple):
    """What a record holds of the evaluation of a prior."""

    metrics: Metrics
    details: dict[str, Any]
    timings: dict[str, float]


@torch.no_grad()
def evaluate_prior(config: dict[str, Any], prior: Prior, codes: Codes, tokenizer: Tokenizer, folder: Path) -> Measured:
    """All metrics of the test set and of samples; writes ``generated.png`` and ``nearest.png`` into ``folder``."""
    prior.eval()
    metrics = code_length(prior, codes, tokenizer)
    begun = time.monotonic()
    sampling = config["sampling"]
    index = draw(prior, sampling["images"], config["seed"], sampling["temperature"])
    samples = images_of(tokenizer, index)
    sampled = time.monotonic() - begun
    metrics |= _use(index, tokenizer.joint.size)
    metrics |= _memorised(samples, tokenizer.dataset, folder)
    save_generated(samples, config["classes"], folder)
    details: dict[str, Any] = {
        "prior": {"weights": sum(p.numel() for p in prior.parameters()), "apart_from_codes": prior.apart_from_codes()}
    }
    if config["features"] is not None:
        extractor = EXTRACTORS[config["features"]](tokenizer.device)
        found = distances(extractor, samples, codes, tokenizer, config)
        metrics |= found.metrics
        details |= found.details
    return Measured(metrics, details, {"sample_seconds": sampled})


def code_length(prior: Prior, codes: Codes, tokenizer: Tokenizer) -> Metrics:
    """Bits a value of the test images in two parts, and bits a position under the prior beside single codes."""
    dataset, found = tokenizer.dataset, nats(prior, codes.test).double().cpu()
    means = torch.cat(list(tokenizer.decode(codes.validation.index[:FITTED])))
    scale = fit_scale(means.cpu(), dataset.validation[:FITTED])
    label = math.log(prior.classes) if prior.classes else 0.0
    whole, pixels, begin = 0.0, 0.0, 0
    for images in tokenizer.decode(codes.test.index):
        rows = slice(begin, begin + len(images))
        lengths = pixel_nats(images.cpu(), dataset.test[rows], scale)
        whole += len(images) * bits_per_dimension(found[rows], lengths, label)
        pixels += float(lengths.sum())
        begin += len(images)
    whole, pixels = whole / begin, pixels / (begin * dataset.test[0].numel()) * _BITS
    index = codes.test.index.cpu()
    single = float(Unigram(index, tokenizer.joint.size).nats(index).mean())
    seen = nats(prior, codes.train.some(_spread(len(codes.train.index), begin))).double().mean()
    return {
        "code_length": whole,
        "code_length_codes": whole - pixels,
        "code_length_pixels": pixels,
        "pixel_scale": scale,
        "nll": float(found.mean()) * _BITS,
        "nll_train": float(seen) * _BITS,
        "single_entropy": single * _BITS,
        "structure": (single - float(found.mean())) * _BITS,
    }


def distances(
    extractor: Extractor, samples: Tensor, codes: Codes, tokenizer: Tokenizer, config: dict[str, Any]
) -> Measured:
    """Features of samples against those of the test images, beside what stands in for them at best and at worst.

    Anchors: the tokenizer's reconstructions of as many test images, codes drawn one by one from their frequencies on
    the training set, codes drawn uniformly, and as many training images.
    """
    dataset, device, begun = tokenizer.dataset, tokenizer.device, time.monotonic()
    generator = torch.Generator().manual_seed(derive_seed("anchors", config["seed"]))
    shape = (len(samples), codes.test.index.shape[1])
    size = tokenizer.joint.size
    # As many as there are samples, where there are: recall and coverage depend on the number.
    seen = codes.test.some(_spread(len(codes.test.index), len(samples)))
    single = Unigram(codes.train.index.cpu(), size).sample(shape, generator)
    uniform = torch.randint(size, shape, generator=generator)
    images = {
        "samples": samples,
        "reconstructions": images_of(tokenizer, seen.index),
        "single": images_of(tokenizer, single.to(device)),
        "uniform": images_of(tokenizer, uniform.to(device)),
        "train": dataset.train[_spread(len(dataset.train), len(samples))],
    }
    real = _features(extractor, dataset.test, device)
    found = {name: _features(extractor, items, device) for name, items in images.items()}
    least = 2 * extractor.num_features
    metrics: Metrics = {}
    for name, features in found.items():
        few = min(len(features), len(real)) < least
        metrics[f"{name}_{extractor.distance}"] = None if few else frechet_distance(real, features)
        metrics[f"{name}_kid_{extractor.name}"] = _kernel_distance(real, features)
    if min(len(real), len(samples)) > NEIGHBOURS:
        radii_real = radii(real)
        for name in ("samples", "reconstructions"):
            shares = manifolds(real, radii_real, found[name])._asdict()
            metrics |= {f"{name}_{share}": value for share, value in shares.items()}
    if isinstance(extractor, Classifier) and config["classes"]:
        asked = classes_asked(len(samples), config["classes"])
        told = {"samples": asked, "reconstructions": seen.labels}
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
    return Measured(metrics, details, {"distances_seconds": time.monotonic() - begun})


def _features(extractor: Extractor, images: Tensor, device: torch.device) -> Tensor:
    """Of uint8 images ``[N, C, H, W]``."""
    with torch.inference_mode():
        return torch.cat([in_chunks(extractor, to_colour(batch.to(device))) for batch in images.split(512)])


def _kernel_distance(real: Tensor, features: Tensor) -> float | None:
    """Of as many features of each kind."""
    count = min(len(real), len(features))
    return kernel_distance(*(rows[_spread(len(rows), count)] for rows in (real, features))) if count > 1 else None


def _use(index: Tensor, size: int) -> Metrics:
    """Share of the joint codes that samples hit, and how evenly."""
    statistics = CodeStatistics([size], index.device)
    statistics.update(index[..., None])
    measured = statistics.compute()
    return {"samples_usage": measured["usage"], "samples_perplexity": measured["perplexity"]}


def _memorised(samples: Tensor, dataset: Dataset, folder: Path) -> Metrics:
    """How far the nearest training image is from a sample, and from a test image."""
    test = dataset.test[_spread(len(dataset.test), COMPARED)].to(samples.device)
    near, which = nearest(samples[:COMPARED], dataset.train)
    near_test, _ = nearest(test, dataset.train)
    save_nearest(samples, dataset.train[which.cpu()], folder)
    return {"samples_nearest_train": float(near.mean()), "test_nearest_train": float(near_test.mean())}


def _spread(total: int, count: int) -> Tensor:
    """``count`` indexes of ``total`` items, or of all where they are fewer, evenly spaced."""
    return spaced(total, min(total, count))
