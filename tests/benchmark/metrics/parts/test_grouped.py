"""Intervals over photographs, beside the textbook's and the naive one."""

import numpy as np
import pytest
import torch

from benchmark.metrics.parts.grouped import OverPhotographs, bootstrap_halfwidth


def test_the_bootstrap_of_equal_groups_is_that_of_their_means():
    means = np.random.default_rng(1).normal(20, 2, 200)
    normal = 1.96 * means.std() / 200**0.5
    assert bootstrap_halfwidth(means * 30, np.full(200, 30.0)) == pytest.approx(normal, rel=0.06)
    assert bootstrap_halfwidth(np.full(5, 60.0), np.full(5, 3.0)) == 0


def test_images_count_for_their_photograph():
    groups = torch.tensor([4, 4, 4, 1, 1, 7])
    metric = OverPhotographs(groups, 8, torch.device("cpu"))
    originals = torch.zeros(6, 3, 8, 8)
    noise = torch.tensor([0.1, 0.1, 0.1, 0.3, 0.3, 0.2])[:, None, None, None].expand_as(originals)
    metric.update(originals[:2], noise[:2])
    metric.update(originals[2:], noise[2:])
    decibels = 10 * np.log10(4 / np.array([0.3, 0.1, 0.2]) ** 2)
    expected = bootstrap_halfwidth(decibels * [2, 3, 1], np.array([2.0, 3.0, 1.0]))
    assert metric.compute() == {"photographs": 3, "psnr_halfwidth": pytest.approx(expected, rel=1e-5)}
