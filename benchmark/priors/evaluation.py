"""Evaluation of a prior: code length, structure found, and its samples: distances, use of codes, copies."""

import math
import time
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from benchmark.data import Dataset
from benchmark.metrics.codes import CodeStatistics
from benchmark.metrics.parts.features import EXTRACTORS
from benchmark.priors import PRIORS
from benchmark.priors.base import Prior
from benchmark.priors.classifier import trained_accuracies
from benchmark.priors.code_length import Unigram, bits_per_dimension, fit_scale, pixel_nats
from benchmark.priors.distances import Metrics, distances, some_of
from benchmark.priors.guidance import choose
from benchmark.priors.joint_codes import JointCodes
from benchmark.priors.neighbours import nearest
from benchmark.priors.sampling import draw, images_of, save_generated, save_nearest
from benchmark.priors.tokenizer import Tokenizer
from benchmark.priors.training import Codes, labels_of, nats
from benchmark.records.run import tokenizer_of
from benchmark.training.loop import DivergedError
from benchmark.training.system import build_system

COMPARED = 1000
"""Samples and test images whose nearest training image is looked for."""
FITTED = 1000
"""Validation images that the scale of the pixels is fitted to."""
_BITS = 1 / math.log(2)


def check_data(config: dict[str, Any], dataset: Dataset) -> None:
    """What a prior of ``config`` needs of the data, before hours of training.

    Raises:
        UsageError: there are no labels that it could be told, its features don't know such images, or it can't model
            codes at such positions.
    """
    if config["classes"]:
        labels_of(dataset)
    if config["features"] is not None:
        EXTRACTORS[config["features"]](torch.device("cpu")).check_shape(dataset.item_shape)
    tokenizer = build_system(tokenizer_of(config), dataset, torch.device("cpu"))
    PRIORS[config["prior"]["name"]].check_positions(tokenizer.model.positions)


class Measured(NamedTuple):
    """What a record holds of the evaluation of a prior."""

    metrics: Metrics
    details: dict[str, Any]
    timings: dict[str, float]


@torch.no_grad()
def evaluate_prior(config: dict[str, Any], prior: Prior, codes: Codes, tokenizer: Tokenizer, folder: Path) -> Measured:
    """All metrics of the test set and of samples; writes ``generated.png`` and ``nearest.png`` into ``folder``.

    Raises:
        DivergedError: the likelihood is not finite, so that nothing can be drawn either.
    """
    prior.eval()
    metrics = code_length(prior, codes, tokenizer)
    if not math.isfinite(metrics["nll"] or 0.0):  # no loss was computed after the last update
        raise DivergedError(f"the likelihood was not finite after step {config['training']['steps']:,}")
    begun = time.monotonic()
    sampling = config["sampling"]
    index = draw(prior, sampling["images"], config["seed"], sampling["temperature"])
    samples = images_of(tokenizer, index)
    sampled = time.monotonic() - begun
    metrics |= _use(index, tokenizer.joint)
    metrics |= _memorised(samples, tokenizer.dataset, folder)
    save_generated(samples, config["classes"], folder)
    details: dict[str, Any] = {
        "prior": {"weights": sum(p.numel() for p in prior.parameters()), "apart_from_codes": prior.apart_from_codes()}
    }
    timings = {"sample_seconds": sampled}
    if config["features"] is not None:
        extractor, guided = EXTRACTORS[config["features"]](tokenizer.device), None
        begun = time.monotonic()
        if "guidance" in config:
            chosen = choose(prior, tokenizer, extractor, config)
            metrics["guidance_strength"], details["guidance"] = chosen.strength, {"kid_validation": chosen.distances}
            index = draw(prior, sampling["images"], config["seed"], sampling["temperature"], chosen.strength)
            guided = images_of(tokenizer, index)
            timings["guidance_seconds"] = time.monotonic() - begun
            begun = time.monotonic()
        found = distances(extractor, samples, codes, tokenizer, config, guided)
        metrics |= found.metrics
        details |= found.details
        timings["distances_seconds"] = time.monotonic() - begun
    if "classifier" in config:
        begun = time.monotonic()
        metrics |= trained_accuracies(samples, codes, tokenizer, config)
        timings["classifier_seconds"] = time.monotonic() - begun
    return Measured(metrics, details, timings)


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
    single = float(Unigram(index, tokenizer.joint.digits).nats(index).mean())
    seen = nats(prior, codes.train.some(some_of(len(codes.train.index), begin))).double().mean()
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


def _use(index: Tensor, joint: JointCodes) -> Metrics:
    """Share of the joint codes that samples hit, and how evenly."""
    statistics = CodeStatistics(joint.level_sizes, index.device)
    statistics.update(joint.codes(index))
    measured = statistics.compute()
    return {"samples_usage": measured["usage"], "samples_perplexity": measured["perplexity"]}


def _memorised(samples: Tensor, dataset: Dataset, folder: Path) -> Metrics:
    """How far the nearest training image is from a sample, and from a test image."""
    test = dataset.test[some_of(len(dataset.test), COMPARED)].to(samples.device)
    near, which = nearest(samples[:COMPARED], dataset.train)
    near_test, _ = nearest(test, dataset.train)
    save_nearest(samples, dataset.train[which.cpu()], folder)
    return {"samples_nearest_train": float(near.mean()), "test_nearest_train": float(near_test.mean())}
