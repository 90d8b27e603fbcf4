"""Fréchet and kernel distance against closed forms, and the cache of the originals' features."""

import numpy as np
import pytest
import torch

from benchmark.metrics.parts import distances
from benchmark.metrics.parts.distances import FeatureDistances, frechet_distance, kernel_distance
from benchmark.metrics.parts.features import Classifier, Extractor

CPU = torch.device("cpu")


class FourMeans(Extractor):
    """A toy extractor: the mean of each quadrant; counts the images it has seen."""

    name = "four_means"
    distance = "fd_four_means"
    num_features = 4
    weights = "0" * 64

    def __init__(self):
        self.seen = 0

    def __call__(self, images):
        self.seen += len(images)
        return torch.nn.functional.adaptive_avg_pool2d(images.float().mean(1), 2).flatten(1) / 255

    def input_size(self, height, width):
        return height, width


class BrightestQuadrant(FourMeans, Classifier):
    """The toy extractor with a class: which quadrant is brightest."""

    name = "quadrants"

    def classify(self, features):
        return features.argmax(1)


def byte_images(count: int, seed: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (count, 3, 4, 4), dtype=torch.uint8, generator=generator)


def measure(originals, reconstructions, extractor, key="key"):
    measured = FeatureDistances(extractor, key, CPU)
    for parts in zip(originals.split(5), reconstructions.split(5), strict=True):
        measured.update(*parts)
    return measured.compute(), measured


def test_frechet_distance_of_a_shifted_and_scaled_copy():
    # For y = s x + t the covariances commute: |mean x − mean y|² + (1 − s)² tr Σ.
    x = np.random.default_rng(0).normal(size=(500, 6)) @ np.random.default_rng(1).normal(size=(6, 6))
    y = 1.5 * x + 0.7
    expected = ((x.mean(0) - y.mean(0)) ** 2).sum() + 0.25 * np.trace(np.cov(x.T))
    assert frechet_distance(torch.from_numpy(x), torch.from_numpy(y)) == pytest.approx(expected, rel=1e-9)


def test_frechet_distance_of_diagonal_gaussians():
    # Columns made exactly uncorrelated: Σ_i (σ_i − τ_i)² beside the means.
    q, _ = np.linalg.qr(np.column_stack([np.ones(200), np.random.default_rng(0).normal(size=(200, 6))]))
    basis = q[:, 1:] * np.sqrt(199)
    sigma, tau = np.array([1.0, 2.0, 0.5]), np.array([3.0, 0.1, 0.5])
    x, y = basis[:, :3] * sigma + [0, 0, 1], basis[:, 3:] * tau
    assert frechet_distance(torch.from_numpy(x), torch.from_numpy(y)) == pytest.approx(1 + 4 + 1.9**2, rel=1e-9)


def test_frechet_distance_of_single_precision_features_far_from_zero_is_computed_in_double():
    x = torch.randn(300, 5, generator=torch.Generator().manual_seed(0)) + 1000
    assert frechet_distance(x, x) == pytest.approx(0, abs=1e-6)


def direct_kid(x: np.ndarray, y: np.ndarray) -> float:
    def kernel(a, b):
        return (float(a @ b) / len(a) + 1) ** 3

    n = len(x)
    within = [kernel(f[i], f[j]) for f in (x, y) for i in range(n) for j in range(n) if i != j]
    between = [kernel(a, b) for a in x for b in y]
    return sum(within) / (n * (n - 1)) - 2 * sum(between) / n**2


def test_kernel_distance_against_the_direct_formula():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(23, 5)), rng.normal(0.3, 1, size=(23, 5))
    assert kernel_distance(torch.from_numpy(x), torch.from_numpy(y)) == pytest.approx(direct_kid(x, y), rel=1e-9)
    single = kernel_distance(torch.from_numpy(x).float(), torch.from_numpy(y).float())
    assert single == pytest.approx(direct_kid(x, y), abs=2e-6)


def test_kernel_distance_of_many_images_is_drawn_with_a_seed_of_its_own(monkeypatch):
    monkeypatch.setattr(distances, "MAX_WHOLE", 50)
    monkeypatch.setattr(distances, "SUBSET_SIZE", 40)
    rng = np.random.default_rng(0)
    x, y = (torch.from_numpy(rng.normal(mean, 1, size=(80, 5))) for mean in (0, 0.5))
    torch.manual_seed(1)
    before = torch.random.get_rng_state()
    first = kernel_distance(x, y)
    assert torch.equal(torch.random.get_rng_state(), before)
    torch.manual_seed(2)
    assert kernel_distance(x, y) == first
    # The mean over subsets estimates the distance of all images.
    assert first == pytest.approx(direct_kid(x.numpy(), y.numpy()), rel=0.15)


def test_distance_is_withheld_below_twice_the_number_of_features():
    few, measured = measure(byte_images(7, 0), byte_images(7, 1), FourMeans())
    assert few["fd_four_means"] is None
    assert few["kid_four_means"] is not None
    assert measured.details()["withheld"] == "7 images are fewer than twice the 4 features"
    enough, measured = measure(byte_images(8, 0), byte_images(8, 1), FourMeans(), "another key")
    assert enough["fd_four_means"] > 0
    assert measured.details()["withheld"] is None
    assert measured.details()["images"] == 8


def test_one_image_has_no_distance():
    measured, _ = measure(byte_images(1, 0), byte_images(1, 1), FourMeans())
    assert measured == {"fd_four_means": None, "kid_four_means": None}


def test_originals_are_seen_once():
    originals, reconstructions = byte_images(20, 0), byte_images(20, 1)
    first, second = FourMeans(), FourMeans()
    expected, _ = measure(originals, reconstructions, first)
    assert measure(originals, reconstructions, second)[0] == expected
    assert (first.seen, second.seen) == (40, 20)


def test_other_originals_weights_or_extractors_are_not_mixed_up():
    measure(byte_images(20, 0), byte_images(20, 1), FourMeans())
    other_key, other_weights, other_name = FourMeans(), FourMeans(), FourMeans()
    other_weights.weights = "1" * 64
    other_name.name = "other"
    for extractor, key in ((other_key, "another key"), (other_weights, "key"), (other_name, "key")):
        measure(byte_images(20, 0), byte_images(20, 1), extractor, key)
        assert extractor.seen == 40


@pytest.mark.parametrize(
    "damage",
    [lambda b: b[:-30], lambda b: b[:200] + bytes([b[200] ^ 1]) + b[201:], lambda b: b"", lambda b: b"PK junk"],
)
def test_damaged_cache_is_computed_again(damage, cache):
    expected, _ = measure(byte_images(20, 0), byte_images(20, 1), FourMeans())
    (file,) = (cache / "features").iterdir()
    whole = file.read_bytes()
    file.write_bytes(damage(whole))
    extractor = FourMeans()
    assert measure(byte_images(20, 0), byte_images(20, 1), extractor)[0] == expected
    assert extractor.seen == 40
    assert file.read_bytes() == whole


def test_a_cache_that_cannot_be_written_costs_nothing_but_time(cache):
    cache.parent.mkdir()
    cache.write_text("a file where the folder should be")
    first, _ = measure(byte_images(20, 0), byte_images(20, 1), FourMeans())
    assert measure(byte_images(20, 0), byte_images(20, 1), FourMeans())[0] == first


def test_a_key_that_names_other_images_is_noticed():
    measure(byte_images(20, 0), byte_images(20, 1), FourMeans())
    with pytest.raises(AssertionError, match="the key of the originals names other images"):
        measure(byte_images(15, 0), byte_images(15, 1), FourMeans())


def test_class_agreement_is_the_share_of_pairs_in_one_class():
    originals = torch.zeros(12, 3, 4, 4, dtype=torch.uint8)
    originals[:, :, :2, :2] = 200
    reconstructions = originals.clone()
    reconstructions[:3] = originals[:3].flip(3)
    reconstructions[3:6] //= 2  # darker, in the same class
    for _ in range(2):  # the second time with features of the originals out of the cache
        measured, _ = measure(originals, reconstructions, BrightestQuadrant())
        assert measured["class_agreement"] == 0.75
    assert "class_agreement" not in measure(originals, reconstructions, FourMeans(), "another key")[0]
