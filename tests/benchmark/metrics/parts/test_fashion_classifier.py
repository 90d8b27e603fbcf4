"""The classifier of Fashion-MNIST: what its file holds, what it knows, and how it is trained."""

import pytest
import torch
import torch.nn.functional as F

from benchmark.data.fashion_mnist import CLASSES
from benchmark.metrics.parts import fashion_classifier
from benchmark.metrics.parts.features import FashionClassifier
from methods.core.usage import UsageError

CPU = torch.device("cpu")


def drawn(*boxes: tuple[slice, slice]) -> torch.Tensor:
    """A colour image of light boxes (rows, columns) on black, uint8 ``[1, 3, 28, 28]``."""
    image = torch.zeros(1, 3, 28, 28, dtype=torch.uint8)
    for rows, columns in boxes:
        image[:, :, rows, columns] = 180
    return image


def test_committed_weights():
    network = fashion_classifier.load(CPU)
    assert sum(tensor.numel() for tensor in network.state_dict().values()) == 47_034
    assert all(tensor.dtype == torch.float32 for tensor in network.state_dict().values())
    assert fashion_classifier.WEIGHTS.stat().st_size < 100_000


def test_it_knows_trousers_and_a_shirt_from_their_outlines():
    trousers = drawn((slice(0, 7), slice(8, 20)), (slice(7, 28), slice(8, 13)), (slice(7, 28), slice(15, 20)))
    shirt = drawn((slice(2, 26), slice(8, 20)), (slice(2, 10), slice(3, 25)))
    extractor = FashionClassifier(CPU)
    features = extractor(torch.cat([trousers, shirt]))
    assert features.shape == (2, extractor.num_features)
    assert [CLASSES[number] for number in extractor.classify(features)] == ["trouser", "T-shirt/top"]
    assert extractor.weights == fashion_classifier.SHA256


def test_loading_draws_no_random_numbers():
    torch.manual_seed(3)
    before = torch.random.get_rng_state()
    FashionClassifier(CPU)
    assert torch.equal(torch.random.get_rng_state(), before)


def test_damaged_and_missing_weights(tmp_path):
    content = bytearray(fashion_classifier.WEIGHTS.read_bytes())
    content[5000] ^= 1
    damaged = tmp_path / "weights.npz"
    damaged.write_bytes(content)
    with pytest.raises(
        UsageError, match=r"weights.npz does not hold the committed weights .*; install this package again$"
    ):
        fashion_classifier.load(CPU, damaged)
    with pytest.raises(UsageError, match=r"nothing.npz, are missing; install this package again$"):
        fashion_classifier.load(CPU, tmp_path / "nothing.npz")


def test_folding_changes_nothing():
    torch.manual_seed(0)
    network = fashion_classifier.Network(norms=True)
    images = torch.rand(8, 1, 28, 28) * 2 - 1
    for _ in range(3):
        network(images)  # statistics of the batch norms
    with torch.no_grad():
        expected = network.eval()(images)
        assert torch.allclose(fashion_classifier.folded(network)(images), expected, atol=1e-5)


def test_training_comes_out_again_and_learns(tmp_path, capsys):
    classes = torch.arange(256) % 2
    images = (2.0 * classes - 1).reshape(-1, 1, 1, 1).expand(-1, 1, 28, 28) * 0.9
    networks = [fashion_classifier.train(images, classes, epochs=2) for _ in range(2)]
    first, second = (fashion_classifier.save(network, tmp_path / "weights.npz") for network in networks)
    assert first == second
    assert fashion_classifier.accuracy(networks[0], images, classes) == 1
    assert capsys.readouterr().err.count("epoch 2 of 2") == 2


def test_maxima_without_a_gradient_are_those_of_pooling():
    network = fashion_classifier.load(CPU)
    for size in (28, 14, 7):
        maps = torch.randn(3, 5, size, size, generator=torch.Generator().manual_seed(size))
        maps[0, 0, 0, 1] = torch.nan
        torch.testing.assert_close(network._halve(maps), F.max_pool2d(maps, 2), rtol=0, atol=0, equal_nan=True)
