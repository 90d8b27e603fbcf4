"""A codebook with a gradient estimator and an upkeep, each by name: what `vq_vae`, its presets and `simvq` share."""

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn.functional import mse_loss

from methods.core.base import Quantized
from methods.core.usage import UsageError, check_choice, check_range
from methods.parts.activity import ActivityWindow
from methods.parts.anchors import FeaturePool
from methods.parts.codebook import CodebookQuantizer, vq_loss
from methods.parts.ema import EMAStatistics
from methods.parts.entropy import EntropyRegularised
from methods.parts.estimators import ESTIMATORS, SUBSTITUTING
from methods.parts.statistics import candidate_rows
from methods.parts.upkeep import resolve_upkeep

_FROM_DATA = ("kmeans", "latents")


class KeptCodebook(EntropyRegularised, CodebookQuantizer):
    """Nearest codeword; the gradient passes by ``estimator``, and ``upkeep`` sees to the codewords.

    A subclass says how the codebook starts (`draw_codebook`), and what its effective codewords are. Codewords are
    moving averages where the upkeep makes them so and nothing else trains them; else they are parameters.
    """

    mapped: ClassVar[bool] = False
    """Whether the effective codewords are a trained map's."""
    own_upkeep: ClassVar[str] = "none"
    """The upkeep of a method that can be asked for no other."""
    statistics: EMAStatistics
    frequencies: Tensor
    anchored: Tensor
    pool: FeaturePool | None
    activity: ActivityWindow

    def __init__(
        self,
        codebook_size: int,
        dim: int,
        *,
        beta: float,
        init: str,
        estimator: str = "straight_through",
        upkeep: str = "none",
        upkeep_params: Mapping[str, Any] | None = None,
        train_codebook: bool = True,
        entropy_weight: float = 0.0,
        entropy_temperature: float = 0.01,
        entropy_start: float = 1.0,
        entropy_share: float = 0.002,
    ) -> None:
        super().__init__(codebook_size, dim, entropy_weight=entropy_weight)
        self.set_entropy(entropy_weight, entropy_temperature, entropy_start, entropy_share)
        check_range("beta", beta, 0)
        check_choice("estimator", estimator, tuple(ESTIMATORS))
        kind, params = resolve_upkeep(upkeep, upkeep_params)
        self.beta = beta
        self.init = init
        self.from_data = init in _FROM_DATA
        self.estimator = estimator
        trained = self.mapped or estimator in SUBSTITUTING
        if upkeep == "ema" and trained:
            by = f"`{self.name}`'s map" if self.mapped else f"estimator `{estimator}`"
            raise UsageError(
                f"upkeep `ema` can't go with {by}, which trains the codewords by gradient; `none`, `reset`, `cvq`, "
                "`expiry` and `copies` can"
            )
        self.averaged = kind.averages and not trained
        codebook = self.draw_codebook(init)
        if self.averaged:
            self.register_buffer("codebook", codebook)
        else:
            self.codebook = nn.Parameter(codebook, requires_grad=train_codebook)
        # Moving averages from a random start have nothing to remember of it.
        saved = self.from_data or not self.averaged
        self.register_buffer("initialised", torch.tensor(not self.from_data), persistent=saved)
        self.upkeep = kind(self, **params)
        self._begun = False

    def draw_codebook(self, init: str) -> Tensor:
        """The codebook ``[K, D]`` before any data."""
        raise NotImplementedError

    def mapped_rows(self, rows: Tensor) -> Tensor:
        """The effective codewords ``[R, D]`` of ``rows [R, D]`` of the codebook: the rows, where there is no map."""
        return rows

    def effective_codebook(self) -> Tensor:
        """The codebook, mapped."""
        return self.mapped_rows(self.codebook)

    @classmethod
    def can_be_shared(
        cls, *, upkeep: str | None = None, upkeep_params: Mapping[str, Any] | None = None, **params: Any
    ) -> bool:
        """What the upkeep says."""
        kind, options = resolve_upkeep(upkeep or cls.own_upkeep, upkeep_params)
        return kind.can_be_shared(**options)

    def is_one_graph(self) -> bool:
        """Where the upkeep leaves it so too."""
        return super().is_one_graph() and self.upkeep.one_graph

    def initialise(self, latents: Iterator[Tensor]) -> None:
        """k-means of the first batches, or latents of the first one, where ``init`` says so."""
        if self.init == "latents" and not self.initialised:
            self._start(next(latents).reshape(-1, self.dim))
        else:
            self.start_from_kmeans(latents)

    def anneal(self, step: int, total_steps: int) -> None:
        """Schedules of the upkeep, and of the entropies."""
        super().anneal(step, total_steps)
        self.upkeep.anneal(step, total_steps)

    def forward(self, latents: Tensor) -> Quantized:
        """The output uses the codebook before the upkeep's changes."""
        rows = latents.detach().reshape(-1, self.dim)
        if self.training:
            self._begin(rows)
        codes, quantized = self.quantize(latents)
        loss, log = self.losses(latents, quantized)
        output = quantized
        if self.training:
            if self.entropy_weight:
                # The codebook changes before the backward pass; the copy does not.
                loss, entropies = self.regularise(loss, latents, self.mapped_rows(self.codebook.clone()))
                log = {**log, **entropies}
            output = self.estimate(latents, quantized)
            with torch.no_grad():
                log = {**log, **self.upkeep.observe(rows, codes.reshape(-1))}
        return Quantized(output, codes, loss, log)

    def quantize(self, latents: Tensor) -> tuple[Tensor, Tensor]:
        """Codes and codewords, the latter with the gradient of the codebook."""
        codes = self.encode(latents)
        return codes, self.decode(codes)

    def losses(self, latents: Tensor, quantized: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Loss and log of ``quantized`` before the estimator.

        mean |q - sg z|² + beta · mean |sg q - z|²; without the first term for moving averages, and none at all where
        the reconstruction's gradient reaches the codewords.
        """
        if self.estimator in SUBSTITUTING:
            return latents.new_zeros(()), {}
        if self.averaged:
            commitment = mse_loss(latents, quantized)
            return self.beta * commitment, {"commitment": commitment.detach()}
        return vq_loss(latents, quantized, self.beta)

    def estimate(self, latents: Tensor, quantized: Tensor) -> Tensor:
        """What the decoder sees in training."""
        return ESTIMATORS[self.estimator](latents, quantized)

    @torch.no_grad()
    def after_step(self) -> None:
        """What the upkeep does after the optimiser's step."""
        self.upkeep.after_step()

    def set_codewords(self, places: Tensor, rows: Tensor) -> None:
        """Make ``rows [R, D]`` the effective codewords of the codes ``places [R]``."""
        self.codebook[places] = rows

    @torch.no_grad()
    def _begin(self, rows: Tensor) -> None:
        """In the first training step, set what is left to set by data; later, at no cost, nothing."""
        if self._begun:
            return
        # Once only: at every step, reading a flag on the device would hold the step up.
        self._begun = True
        if self.init == "latents" and not self.initialised:
            self._start(rows)
        self.upkeep.begin(rows)

    @torch.no_grad()
    def _start(self, rows: Tensor) -> None:
        """Random latents as codewords."""
        self.codebook.copy_(candidate_rows(rows, self.codebook_size))
        self.upkeep.begin(rows)
        self.initialised.fill_(True)
