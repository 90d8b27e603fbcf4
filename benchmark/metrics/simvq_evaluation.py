"""PSNR and SSIM as the evaluation script of SimVQ's repository computes them; our own differ on purpose."""

import torch
import torch.nn.functional as F
from torch import Tensor

from benchmark.metrics import extra_metrics
from benchmark.metrics.base import ReconstructionMetrics, Value
from methods.core.usage import UsageError
from methods.parts.processes import gather_rows

BATCH = 64
WINDOW = 7
_C1, _C2 = 0.01**2, 0.03**2


class SimVQEvaluation(ReconstructionMetrics):
    """Errors and similarities of images one by one, put together in batches of 64, the last of which may be smaller."""

    def __init__(self, device: torch.device) -> None:
        self._rows = [torch.zeros(0, 2, dtype=torch.float64, device=device)]

    @torch.inference_mode()
    def update(self, originals: Tensor, reconstructions: Tensor) -> None:
        """Add originals and reconstructions ``[B, C, H, W]`` in [-1, 1]."""
        made, wanted = (rounded_down(images.float()) for images in (reconstructions, originals))
        errors = (made - wanted).double().square().flatten(1).mean(1)
        self._rows.append(torch.stack([errors, uniform_ssim(made, wanted)], dim=1))

    @torch.inference_mode()
    def compute(self) -> dict[str, Value]:
        """``psnr_of_batches``, None where a batch has no error at all, and ``ssim_uniform``."""
        batches = torch.stack([batch.mean(0) for batch in gather_rows(torch.cat(self._rows)).split(BATCH)])
        errors, similarity = batches.unbind(1)
        psnr = float((-10 * errors.log10()).mean()) if (errors > 0).all() else None
        return {"psnr_of_batches": psnr, "ssim_uniform": float(similarity.mean())}


def rounded_down(images: Tensor) -> Tensor:
    """Images in [-1, 1] as 8-bit values in [0, 1], rounded down."""
    return (((images.clamp(-1, 1) + 1) / 2) * 255).floor() / 255


def uniform_ssim(one: Tensor, other: Tensor) -> Tensor:
    """``[B]`` of images in [0, 1], as scikit-image computes it: sample covariances, without the border."""
    pairs = torch.stack([one, other, one * one, other * other, one * other]).double()
    count = WINDOW**2
    first, second, squares, others, products = F.avg_pool2d(pairs.flatten(0, 1), WINDOW, stride=1).unflatten(0, (5, -1))
    scale = count / (count - 1)
    variance, another, covariance = (
        scale * (square - mean)
        for square, mean in ((squares, first**2), (others, second**2), (products, first * second))
    )
    similarity = (2 * first * second + _C1) * (2 * covariance + _C2)
    similarity = similarity / ((first**2 + second**2 + _C1) * (variance + another + _C2))
    return similarity.flatten(1).mean(1)


@extra_metrics.register("simvq_evaluation", modality="image")
def simvq_evaluation(*, item_shape: tuple[int, ...], device: torch.device) -> ReconstructionMetrics:
    """Images: PSNR over batches of 64 and SSIM with a uniform window, as SimVQ's evaluation.py has them.

    Its LPIPS is `lpips_alex` and `lpips_vgg` at sides of at least 64 pixels.

    Raises:
        UsageError: images smaller than the window.
    """
    if min(item_shape[1:]) < WINDOW:
        shown = "x".join(map(str, item_shape[1:]))
        raise UsageError(f"metric `simvq_evaluation` has a window of {WINDOW} pixels, more than images of {shown}")
    return SimVQEvaluation(device)
