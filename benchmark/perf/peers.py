"""Quantizers of others, and textbook ones, behind one call: latents ``[..., D]`` -> output and loss."""

import torch
from torch import Tensor, nn
from torch.nn.functional import mse_loss

from benchmark.perf.search import formula_codes

BETA = 0.25
DECAY = 0.99


class Formula(nn.Module):
    """Codewords as a formula says, the textbook search over a whole N x K tensor, and the two losses of VQ-VAE."""

    def __init__(self, codebook: Tensor, transform: nn.Module, *, train_codebook: bool) -> None:
        super().__init__()
        self.codebook = nn.Parameter(codebook, requires_grad=train_codebook)
        self.transform = transform

    def forward(self, latents: Tensor) -> tuple[Tensor, Tensor]:
        """Straight-through output and loss."""
        codewords = self.transform(self.codebook)
        codes = formula_codes(latents.reshape(-1, latents.shape[-1]), codewords)
        quantized = codewords[codes].reshape(latents.shape)
        loss = mse_loss(quantized, latents.detach()) + BETA * mse_loss(latents, quantized.detach())
        return latents + (quantized - latents).detach(), loss


def formula_simvq(codebook_size: int, dim: int) -> nn.Module:
    """SimVQ: all K codewords are mapped, with a graph, before the search."""
    return Formula(torch.randn(codebook_size, dim) * dim**-0.5, nn.Linear(dim, dim), train_codebook=False)


def formula_vq_vae(codebook_size: int, dim: int) -> nn.Module:
    """VQ-VAE with a codebook trained by gradient."""
    return Formula(torch.randn(codebook_size, dim), nn.Identity(), train_codebook=True)


class VectorQuantizePyTorch(nn.Module):
    """A quantizer of the package vector-quantize-pytorch."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, latents: Tensor) -> tuple[Tensor, Tensor]:
        """Its output and loss."""
        quantized, _, loss = self.module(latents.reshape(1, -1, latents.shape[-1]))
        return quantized.reshape(latents.shape), loss.sum()


def package_simvq(codebook_size: int, dim: int) -> nn.Module:
    """Its SimVQ, with the paper's straight-through estimator."""
    from vector_quantize_pytorch import SimVQ

    return VectorQuantizePyTorch(
        SimVQ(dim, codebook_size, rotation_trick=False, input_to_quantize_commit_loss_weight=BETA)
    )


def package_ema(codebook_size: int, dim: int) -> nn.Module:
    """Its VectorQuantize: moving averages, straight-through."""
    from vector_quantize_pytorch import VectorQuantize

    return VectorQuantizePyTorch(
        VectorQuantize(dim, codebook_size, decay=DECAY, commitment_weight=BETA, rotation_trick=False)
    )


def package_missing(device: torch.device) -> str | None:
    """Why vector-quantize-pytorch can't be measured, or None."""
    try:
        import vector_quantize_pytorch  # noqa: F401
    except ImportError:
        return "vector-quantize-pytorch is not installed (the extra `perf`)"
    return None
