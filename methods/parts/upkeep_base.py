"""The base of what happens to codewords beside the optimiser's step."""

from typing import TYPE_CHECKING, Any, ClassVar

import torch
from torch import Tensor

from methods.parts.ema import EMAStatistics

if TYPE_CHECKING:
    from methods.parts.kept_codebook import KeptCodebook


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

    @property
    def one_graph(self) -> bool:
        """Whether it leaves a training step one graph: of trained codewords it sets so many as a batch says."""
        return self.quantizer.averaged or not self.sets_codewords

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
