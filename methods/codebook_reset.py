"""Moving-average codebook whose rarely used codewords are redrawn from the batch: Jukebox's random restarts."""

from methods.core.base import Card, Knob
from methods.core.registry import register
from methods.vq_vae import VQVAE


@register("codebook_reset")
class CodebookReset(VQVAE):
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
    own_upkeep = "reset"

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
        redraws = {
            "decay": decay,
            "threshold": threshold,
            "absolute_threshold": absolute_threshold,
            "keep_statistics": keep_statistics,
        }
        super().__init__(codebook_size, dim, beta=beta, init="latents", upkeep=self.own_upkeep, upkeep_params=redraws)
