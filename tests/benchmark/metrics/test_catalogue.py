"""Every metric that can come out has an entry, and none of usage and perplexity is ever called better."""

import pytest
import torch

from benchmark.metrics.catalogue import METRICS, describe
from benchmark.metrics.codes import KEYS, CodeStatistics
from methods.core.usage import UsageError


@pytest.mark.parametrize("name", [*KEYS, "usage_level_1", "perplexity_ratio_level_12", "effective_rank"])
def test_no_direction_for_what_describes_the_codes(name):
    assert describe(name).direction == "none"


@pytest.mark.parametrize(
    ("name", "label", "direction"),
    [
        ("mse", "MSE", "lower"),
        ("psnr", "PSNR", "higher"),
        ("rfid", "rFID", "lower"),
        ("lpips_alex_64px", "LPIPS (AlexNet, 64 px)", "lower"),
        ("lpips_vgg", "LPIPS (VGG16)", "lower"),
        ("fd_efficientnet_lite0", "FD (EfficientNet-Lite0)", "lower"),
        ("kid_inception", "KID (Inception-v3)", "lower"),
        ("fd_fashion_classifier", "FD (Fashion-MNIST classifier)", "lower"),
        ("class_agreement", "Class agreement", "higher"),
        ("kid_other", "KID (other)", "lower"),
        ("usage_level_3", "Usage, level 3", "none"),
    ],
)
def test_labels_and_directions(name, label, direction):
    assert (describe(name).label, describe(name).direction) == (label, direction)


def test_every_format_prints_what_is_measured():
    statistics = CodeStatistics((4, 1000), "cpu")
    statistics.update(torch.tensor([[[0, 999], [1, 0]]]))
    printed = {name: format(value, describe(name).format) for name, value in statistics.compute().items()}
    assert printed["usage_level_1"] == "50.0%"
    assert printed["dead_level_2"] == "998"
    assert printed["dead"] == "3,998"
    assert printed["perplexity"] == "2.0"
    for metric in METRICS.values():
        assert format(1 if "d" in metric.format else 0.5, metric.format)


def test_an_unknown_metric_is_answered_with_the_nearest():
    with pytest.raises(UsageError, match=r"no metric `perplexty` \(did you mean `perplexity`\?\)"):
        describe("perplexty")
