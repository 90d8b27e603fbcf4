"""PSNR of batches and SSIM with a uniform window, beside scikit-image's."""

import numpy as np
import pytest
import torch

from benchmark.metrics.parts.extra import create_metrics
from benchmark.metrics.simvq_evaluation import SimVQEvaluation, rounded_down, uniform_ssim
from methods.core.usage import UsageError

CPU = torch.device("cpu")


def images(count: int) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    originals = torch.rand(count, 3, 12, 10, generator=generator) * 2 - 1
    return originals, originals + 0.3 * torch.randn(originals.shape, generator=generator)


def test_ssim_is_scikit_image_s() -> None:
    skimage = pytest.importorskip("skimage.metrics")
    one, other = (rounded_down(batch) for batch in images(2))
    expected = [
        skimage.structural_similarity(a, b, data_range=1.0, channel_axis=-1)
        for a, b in zip(one.movedim(1, -1).numpy(), other.movedim(1, -1).numpy(), strict=True)
    ]
    assert uniform_ssim(one, other).tolist() == pytest.approx(expected, abs=1e-6)
    assert uniform_ssim(one, one).tolist() == pytest.approx([1, 1])


def test_a_batch_has_one_psnr_and_the_last_counts_like_the_others() -> None:
    originals, reconstructions = images(70)
    measured = SimVQEvaluation(CPU)
    for start in range(0, 70, 33):  # batches of the evaluation are others
        measured.update(originals[start : start + 33], reconstructions[start : start + 33])
    errors = np.square((rounded_down(originals) - rounded_down(reconstructions)).double().numpy()).mean((1, 2, 3))
    expected = np.mean([-10 * np.log10(errors[:64].mean()), -10 * np.log10(errors[64:].mean())])
    found = measured.compute()
    assert found["psnr_of_batches"] == pytest.approx(expected)
    similarity = uniform_ssim(rounded_down(originals), rounded_down(reconstructions))
    assert found["ssim_uniform"] == pytest.approx(float((similarity[:64].mean() + similarity[64:].mean()) / 2))


def test_a_batch_without_error_has_no_psnr() -> None:
    measured = SimVQEvaluation(CPU)
    measured.update(images(2)[0], images(2)[0])
    assert measured.compute() == {"psnr_of_batches": None, "ssim_uniform": pytest.approx(1)}


def test_values_are_rounded_down() -> None:
    assert rounded_down(torch.tensor([-1.2, -1.0, 0.0, 0.999, 1.0])).mul(255).tolist() == pytest.approx(
        [0, 0, 127, 254, 255]
    )


def test_images_smaller_than_the_window() -> None:
    options = {"features": None, "lpips": [], "extra": ["simvq_evaluation"]}
    supplied = {"item_shape": (3, 6, 8), "device": CPU, "originals_key": "", "sample_rate": None}
    with pytest.raises(UsageError, match="a window of 7 pixels, more than images of 6x8"):
        create_metrics("image", options, **supplied)
