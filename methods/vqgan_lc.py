"""VQGAN-LC: a trained linear map over frozen features of a pretrained network."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import mse_loss

from methods.core.base import Card, Knob, Quantized
from methods.core.registry import register
from methods.core.saved import UnreadableError, load_saved
from methods.core.usage import UsageError, check_range
from methods.parts.codebook import CodebookQuantizer
from methods.parts.entropy import ENTROPY_OPTIONS, EntropyRegularised
from methods.parts.estimators import straight_through

GAUSSIAN, PATCHES = "gaussian", "patches"
_WIDTHS = {GAUSSIAN: 768, PATCHES: 1280}
"""Numbers a feature where no file says it: those of CLIP and of EfficientNet-Lite0."""


@register("vqgan_lc")
class VQGANLC(EntropyRegularised, CodebookQuantizer):
    """Codewords are frozen features of image patches, mapped to the latent space by a trained projector.

    Zhu et al., "Scaling the Codebook Size of VQGAN to 100,000 with a Utilization Rate of 99%", NeurIPS
    2024, arXiv 2406.11837.

    Args:
        features: ``patches``, features of the training images' patches, which the harness makes before the
            first step; or a file with one feature a row, ``.npy`` or ``.pt``, made by ``python -m
            benchmark features`` or by the authors' own scripts, ``{codebook_size}`` in its name standing
            for that number. ``gaussian``, the default, needs neither images nor a pretrained network, and is
            not the paper's method: frozen N(0, 1/768) rows of 768 numbers, the width of CLIP's.
        commitment_weight: weight of the commitment loss; the authors' 1 times their outer weight 0.1.
        codebook_weight: weight of the codebook loss; the authors' 0.33 times 0.1.
        entropy_weight: weight of entropies, as in `vq_vae`.
        entropy_temperature: temperature of their soft assignment.
        entropy_start: that weight in the first step, in multiples of it.
        entropy_share: share of the run in which it falls to 1.
    """

    card = Card(
        idea="a trained linear map over frozen features of a pretrained network",
        paper='Zhu, Wei, Lu, Chen, "Scaling the Codebook Size of VQGAN to 100,000 with a Utilization Rate of 99%", '
        "NeurIPS 2024, arXiv 2406.11837",
        code="zh460045050/VQGAN-LC, vqgan-gpt-lc/models/models_vq.py, VQModel.quantize",
        trains="projector (F x D and bias); features (K x F) are frozen",
        memory="N·D + K·F",
        schedule="nothing by default; `entropy_start` falls to 1 over `entropy_share` of the run",
        differences=(
            "by default the features are Gaussian, as not all data are images; the paper's are `features: patches`",
            "the features made here are k-means centroids of EfficientNet-Lite0's patches, clustered within groups of "
            "similar patches and scaled to a mean squared norm of 1; the authors' are CLIP's, clustered within classes",
            "decode looks up the projected features; the authors' decode_code refers to an attribute that is not there",
        ),
        evidence=(
            "the authors' code on 1,024 latents of 8 dimensions with random features, K = 512 and F = 96, K = 4,096 "
            "and F = 768: output, codes and gradients of latents equal, loss within 2.4e-7 of 3.9, gradients of the "
            "projector within a relative 3.2e-7",
            "with features and map of `simvq` in place of its own it is `simvq`, bit for bit",
        ),
        distributed=Card.SAME_AS_ONE,
    )
    knob = Knob("commitment_weight", (0.03, 0.1, 0.3), below=(0.01,), above=(1.0, 3.0))
    added = ENTROPY_OPTIONS
    features: Tensor

    def __init__(
        self,
        codebook_size: int,
        dim: int,
        *,
        features: str = GAUSSIAN,
        commitment_weight: float = 0.1,
        codebook_weight: float = 0.033,
        entropy_weight: float = 0.0,
        entropy_temperature: float = 0.01,
        entropy_start: float = 1.0,
        entropy_share: float = 0.002,
    ) -> None:
        check_range("commitment_weight", commitment_weight, 0)
        check_range("codebook_weight", codebook_weight, 0)
        super().__init__(codebook_size, dim, features=features, entropy_weight=entropy_weight)
        self.set_entropy(entropy_weight, entropy_temperature, entropy_start, entropy_share)
        self.commitment_weight = commitment_weight
        self.codebook_weight = codebook_weight
        self.from_patches = features == PATCHES
        if features in (GAUSSIAN, PATCHES):
            width = _WIDTHS[features]
            rows = torch.randn(self.codebook_size, width) * width**-0.5
        else:
            rows = read_features(features, self.codebook_size).float()
            if not bool(rows.isfinite().all()):
                raise UsageError(f"the features in {features} are not all finite")
        self.register_buffer("features", rows)
        self.projector = nn.Linear(rows.shape[1], dim)
        nn.init.normal_(self.projector.weight, std=dim**-0.5)

    @classmethod
    def resolve_size(cls, codebook_size: int, *, features: str = GAUSSIAN, **params: Any) -> tuple[int, ...]:
        """The wanted size, for which a file of features must have as many rows."""
        sizes = super().resolve_size(codebook_size, **params)
        if features not in (GAUSSIAN, PATCHES):
            read_features(features, codebook_size)
        return sizes

    def use_pretrained(self, features: Callable[[int], Tensor]) -> None:
        """Take the place of the Gaussian rows, if ``features`` is ``patches``."""
        if self.from_patches:
            rows = features(self.codebook_size)
            assert rows.shape == self.features.shape, f"features {tuple(rows.shape)}, not {tuple(self.features.shape)}"
            self.features.copy_(rows)

    def effective_codebook(self) -> Tensor:
        """The features projected to ``[K, D]``."""
        return self.projector(self.features)

    def forward(self, latents: Tensor) -> Quantized:
        """Loss: commitment_weight · mean |sg q - z|² + codebook_weight · mean |q - sg z|², before straight-through."""
        with torch.no_grad():
            effective = self.effective_codebook()
        codes = self.nearest(latents, effective)
        indices = codes.squeeze(-1)
        # Gather before projecting: gradients need the N chosen rows only, not all K.
        quantized = self.projector(self.features[indices]) if self.training else effective[indices]
        commitment = mse_loss(latents, quantized.detach())
        loss = self.commitment_weight * commitment + self.codebook_weight * mse_loss(quantized, latents.detach())
        log = {"commitment": commitment.detach()}
        if self.training and self.entropy_weight:
            loss, entropies = self.regularise(loss, latents, self.effective_codebook())
            log |= entropies
        output = straight_through(latents, quantized) if self.training else quantized
        return Quantized(output, codes, loss, log)


def read_features(features: str, codebook_size: int) -> Tensor:
    """The rows of a file of features, not yet in memory where its format allows.

    Raises:
        UsageError: there is no such file, it holds no table of numbers, or not ``codebook_size`` rows.
    """
    if not isinstance(features, str):
        raise UsageError(f"features must be `{PATCHES}`, `{GAUSSIAN}` or the name of a file, not {features!r}")
    file = Path(features.replace("{codebook_size}", str(codebook_size))).expanduser()
    if not file.is_file():
        raise UsageError(
            f"there is no file of features {file}; make it with `python -m benchmark features DATASET "
            f"--codebook-size {codebook_size} --out {file}`, or use `features: {PATCHES}`"
        )
    try:
        # Neither reader runs code from the file: no pickled NumPy objects, and weights only.
        rows = (
            torch.from_numpy(np.load(file, mmap_mode="c", allow_pickle=False))
            if file.suffix == ".npy"
            else load_saved(file)
        )
    except UnreadableError as error:
        raise UsageError(f"{file} can't be read as features: {error}") from error
    except Exception as error:
        raise UsageError(f"{file} can't be read as features: {type(error).__name__}") from error
    if not isinstance(rows, Tensor) or rows.dim() != 2 or not rows.is_floating_point():
        raise UsageError(f"{file} must hold a table of numbers, one feature a row")
    if rows.shape[0] != codebook_size:
        raise UsageError(f"{file} has {rows.shape[0]:,} features, not {codebook_size:,}: one is needed for each code")
    return rows
