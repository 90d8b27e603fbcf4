"""SimVQ: a learned linear map over a frozen random codebook."""

from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from methods.core.base import Card, Knob
from methods.core.registry import register
from methods.core.usage import UsageError, check_choice, check_range
from methods.parts.entropy import ENTROPY_OPTIONS
from methods.parts.kept_codebook import KeptCodebook
from methods.parts.upkeep import resolve_upkeep


@register("simvq")
class SimVQ(KeptCodebook):
    """Codewords C·Wᵀ + b with C frozen: one step on W moves every codeword, chosen or not.

    Zhu et al., "Addressing Representation Collapse in Vector Quantized Models with One Linear
    Layer", ICCV 2025, arXiv 2411.02038.

    Args:
        beta: weight of the commitment loss; the codebook loss has weight 1.
        bias: whether the map has a bias, as in the authors' code (their formula has none).
        layers: linear layers of the map, with ReLU between; 1 is the paper's, 0 no map at all.
        train_map: whether the map is trained.
        train_codebook: whether C is trained too.
        init: start of C: ``gaussian`` N(0, 1/D), ``uniform`` of the same variance, or ``kmeans`` of
            the first batches' latents.
        init_scale: factor on the Gaussian or uniform start.
        estimator: how the gradient passes, as in `vq_vae`.
        upkeep: what happens to rows of C beside the optimiser's step, as in `vq_vae`: ``reset``, ``cvq`` and ``expiry``
            choose by the effective codewords, and put the row of C there that the map takes to the latent; ``copies``
            copies rows of C. Their uses alone are averaged.
        upkeep_params: parameters of the upkeep, over its defaults.
        entropy_weight: weight of entropies, as in `vq_vae`.
        entropy_temperature: temperature of their soft assignment.
        entropy_start: that weight in the first step, in multiples of it.
        entropy_share: share of the run in which it falls to 1.
    """

    card = Card(
        idea="a linear map over a frozen random codebook, so that every step moves every codeword",
        paper='Zhu, Li, Xin, Xia, Xu, "Addressing Representation Collapse in Vector Quantized Models with One Linear '
        'Layer", ICCV 2025, arXiv 2411.02038',
        code="youngsheen/SimVQ, taming/modules/vqvae/quantize.py, SimVQ",
        trains="map (D x D and bias); the codebook C (K x D) is frozen",
        memory="N·D + K·D",
        schedule="nothing by default; see `vq_vae` for those of upkeep and entropies",
        differences=(
            "decode looks up the mapped codebook; the authors' get_codebook_entry returns the rows of C",
            "beta weighs the commitment term (the authors' configurations, legacy=False; not their class default)",
            "the search is fp32; theirs runs in fp16 under autocast",
        ),
        evidence=(
            "the authors' SimVQ (commit d8bd94d, legacy=False), ten steps, five of SGD and five of Adam, on the same "
            "512 latents each, K = 64, D = 16: codes equal; output, loss, gradients of latents, W and b, and W and b "
            "after each step within 2.4e-7",
            "gradients of W and b, and the motion of every codeword in a step, equal their closed forms in fp64 within "
            "6.9e-7 of the largest entry (20 seeds)",
            "Wasserstein-VQ's mean-shift study, linear arm, shift 2, with its draws: error, usage, perplexity 24.717, "
            "4.85 % and 35.21 at step 0 and 9.5354, 3.36 % and 15.84 at step 1, as published; 1.59259, 28.80 % and "
            "2,864.5 at step 100, published 1.59258, 28.79 % and 2,864.4",
        ),
        distributed=Card.SAME_AS_ONE,
    )
    knob = Knob("beta", (0.1, 0.25, 1.0), below=(0.03, 0.01), above=(3.0, 10.0))
    added: ClassVar[tuple[str, ...]] = ("estimator", "upkeep", "upkeep_params", *ENTROPY_OPTIONS)
    mapped = True

    def __init__(
        self,
        codebook_size: int,
        dim: int,
        *,
        beta: float = 0.25,
        bias: bool = True,
        layers: int = 1,
        train_map: bool = True,
        train_codebook: bool = False,
        init: str = "gaussian",
        init_scale: float = 1.0,
        estimator: str = "straight_through",
        upkeep: str = "none",
        upkeep_params: Mapping[str, Any] | None = None,
        entropy_weight: float = 0.0,
        entropy_temperature: float = 0.01,
        entropy_start: float = 1.0,
        entropy_share: float = 0.002,
    ) -> None:
        check_range("layers", layers, 0)
        check_range("init_scale", init_scale, 0)
        self.init_scale = init_scale
        if layers > 1 and resolve_upkeep(upkeep, upkeep_params)[0].sets_codewords:
            raise UsageError(
                f"upkeep `{upkeep}` puts latents in the place of codewords, for which the map is inverted, and a map "
                f"of {layers} layers has no inverse; use one layer, or upkeep `copies`"
            )
        super().__init__(
            codebook_size,
            dim,
            beta=beta,
            init=init,
            estimator=estimator,
            upkeep=upkeep,
            upkeep_params=upkeep_params,
            entropy_weight=entropy_weight,
            entropy_temperature=entropy_temperature,
            entropy_start=entropy_start,
            entropy_share=entropy_share,
            train_codebook=train_codebook,
        )
        modules: list[nn.Module] = []
        for layer in range(layers):
            modules += [nn.ReLU()] * (layer > 0) + [nn.Linear(dim, dim, bias=bias)]
        self.map = nn.Sequential(*modules).requires_grad_(train_map)

    def draw_codebook(self, init: str) -> Tensor:
        """C."""
        check_choice("init", init, ("gaussian", "uniform", "kmeans"))
        std = self.init_scale * self.dim**-0.5
        codebook = torch.empty(self.codebook_size, self.dim)
        if init == "uniform":
            return codebook.uniform_(-(3**0.5) * std, 3**0.5 * std)
        return codebook.normal_(std=std)

    def unmapped_codewords(self) -> Tensor:
        """The rows of C."""
        return self.codebook

    def mapped_rows(self, rows: Tensor) -> Tensor:
        """``C Wᵀ + b`` for rows C."""
        mapped: Tensor = self.map(rows)
        return mapped

    def quantize(self, latents: Tensor) -> tuple[Tensor, Tensor]:
        """Codes of the mapped codebook, and its rows."""
        with torch.no_grad():
            effective = self.effective_codebook()
        codes = self.nearest(latents, effective)
        indices = codes.squeeze(-1)
        # Gather before mapping: gradients need the map of the N chosen rows only, not of all K.
        return codes, self.mapped_rows(self.codebook[indices]) if self.training else effective[indices]

    def set_codewords(self, places: Tensor, rows: Tensor) -> None:
        """Rows of C that the map takes to ``rows``; a row that it can't reach stays."""
        if len(self.map):
            linear = self.map[0]
            assert isinstance(linear, nn.Linear)
            shifted = rows if linear.bias is None else rows - linear.bias
            solved, _ = torch.linalg.solve_ex(linear.weight.double(), shifted.double().T)
            rows = solved.T.float()
            rows = torch.where(rows.isfinite().all(1, keepdim=True), rows, self.codebook[places])
        self.codebook[places] = rows
