"""SC-VAE: latents become sparse combinations of learned atoms; a reference without codes."""

import math

import torch
from torch import Tensor, nn

from methods.core.base import Card, Knob, Quantized, Quantizer
from methods.core.registry import register
from methods.core.usage import check_range
from methods.parts.recompute import by_chunks

_SMALLEST_C = 1e-3


@register("sc_vae")
class SCVAE(Quantizer):
    """Each latent z is replaced by D a, where a sparse code a comes from a learned ISTA (LISTA) over K atoms.

    Xiao et al., "SC-VAE: Sparse Coding-based Variational Autoencoder with Learned ISTA", arXiv 2303.16666. Its
    coefficients are real numbers, so that it has no codes and no usage: a reference, not a discrete latent
    space. The codebook size is the number of atoms. Gradients pass D a itself; there is no stop-gradient.

    Args:
        beta: weight of |a|₁ against half the squared error; higher is sparser.
        iterations: of the learned ISTA after its start.
        latent_weight: factor on the loss |z - D a|² / (P·D), mean over all elements, of P positions.
    """

    card = Card(
        idea="latents become sparse combinations of learned atoms, found by an unrolled ISTA; it has no codes",
        paper='Xiao, Qiu, Ha, Bani, Zhou, Sotiras, "SC-VAE: Sparse Coding-based Variational Autoencoder with Learned '
        'ISTA", arXiv 2303.16666',
        code="sotiraslab/SC-VAE, scvae/models/scvae.py, Model_VAEf16",
        trains="dictionary (D x K) and the scale c",
        memory="N·K; iterations x N x K a chunk at a time, recomputed in the backward pass",
        differences=(
            "the K x K matrix of an iteration is applied as two products with the dictionary, the same but for "
            "rounding",
            "the loss in latent space has the constant weight; their learned weights (equivariant, graph) are left out",
            "any D: of a D that is no square the start is a DCT in one dimension",
            "beta is 0.1; their configurations leave it out",
            "c is at least 0.001",
        ),
        evidence=(
            "Model_VAEf16 with constant weight, 5 Adam steps at three sizes: D a within 9.6e-6, loss 5.0e-10, "
            "gradients of latents, dictionary and c 4.2e-6; share of zeros equal, Hoyer's sparsity within 1.4e-7",
            "start of the dictionary within 6.1e-7 of theirs, up to the order of a latent's channels (column-major "
            "there)",
        ),
        distributed=Card.SAME_AS_ONE,
    )
    knob = Knob("beta", (0.01, 0.1, 1.0), below=(0.001,), above=(10.0,))
    has_codes = False
    max_codebook_size = 65_536
    """18 products of N x K by D a step, and as many again twice in the backward pass: 6e12 operations at this size for
    N = 6,272 and D = 64."""
    max_codebook_size_cpu = 1024
    """There one core needs 4.7 s a step for N = 6,272 and D = 64, at 4,096 atoms 18.2 s."""

    def __init__(
        self, codebook_size: int, dim: int, *, beta: float = 0.1, iterations: int = 16, latent_weight: float = 1.0
    ) -> None:
        super().__init__(codebook_size, dim)
        check_range("beta", beta, 0)
        check_range("iterations", iterations, 0)
        check_range("latent_weight", latent_weight, 0)
        self.beta, self.iterations, self.latent_weight = beta, iterations, latent_weight
        dictionary = overcomplete_dct(dim, self.codebook_size)
        self.dictionary = nn.Parameter(dictionary)
        self.c = nn.Parameter(torch.linalg.matrix_norm(dictionary, 2).square())

    def forward(self, latents: Tensor) -> Quantized:
        """Loss: latent_weight · mean |z - D a|² / (P·D). The log has the share of zeros and Hoyer's sparsity."""
        rows = latents.reshape(-1, self.dim)
        combined, nonzeros, lengths, squares = by_chunks(self._combine, rows, width=self.codebook_size)
        quantized = combined.reshape(latents.shape)
        loss = self.latent_weight * (latents - quantized).square().mean() / latents[0].numel()
        count = rows.shape[0] * self.codebook_size
        ratio = lengths.sum() / squares.sum().sqrt().clamp(min=torch.finfo(torch.float32).tiny)
        log = {
            "sparsity": 1 - nonzeros.sum() / count,
            "hoyer": (math.sqrt(count) - ratio) / max(math.sqrt(count) - 1, 1),
        }
        return Quantized(quantized, None, loss, {name: value.detach() for name, value in log.items()})

    def sparse_code(self, rows: Tensor) -> Tensor:
        """Coefficients ``[N, K]`` of ``rows [N, D]``.

        a₀ = soft(Dᵀz, β/c) and a ← soft(a - Dᵀ(D a - z) / c, β/c); the start lacks a factor 1/c, as in the
        authors' code.
        """
        c = self.c.clamp(min=_SMALLEST_C)
        correlations = rows @ self.dictionary
        coefficients = soft_threshold(correlations, self.beta / c)
        for _ in range(self.iterations):
            explained = coefficients @ self.dictionary.T @ self.dictionary
            coefficients = soft_threshold(coefficients + (correlations - explained) / c, self.beta / c)
        return coefficients

    def _combine(self, rows: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """D a ``[n, D]``; number, sum and sum of squares of the nonzero coefficients' sizes, ``[n]`` each."""
        coefficients = self.sparse_code(rows)
        sizes = coefficients.detach().abs()
        return coefficients @ self.dictionary.T, (sizes > 0).sum(1), sizes.sum(1), sizes.square().sum(1)


def soft_threshold(values: Tensor, threshold: Tensor) -> Tensor:
    """sign(x) · max(|x| - threshold, 0)."""
    return values.sign() * (values.abs() - threshold).relu()


def overcomplete_dct(dim: int, atoms: int) -> Tensor:
    """Unit-norm cosines ``[D, atoms]``: in two dimensions where D is a square, the first of a square number."""
    side = math.isqrt(dim)
    if side**2 != dim:
        return _cosines(dim, atoms)
    cosines = _cosines(side, math.ceil(math.sqrt(atoms)))
    return torch.kron(cosines, cosines)[:, :atoms].contiguous()


def _cosines(length: int, count: int) -> Tensor:
    """cos(π·n·k / count) over n ``[length]`` for each k, less the mean where k > 0, of unit norm."""
    angles = torch.arange(length)[:, None] * torch.arange(count) * math.pi / count
    waves = torch.cos(angles.double())
    centred = waves - waves.mean(0) * (torch.arange(count) > 0)
    # A single sample has no shape without its mean.
    centred = torch.where(centred.norm(dim=0) > 1e-12, centred, waves)
    return (centred / centred.norm(dim=0)).float()
