"""What happens to codewords beside the optimiser's step: moving averages, redraws from the batch, anchors, copies."""

from typing import TYPE_CHECKING, Any, ClassVar

import torch
from torch import Tensor

from methods.core.usage import UsageError, check_choice, check_options, check_range, options_of
from methods.parts.activity import ActivityWindow
from methods.parts.anchors import FeaturePool, closest_latents, sampled_latents
from methods.parts.ema import EMAStatistics
from methods.parts.processes import broadcast
from methods.parts.statistics import candidate_rows, code_counts, num_rows, random_rows

if TYPE_CHECKING:
    from methods.parts.kept_codebook import KeptCodebook

_MAX_DECAY = 0.999999
"""At 1 nothing would ever be averaged in, and the correction would divide by zero."""
_SMALLEST_THRESHOLD = 1e-6


class Upkeep:
    """None: codewords are the optimiser's alone.

    An upkeep is shown the rows ``[N, D]`` of a training batch and their codes ``[N]``. What it remembers it registers
    with its ``quantizer``, in whose state it is saved. Where ``averages`` is true and nothing else trains the
    codewords (`KeptCodebook.averaged`), they are moving averages of their latents; else the optimiser moves them.
    """

    averages: ClassVar[bool] = False
    sets_codewords: ClassVar[bool] = False
    """Whether it puts latents in the place of codewords, for which a map of codewords must have an inverse."""

    def __init__(self, quantizer: "KeptCodebook") -> None:
        self.quantizer = quantizer

    def begin(self, rows: Tensor) -> None:
        """Set what is remembered by the codebook, once it has its start; the second time nothing."""

    def observe(self, rows: Tensor, codes: Tensor) -> dict[str, Tensor]:
        """Fold in a batch, and change codewords; what it returns goes into the log."""
        return {}

    def after_step(self) -> None:
        """Change codewords after the optimiser's step."""

    def anneal(self, step: int, total_steps: int) -> None:
        """What depends on the share of the run that is over."""

    @classmethod
    def can_be_shared(cls, **params: Any) -> bool:
        """Whether it may see several batches in one training step."""
        return True

    def _averages_of(self, *, decay: float, epsilon: float = 0.0, debias: bool = False) -> EMAStatistics:
        quantizer = self.quantizer
        quantizer.statistics = EMAStatistics(
            quantizer.codebook, decay=decay, epsilon=epsilon, debias=debias, sums=quantizer.averaged
        )
        return quantizer.statistics

    def _put(self, places: Tensor, rows: Tensor) -> None:
        """The ``rows [K, D]`` of the mask ``places [K]`` in place of these codewords."""
        if self.quantizer.averaged:
            # In place: in a large codebook the memory of a new tensor takes longer to get than to fill.
            torch.where(places[:, None], rows, self.quantizer.codebook, out=self.quantizer.codebook)
        else:
            where = places.nonzero().squeeze(1)
            self.quantizer.set_codewords(where, rows[where])


class MovingAverages(Upkeep):
    """``ema``: a codeword is the moving average of the latents assigned to it (arXiv 1711.00937, App. A.1).

    Args:
        decay: decay of the moving averages of counts and sums, below 1.
        epsilon: Laplace smoothing of the counts, above 0.
        debias: averages start at zero and are corrected; see `vq_vae_ema`.
    """

    averages = True

    def __init__(
        self, quantizer: "KeptCodebook", *, decay: float = 0.99, epsilon: float = 1e-5, debias: bool = True
    ) -> None:
        super().__init__(quantizer)
        check_range("decay", decay, 0, _MAX_DECAY)
        check_range("epsilon", epsilon, 1e-12)
        self.statistics = self._averages_of(decay=decay, epsilon=epsilon, debias=debias)

    def begin(self, rows: Tensor) -> None:
        """Without correction sums start at the codewords."""
        if self.statistics.sums is not None and not self.statistics.debias and not self.statistics.steps:
            self.statistics.sums.copy_(self.quantizer.codebook)

    def observe(self, rows: Tensor, codes: Tensor) -> dict[str, Tensor]:
        """Update averages and codebook."""
        self.statistics.update(rows, codes)
        self.statistics.means(out=self.quantizer.codebook)
        return {}


class Reset(Upkeep):
    """``reset``: a codeword too rarely used becomes a random latent of the batch (Jukebox, arXiv 2005.00341).

    Args:
        decay: decay of the moving averages.
        threshold: average uses a step below which a codeword is redrawn, in multiples of the uniform share N/K.
        absolute_threshold: the threshold is a number of latents.
        keep_statistics: whether a redrawn codeword keeps its averages; see `codebook_reset`.
    """

    averages = True
    sets_codewords = True

    def __init__(
        self,
        quantizer: "KeptCodebook",
        *,
        decay: float = 0.99,
        threshold: float = 0.01,
        absolute_threshold: bool = False,
        keep_statistics: bool = True,
    ) -> None:
        super().__init__(quantizer)
        check_range("decay", decay, 0, 1)
        check_range("threshold", threshold, _SMALLEST_THRESHOLD)
        self.threshold = threshold
        self.absolute_threshold = absolute_threshold
        self.keep_statistics = keep_statistics
        self.statistics = self._averages_of(decay=decay)

    def begin(self, rows: Tensor) -> None:
        """Averages at the threshold."""
        if not self.statistics.counts.any():
            self.statistics.restart(None, self._uses_to_stay(rows), self.quantizer.codebook)

    def observe(self, rows: Tensor, codes: Tensor) -> dict[str, Tensor]:
        """Fold the batch into the averages and redraw."""
        statistics, threshold = self.statistics, self._uses_to_stay(rows)
        statistics.update(rows, codes)
        redrawn = statistics.counts < threshold
        candidates = candidate_rows(rows, self.quantizer.codebook_size)
        if statistics.sums is not None:
            torch.div(statistics.sums, statistics.counts[:, None], out=self.quantizer.codebook)
        self._put(redrawn, candidates)
        if not self.keep_statistics:
            statistics.restart(redrawn, threshold, candidates)
        return {"redrawn": redrawn.float().mean()}

    def _uses_to_stay(self, rows: Tensor) -> Tensor:
        """Latents a step, on average, that keep a codeword from being redrawn."""
        if self.absolute_threshold:
            return torch.tensor(self.threshold, device=rows.device)
        return self.threshold * num_rows(rows) / self.quantizer.codebook_size


class Expiry(Upkeep):
    """``expiry``: a codeword whose average count falls below a number of latents becomes a latent of the batch.

    EnCodec's (arXiv 2210.13438), as vector-quantize-pytorch has put it right; see `ema_expiry`.

    Args:
        decay: decay of the moving averages.
        threshold: average number of latents a step below which a codeword expires.
        epsilon: Laplace smoothing of the counts.
        undone: codewords are replaced before the averages are folded in, which puts the old ones back: EnCodec's fault.
    """

    averages = True
    sets_codewords = True

    def __init__(
        self,
        quantizer: "KeptCodebook",
        *,
        decay: float = 0.99,
        threshold: float = 2.0,
        epsilon: float = 1e-5,
        undone: bool = False,
    ) -> None:
        super().__init__(quantizer)
        check_range("decay", decay, 0, _MAX_DECAY)
        check_range("threshold", threshold, 0)
        check_range("epsilon", epsilon, 1e-12)
        if undone and not quantizer.averaged:
            raise UsageError("upkeep `expiry` can only be undone by moving averages, which do not set codewords here")
        self.threshold = threshold
        self.undone = undone
        self.statistics = self._averages_of(decay=decay, epsilon=epsilon)

    def begin(self, rows: Tensor) -> None:
        """Averages at the counts of the first batch, and at the codewords."""
        if not self.statistics.counts.any():
            counts = code_counts(self.quantizer.encode(rows), self.quantizer.codebook_size)
            self.statistics.restart(None, counts, self.quantizer.codebook)

    def observe(self, rows: Tensor, codes: Tensor) -> dict[str, Tensor]:
        """Fold the batch into the averages, and replace what has expired."""
        statistics = self.statistics
        if self.undone:
            expired = statistics.counts < self.threshold
            self._put(expired, random_rows(rows.float(), self.quantizer.codebook_size))
        statistics.update(rows, codes)
        if statistics.sums is not None:
            statistics.means(out=self.quantizer.codebook)
        if not self.undone:
            expired = statistics.counts < self.threshold
            candidates = random_rows(rows.float(), self.quantizer.codebook_size)
            self._put(expired, candidates)
            statistics.restart(expired, torch.tensor(self.threshold, device=rows.device), candidates)
        return {"expired": expired.float().mean()}


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
