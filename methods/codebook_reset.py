"""Moving-average codebook whose rarely used codewords are redrawn from the batch: Jukebox's random restarts."""

import math
from collections.abc import Iterator

import torch
from torch import Tensor
from torch.nn.functional import mse_loss

from methods.core.base import Card, Knob, Quantized
from methods.core.registry import register
from methods.core.usage import check_range
from methods.parts.codebook import CodebookQuantizer
from methods.parts.ema import EMAStatistics
from methods.parts.estimators import straight_through
from methods.parts.processes import broadcast
from methods.parts.statistics import count_rows, num_rows, random_rows

_SMALLEST_THRESHOLD = 1e-6


@register("codebook_reset")
class CodebookReset(CodebookQuantizer):
    """A codeword whose moving average of uses falls below a threshold becomes a random latent of the batch.

    Dhariwal et al., "Jukebox: A Generative Model for Music", arXiv 2005.00341, Section 3. The codebook starts
    from latents of the first batch; the output uses the codebook before the step's update. A codeword is
    redrawn at every step until enough latents choose it, and then is their moving average.

    Args:
        beta: weight of the commitment loss.
        decay: decay of the moving averages of counts and sums.
        threshold: uses a step, on average, below which a codeword is redrawn, in multiples of the uniform share
            N/K. Averages start at it. At 1 - decay, one step with its share of latents keeps a new codeword.
        absolute_threshold: the threshold is a number of latents a step, whatever N and K; the paper's is 1.
        keep_statistics: whether a redrawn codeword keeps its moving averages, as in the authors' code. False:
            they restart at the threshold and at the redrawn latent, as in RQ-VAE (arXiv 2203.01941).
    """

    card = Card(
        idea="a codeword that too few latents choose becomes a random latent of the batch",
        paper='Dhariwal, Jun, Payne, Kim, Radford, Sutskever, "Jukebox: A Generative Model for Music", '
        "arXiv 2005.00341",
        code="openai/jukebox, jukebox/vqvae/bottleneck.py, BottleneckBlock",
        trains="nothing by gradient; codebook (K x D) by moving averages and redraws",
        memory="N·D + K·D",
        schedule="nothing is annealed, and codewords are redrawn up to the last step; the moving averages look back "
        "over 1 / (1 - decay) steps, by default 100, as a codeword's mean needs a number of latents (100·N/K) however "
        "long the run",
        differences=(
            "the threshold is 0.01 of the uniform share N/K; theirs is 1 latent a step, with 256 to 4,096 latents a "
            "codeword in their largest models, and would redraw nearly every codeword at every step where N < K; "
            "absolute_threshold=True, threshold=1 is theirs",
            "the averages start at the threshold; theirs start at 1, which is their threshold",
            "the averages of counts and sums are saved; theirs are not, and resume at the uniform share",
        ),
        evidence=(
            "authors' BottleneckBlock, 50 steps with its threshold, K = 64 of N = 512 and of 2,048, D = 16: the same "
            "codes and redraws, outputs and codebook within 3.4e-6, loss 1.2e-6, gradient of the latents 1.2e-7",
            "the same with K = 512 of N = 256 and one set of noisy candidates for both: codebook within 2.4e-6",
        ),
        distributed=Card.SAME_AS_ONE,
    )
    knob = Knob("beta", (0.02, 0.25, 1.0), below=(0.005,), above=(3.0, 10.0))

    def __init__(
        self,
        codebook_size: int,
        dim: int,
        *,
        beta: float = 0.02,
        decay: float = 0.99,
        threshold: float = 0.01,
        absolute_threshold: bool = False,
        keep_statistics: bool = True,
    ) -> None:
        super().__init__(codebook_size, dim)
        check_range("beta", beta, 0)
        check_range("decay", decay, 0, 1)
        check_range("threshold", threshold, _SMALLEST_THRESHOLD)
        self.beta = beta
        self.threshold = threshold
        self.absolute_threshold = absolute_threshold
        self.keep_statistics = keep_statistics
        self.register_buffer("codebook", torch.randn(self.codebook_size, dim))
        self.statistics = EMAStatistics(self.codebook, decay=decay, epsilon=0.0, debias=False)
        self.register_buffer("initialised", torch.tensor(False))
        self._started = False

    def initialise(self, latents: Iterator[Tensor]) -> None:
        """Start from latents of the first batch."""
        if not self.initialised:
            self._start(next(latents).reshape(-1, self.dim))

    def forward(self, latents: Tensor) -> Quantized:
        """Loss: beta · mean |sg q - z|²; in training the averages and then the codebook are updated."""
        rows = latents.detach().reshape(-1, self.dim)
        if self.training and not self._started:
            # Once only: at every step, reading a flag on the device would hold the step up.
            self._started = True
            if not self.initialised:
                self._start(rows)
        codes = self.encode(latents)
        quantized = self.decode(codes)
        commitment = mse_loss(latents, quantized)
        log = {"commitment": commitment.detach()}
        output = quantized
        if self.training:
            output = straight_through(latents, quantized)
            log["redrawn"] = self._update(rows, codes.reshape(-1))
        return Quantized(output, codes, self.beta * commitment, log)

    @torch.no_grad()
    def _start(self, rows: Tensor) -> None:
        """Random latents as codewords, with averages at the threshold."""
        threshold = self._uses_to_stay(rows)
        self.codebook.copy_(candidate_rows(rows, self.codebook_size))
        self.statistics.counts.copy_(threshold.expand(self.codebook_size))
        self.statistics.sums.copy_(threshold * self.codebook)
        self.initialised.fill_(True)

    @torch.no_grad()
    def _update(self, rows: Tensor, codes: Tensor) -> Tensor:
        """Fold the batch into the averages and redraw; returns the share of codewords redrawn."""
        statistics, threshold = self.statistics, self._uses_to_stay(rows)
        statistics.update(rows, codes)
        redrawn = statistics.counts < threshold
        candidates = candidate_rows(rows, self.codebook_size)
        # In place: in a large codebook the memory of a new tensor takes longer to get than to fill.
        torch.div(statistics.sums, statistics.counts[:, None], out=self.codebook)
        torch.where(redrawn[:, None], candidates, self.codebook, out=self.codebook)
        if not self.keep_statistics:
            statistics.counts.copy_(torch.where(redrawn, threshold, statistics.counts))
            statistics.sums.copy_(torch.where(redrawn[:, None], threshold * candidates, statistics.sums))
        return redrawn.float().mean()

    def _uses_to_stay(self, rows: Tensor) -> Tensor:
        """Latents a step, on average, that keep a codeword from being redrawn."""
        if self.absolute_threshold:
            return torch.tensor(self.threshold, device=rows.device)
        return self.threshold * num_rows(rows) / self.codebook_size


@torch.no_grad()
def candidate_rows(latents: Tensor, count: int) -> Tensor:
    """``count`` random rows of the whole batch ``[N, D]``.

    Where the batch has fewer rows, they are repeated and noise of standard deviation 0.01/√D tells the copies
    apart (Jukebox, arXiv 2005.00341, `_tile` of the authors' code).
    """
    latents = latents.detach().float()
    rows = random_rows(latents, count)
    if count > count_rows(latents):
        rows += broadcast(torch.randn_like(rows)).mul_(0.01 / math.sqrt(rows.shape[1]))
    return rows
