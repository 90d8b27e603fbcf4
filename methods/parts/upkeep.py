"""What happens to codewords beside the optimiser's step, by name: averages and redraws, anchors, copies."""

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from methods.core.usage import check_choice, check_options, check_range, options_of
from methods.parts.activity import ActivityWindow
from methods.parts.anchors import FeaturePool, closest_latents, sampled_latents
from methods.parts.processes import broadcast
from methods.parts.statistics import code_counts, num_rows
from methods.parts.upkeep_averages import Expiry, MovingAverages, Reset
from methods.parts.upkeep_base import Upkeep

if TYPE_CHECKING:
    from methods.parts.kept_codebook import KeptCodebook


class Anchors(Upkeep):
    """``cvq``: codewords in little use move to latents of the batch (arXiv 2307.15139); see `cvq_vae`.

    Args:
        anchor: ``closest`` latent of the batch, ``random`` from a pool of latents, or ``probrandom``.
        decay: decay of the average use.
        first_batch: codewords move in the first training step only.
        after_step: move after the optimiser's step, with the codes of the codebook that came out of it.
    """

    sets_codewords = True

    def __init__(
        self,
        quantizer: "KeptCodebook",
        *,
        anchor: str = "closest",
        decay: float = 0.99,
        first_batch: bool = False,
        after_step: bool = False,
    ) -> None:
        super().__init__(quantizer)
        check_choice("anchor", anchor, ("closest", "random", "probrandom"))
        check_range("decay", decay, 0, 0.99999)
        self.anchor = anchor
        self.decay = decay
        self.first_batch = first_batch
        self.moves_after_step = after_step
        quantizer.register_buffer("frequencies", torch.zeros(quantizer.codebook_size))
        quantizer.register_buffer("anchored", torch.tensor(False))
        quantizer.pool = FeaturePool(quantizer.codebook_size, quantizer.dim) if anchor == "random" else None
        self._pending: Tensor | None = None

    @classmethod
    def can_be_shared(cls, *, after_step: bool = False, **params: Any) -> bool:
        """Unless codewords move after the step, with the latents of the last pass."""
        return not after_step

    def observe(self, rows: Tensor, codes: Tensor) -> dict[str, Tensor]:
        """Move codewords, or keep the rows for after the step."""
        if self.moves_after_step:
            self._pending = rows
        else:
            self._move(rows, codes)
        return {}

    def after_step(self) -> None:
        """Move with the new codebook."""
        if self._pending is not None:
            rows, self._pending = self._pending, None
            self._move(rows, self.quantizer.encode(rows).squeeze(-1))

    def _move(self, rows: Tensor, codes: Tensor) -> None:
        """Fold the codes into the average use, and move codewords to their anchors."""
        quantizer = self.quantizer
        uses = code_counts(codes, quantizer.codebook_size) / num_rows(rows)
        quantizer.frequencies.lerp_(uses, 1 - self.decay)
        if self.first_batch and quantizer.anchored:
            return
        shift = torch.exp(-10 * quantizer.codebook_size * quantizer.frequencies / (1 - self.decay) - 1e-3)
        # A codeword in use has a shift of exactly zero, by underflow, and needs no anchor.
        moving = shift.nonzero().squeeze(1)
        shift, codewords = shift[moving, None], quantizer.effective_codebook()[moving]
        if quantizer.pool is not None:
            anchors = quantizer.pool.update(rows)[moving]
        else:
            choose = closest_latents if self.anchor == "closest" else sampled_latents
            anchors = choose(rows, codewords, quantizer.metric)
        quantizer.set_codewords(moving, codewords.mul_(1 - shift).add_(anchors.mul_(shift)))
        quantizer.anchored.fill_(True)


class Copies(Upkeep):
    """``copies``: at the end of a window of steps unused codewords become copies of used ones (NSVQ, DiVeQ).

    Args:
        every: training steps of a window; 0 never.
        share: share of the run after which nothing is replaced: a fresh copy differs by rounding alone, and needs steps
            of some length to leave the codeword it came from.
        threshold: share of these steps in which a codeword must have been used to count as used.
        weighted: whether a codeword is copied in proportion to its use; else each in use as often as any other.
        perturbation: standard deviation of the noise on a copy.
    """

    def __init__(
        self,
        quantizer: "KeptCodebook",
        *,
        every: int = 100,
        share: float = 0.9,
        threshold: float = 0.01,
        weighted: bool = False,
        perturbation: float = 1e-9,
    ) -> None:
        super().__init__(quantizer)
        check_range("replace_every", every, 0)
        check_range("replace_share", share, 0, 1)
        check_range("threshold", threshold, 0, 1)
        check_range("perturbation", perturbation, 0)
        self.share = share
        self.weighted = weighted
        self.perturbation = perturbation
        quantizer.activity = ActivityWindow(quantizer.codebook_size, interval=every, threshold=threshold)
        self.activity = quantizer.activity

    @classmethod
    def can_be_shared(cls, **params: Any) -> bool:
        """No: a window counts passes as steps."""
        return False

    def observe(self, rows: Tensor, codes: Tensor) -> dict[str, Tensor]:
        """Count."""
        self.activity.observe(codes)
        return {}

    def anneal(self, step: int, total_steps: int) -> None:
        """No replacement at the end of a run."""
        self.activity.replacing = step + 1 <= self.share * total_steps

    def after_step(self) -> None:
        """At the end of a window copy codewords in use over those that are not."""
        replacements = self.activity.take_replacements(weighted=self.weighted)
        if replacements is not None and self.activity.replacing:
            codebook, (inactive, sources) = self.quantizer.codebook, replacements
            rows = codebook[sources]
            codebook[inactive] = rows + self.perturbation * broadcast(torch.randn_like(rows))


UPKEEP: dict[str, type[Upkeep]] = {
    "none": Upkeep,
    "ema": MovingAverages,
    "reset": Reset,
    "cvq": Anchors,
    "expiry": Expiry,
    "copies": Copies,
}


def resolve_upkeep(upkeep: str, params: Any) -> tuple[type[Upkeep], dict[str, Any]]:
    """The class of that name, and all its parameters with their values.

    Raises:
        UsageError: there is no such upkeep, or it has no such parameter.
    """
    check_choice("upkeep", upkeep, tuple(UPKEEP))
    kind = UPKEEP[upkeep]
    return kind, check_options(f"upkeep `{upkeep}`", options_of(kind.__init__, ("quantizer",)), params or {})
