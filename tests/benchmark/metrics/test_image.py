"""The metrics of images together: clamping, grey, one image, columns, details, samples."""

from functools import cache

import numpy as np
import pytest
import torch
from PIL import Image
from skimage import data

from benchmark.metrics import image, metrics
from benchmark.metrics.catalogue import describe
from benchmark.metrics.parts.features import EXTRACTORS
from benchmark.metrics.parts.perceptual import load_lpips
from benchmark.metrics.parts.pixels import psnr, ssim
from methods.core.usage import UsageError

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def networks():
    """Each network loaded once, for all tests of what is made of its answers: none changes it."""
    return {"load_lpips": cache(load_lpips), "EXTRACTORS": {name: cache(build) for name, build in EXTRACTORS.items()}}


@pytest.fixture
def loaded(networks, monkeypatch):
    for name, once in networks.items():
        monkeypatch.setattr(image, name, once)


def photographs(count: int, size: int = 32) -> torch.Tensor:
    """Crops of the astronaut ``[B, 3, H, W]`` in [-1, 1]."""
    rng, picture = np.random.default_rng(0), data.astronaut()
    corners = rng.integers(0, 512 - size, size=(count, 2))
    crops = [picture[y : y + size, x : x + size] for y, x in corners]
    return torch.from_numpy(np.stack(crops)).permute(0, 3, 1, 2).float() / 127.5 - 1


def noisy(images: torch.Tensor, amount: float) -> torch.Tensor:
    return images + amount * torch.randn(images.shape, generator=torch.Generator().manual_seed(0))


def create(images, **options):
    options = {"features": None, "lpips": []} | options
    return metrics.create("image", options, item_shape=tuple(images.shape[1:]), device=CPU, originals_key="key")


def measure(originals, reconstructions, batch=7, **options):
    measured = create(originals, **options)
    for parts in zip(originals.split(batch), reconstructions.split(batch), strict=True):
        measured.update(*parts)
    return measured.compute()


def test_averages_over_images_whatever_the_batches():
    originals = photographs(10)
    reconstructions = noisy(originals, 0.2)
    shown = reconstructions.clamp(-1, 1)
    measured = measure(originals, reconstructions)
    assert measured["n_images"] == 10
    assert measured["psnr"] == pytest.approx(psnr(originals, shown).mean().item(), rel=1e-6)
    assert measured["ssim"] == pytest.approx(ssim(originals, shown).mean().item(), rel=1e-5)
    assert measure(originals, reconstructions, batch=10) == pytest.approx(measured, rel=1e-6)


def test_only_the_mse_sees_what_cannot_be_shown():
    originals = torch.ones(2, 1, 8, 8)
    measured = measure(originals, originals + 0.5)
    assert measured == {"n_images": 2, "mse": 0.25, "psnr": 100.0, "ssim": pytest.approx(1)}


def test_lpips_is_that_of_images_enlarged_to_64_pixels(loaded):
    originals = photographs(3)
    reconstructions = noisy(originals, 0.3)
    measured = measure(originals, reconstructions, lpips=["alex"])
    large = [
        torch.nn.functional.interpolate(images, size=64, mode="bilinear")
        for images in (originals, reconstructions.clamp(-1, 1))
    ]
    with torch.inference_mode():
        expected = load_lpips("alex", CPU)(*large).mean().item()
    assert measured["lpips_alex_64px"] == pytest.approx(expected, rel=1e-4)


def test_column_of_lpips_at_the_images_own_size(loaded):
    originals = photographs(1, 64)
    measured = measure(originals, noisy(originals, 0.1), lpips=["alex", "vgg"])
    assert set(measured) == {"n_images", "mse", "psnr", "ssim", "lpips_alex", "lpips_vgg"}
    assert 0 < measured["lpips_alex"] < measured["lpips_vgg"] < 0.5


def test_grey_images_are_measured_like_their_colour_copies(loaded):
    grey = photographs(4)[:, :1]
    options = {"features": "efficientnet_lite0", "lpips": ["alex"]}
    measured = measure(grey, noisy(grey, 0.2), **options)
    colour = measure(grey.repeat(1, 3, 1, 1), noisy(grey, 0.2).repeat(1, 3, 1, 1), **options)
    assert measured.pop("fd_efficientnet_lite0") is colour.pop("fd_efficientnet_lite0") is None
    assert measured == pytest.approx(colour, rel=1e-4)


def test_more_noise_is_worse_in_every_metric(loaded):
    originals = photographs(16)
    results = [
        measure(originals, noisy(originals, amount), features="efficientnet_lite0", lpips=["alex"])
        for amount in (0.05, 0.4)
    ]
    for name in results[0]:
        signs = {"lower": 1, "higher": -1, "none": 0}
        if name != "fd_efficientnet_lite0" and signs[describe(name).direction]:
            assert (results[1][name] - results[0][name]) * signs[describe(name).direction] > 0, name


def test_one_image(loaded):
    original = photographs(1) / 2
    measured = measure(original, noisy(original, 0.1), features="efficientnet_lite0")
    assert measured["fd_efficientnet_lite0"] is None
    assert measured["kid_efficientnet_lite0"] is None
    assert measured["psnr"] == pytest.approx(26, abs=0.3)


def test_images_too_small_for_the_window_have_no_ssim():
    originals = torch.zeros(3, 3, 4, 4)
    measured = create(originals)
    measured.update(originals, originals + 0.1)
    assert measured.compute()["ssim"] is None
    assert measured.compute()["psnr"] == pytest.approx(20 * np.log10(2 / 0.1), rel=1e-5)
    assert measured.details() == {"ssim": {"withheld": "its window needs 6 pixels a side"}}
    smallest = torch.zeros(1, 1, 6, 6)
    assert measure(smallest, smallest)["ssim"] == pytest.approx(1)


def test_features_of_fashion_mnist(loaded):
    originals = photographs(130, 28)[:, :1]
    same = measure(originals, originals, batch=50, features="fashion_classifier")
    assert same["fd_fashion_classifier"] == pytest.approx(0, abs=1e-6)
    assert same["class_agreement"] == 1
    half = originals.clone()
    half[:65] *= -1
    changed = measure(originals, half, batch=50, features="fashion_classifier")
    assert changed["fd_fashion_classifier"] > 0.01
    assert changed["kid_fashion_classifier"] > 0.01
    assert 0.5 <= changed["class_agreement"] < 0.9


def test_details_of_features_at_the_images_own_size(loaded):
    originals = photographs(2, 28)[:, :1]
    measured = create(originals, features="fashion_classifier")
    measured.update(originals, originals)
    measured.compute()
    details = measured.details()["fd_fashion_classifier"]
    assert (details["image_size"], details["input"], details["num_features"]) == ("28×28", "28×28", 64)
    assert details["withheld"] == "2 images are fewer than twice the 64 features"


def test_details_name_networks_weights_sizes_and_what_is_withheld():
    originals = photographs(2)
    measured = create(originals, features="efficientnet_lite0", lpips=["alex"])
    measured.update(originals, originals)
    measured.compute()
    details = measured.details()
    assert details["lpips_alex_64px"] == {"weights_sha256": "443c5bc35326", "input": "64×64"}
    features = details["fd_efficientnet_lite0"]
    assert features["weights_sha256"] == "579344248a93"
    assert (features["extractor"], features["num_features"], features["images"]) == ("efficientnet_lite0", 1280, 2)
    assert features["withheld"] == "2 images are fewer than twice the 1,280 features"
    assert (features["image_size"], features["input"]) == ("32×32", "64×64")


def test_mixed_precision_around_the_evaluation_changes_nothing(loaded):
    originals = photographs(2)
    reconstructions = noisy(originals, 0.2)
    expected = measure(originals, reconstructions, lpips=["alex"])
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert measure(originals, reconstructions, lpips=["alex"]) == expected


def test_measuring_draws_no_random_numbers():
    originals = photographs(3)
    torch.manual_seed(5)
    before = torch.random.get_rng_state()
    measure(originals, noisy(originals, 0.1), features="efficientnet_lite0", lpips=["alex"])
    assert torch.equal(torch.random.get_rng_state(), before)


def test_samples_show_originals_over_reconstructions(tmp_path):
    originals = photographs(10)[:, :1]
    create(originals).save_samples(originals, -originals, tmp_path)
    sheet = np.asarray(Image.open(tmp_path / "samples.png")).astype(int)
    assert sheet.shape == (64, 8 * 32, 3)
    third = ((originals[2, 0] + 1) * 127.5).round().numpy()
    assert (sheet[:32, 64:96] == third[:, :, None]).all()
    assert (sheet[32:] == 255 - sheet[:32]).all()


@pytest.mark.parametrize(
    ("shape", "options", "message"),
    [
        ((4, 8, 8), {}, "need grey or colour images, of 1 or 3 channels, not 4"),
        ((3, 8, 8), {"features": "inceptoin"}, r"`features` must be one of .*\(did you mean `inception`\?\)"),
        (
            (3, 8, 8),
            {"lpips": ["alexnet"]},
            r"`lpips` lists 'alexnet' \(did you mean `alex`\?\); there are: `alex`, `vgg`",
        ),
        (
            (3, 32, 32),
            {"features": "fashion_classifier"},
            "^features `fashion_classifier` know Fashion-MNIST only, grey images of 1×28×28, not 3×32×32; "
            "measure these images with `efficientnet_lite0`$",
        ),
        ((3, 8, 8), {"lpip": []}, r"has no parameter `lpip` \(did you mean `lpips`\?\)"),
    ],
)
def test_what_a_person_typed_wrong(shape, options, message):
    with pytest.raises(UsageError, match=message):
        create(torch.zeros(1, *shape), **options)


def test_unknown_modality():
    with pytest.raises(UsageError, match=r"unknown modality `imag` \(did you mean `image`\?\)"):
        metrics.create("imag", {}, item_shape=(3, 8, 8), device=CPU, originals_key="key")


@pytest.mark.slow
def test_a_whole_test_set_is_at_no_distance_from_itself():
    originals = photographs(2560)
    options = {"batch": 128, "features": "efficientnet_lite0"}
    far = measure(originals, noisy(originals, 0.1), **options)["fd_efficientnet_lite0"]
    itself = measure(originals, originals, **options)["fd_efficientnet_lite0"]
    assert far > 1
    assert itself == pytest.approx(0, abs=1e-3 * far)
