"""The audio codecs' default: k-means start, moving averages, and codewords that expire below a count of latents."""

from methods.core.base import Card, Knob
from methods.core.registry import register
from methods.vq_vae import VQVAE


@register("ema_expiry")
class EMAExpiry(VQVAE):
    """A codeword whose moving average of uses falls below a number of latents becomes a random latent of the batch.

    Défossez et al., "High Fidelity Neural Audio Compression" (EnCodec), arXiv 2210.13438, Sec. 3.2, after SoundStream
    (arXiv 2107.03312); WavTokenizer has it too. A replaced codeword's averages restart at the threshold and the
    latent, as in vector-quantize-pytorch; in EnCodec's own code the replacement is undone in the same step
    (`undone`). The output uses the codebook before the step's update.

    Args:
        beta: weight of the commitment loss.
        decay: decay of the moving averages of counts and sums, below 1.
        threshold: latents a step, on average, below which a codeword is replaced, whatever N and K: where N is below
            K · threshold, most codewords are replaced at every step. 0 never replaces.
        epsilon: Laplace smoothing of the counts, above 0.
        undone: codewords are replaced before the averages are folded in, which puts the old codewords back, so that
            nothing is ever replaced: EnCodec's and WavTokenizer's code as published.
        init: start of the codebook: ``kmeans`` of the first batches' latents, random ``latents`` of the first batch,
            ``uniform`` U(-1/K, 1/K), ``unit_uniform`` U(-1, 1) or ``normal`` N(0, 1).
    """

    card = Card(
        idea="a moving-average codebook from k-means; codewords below a count of latents become latents of the batch",
        paper='Défossez, Copet, Synnaeve, Adi, "High Fidelity Neural Audio Compression", TMLR 2023, arXiv 2210.13438',
        code="facebookresearch/encodec, encodec/quantization/core_vq.py, EuclideanCodebook; "
        "lucidrains/vector-quantize-pytorch, VectorQuantize(kmeans_init=True, threshold_ema_dead_code=2)",
        trains="nothing by gradient; codebook (K x D) by moving averages and replacements",
        memory="N·D + K·D",
        schedule="nothing is annealed, and codewords are replaced up to the last step; the moving averages look back "
        "over 1 / (1 - decay) steps, by default 100, as a codeword's mean needs a number of latents (100·N/K) however "
        "long the run",
        differences=(
            "a replaced codeword stays, and its averages restart at the threshold, as in vector-quantize-pytorch; in "
            "EnCodec's code the averages put the old one back in the same step (`undone`)",
            "k-means sees at least 20,000 latents and 8 a codeword; theirs the first batch. The averages start at the "
            "counts of the first batch and at as many times the centroid (where nothing is replaced and the batch "
            "misses it, at a uniform share); EnCodec leaves the centroid unmultiplied, which shrinks every codeword in "
            "the first step",
            "where codewords outnumber latents, every latent is drawn equally often; EnCodec draws independently, and "
            "vector-quantize-pytorch puts off what a batch has no latent for",
            "counts, sums and draws are those of all processes; EnCodec's counts are each process's own",
        ),
        evidence=(
            "vector-quantize-pytorch 1.32 (threshold_ema_dead_code=2; decay 0.99, and 0.8 with straight-through and "
            "with the rotation), the same start and draws, 200 steps of 512 latents, K = 64, D = 16: the same codes, "
            "counts and 16 to 26 replacements; output within 9.5e-7 (rotation: 3.3e-6), loss 1.8e-7, gradient of the "
            "latents 2.4e-7 (1.7e-6), codebook 7.2e-7",
            "EnCodec's VectorQuantization (commit 0e2d0ae), `undone`, the same start, 200 such steps: the same codes; "
            "output and codebook within 3.3e-6, loss 1.8e-7, gradient 2.4e-7; of 1,656 codewords that expired none is "
            "replaced",
        ),
    )
    knob = Knob("decay", (0.8, 0.95, 0.99), below=(0.5,), above=(0.999,))
    own_upkeep = "expiry"

    def __init__(
        self,
        codebook_size: int,
        dim: int,
        *,
        beta: float = 1.0,
        decay: float = 0.99,
        threshold: float = 2.0,
        epsilon: float = 1e-5,
        undone: bool = False,
        init: str = "kmeans",
    ) -> None:
        expiry = {"decay": decay, "threshold": threshold, "epsilon": epsilon, "undone": undone}
        super().__init__(codebook_size, dim, beta=beta, init=init, upkeep=self.own_upkeep, upkeep_params=expiry)
