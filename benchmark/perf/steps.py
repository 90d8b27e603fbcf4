"""Contenders at the quantizer's step: forward and backward pass of the quantizer alone, with its updates."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from benchmark.perf.cases import OURS, QUICK_STEP_SHAPES, SIMVQ_SHAPES, STEP_SHAPES, Contender, Group, Prepared, Shape
from benchmark.perf.peers import formula_simvq, formula_vq_vae, package_ema, package_missing, package_simvq
from benchmark.seeds import seed_torch
from methods import Quantizer, create

PACKAGE = "vector-quantize-pytorch"
FORMULA = "formula"


class Own(nn.Module):
    """A quantizer of this project behind the peers' call."""

    def __init__(self, quantizer: Quantizer) -> None:
        super().__init__()
        self.quantizer = quantizer

    def forward(self, latents: Tensor) -> tuple[Tensor, Tensor]:
        """Output and loss of latents ``[B, *positions, D]``."""
        result = self.quantizer(latents)
        return result.latents, result.loss

    def after_step(self) -> None:
        """The quantizer's own updates."""
        self.quantizer.after_step()


def step_of(make: Callable[[int, int], nn.Module]) -> Callable[[Shape, torch.device], Prepared]:
    """Forward and backward pass of ``make(K, D)`` on latents from N(0, 1)."""

    def prepare(shape: Shape, device: torch.device) -> Prepared:
        seed_torch(0)
        latents = torch.randn(1, shape.rows, shape.dim).to(device).requires_grad_()
        module = make(shape.size, shape.dim).to(device).train()
        leaves = [latents, *[parameter for parameter in module.parameters() if parameter.requires_grad]]

        def step() -> None:
            for leaf in leaves:
                leaf.grad = None
            output, loss = module(latents)
            (output.square().mean() + loss).backward()
            if isinstance(module, Own):
                module.after_step()

        return step

    return prepare


def _own(method: str, **params: Any) -> Contender:
    return Contender(OURS, step_of(lambda size, dim: Own(create(method, size, dim, **params))), own=True)


def _residual(levels: int) -> Contender:
    """Every level has K codewords."""
    return Contender(
        OURS, step_of(lambda size, dim: Own(create("residual_vq", size**levels, dim, depth=levels))), own=True
    )


def _formula(make: Callable[[int, int], nn.Module]) -> Contender:
    return Contender(FORMULA, step_of(make), needs=lambda shape: shape.matrices(3.1))


def _package(make: Callable[[int, int], nn.Module], matrices: float) -> Contender:
    return Contender(PACKAGE, step_of(make), lambda shape: shape.matrices(matrices), package_missing)


def _group(method: str, title: str, *contenders: Contender, shapes: tuple[Shape, ...] = STEP_SHAPES) -> Group:
    return Group(method, "step", title, contenders, shapes, QUICK_STEP_SHAPES)


STEPS = (
    _group("simvq", "SimVQ", _own("simvq"), _package(package_simvq, 1.2), _formula(formula_simvq), shapes=SIMVQ_SHAPES),
    _group("vq_vae", "VQ-VAE", _own("vq_vae", init="normal"), _formula(formula_vq_vae)),
    _group("vq_vae_ema", "EMA", _own("vq_vae_ema"), _package(package_ema, 6.1)),
    _group("codebook_reset", "random restarts", _own("codebook_reset")),
    _group("cvq_vae", "CVQ-VAE", _own("cvq_vae")),
    _group("residual_vq", "residual, 2 levels of K", _residual(2)),
)
