"""Images: absolute or squared error, LPIPS, and a discriminator of patches; how VQGANs are trained."""

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmark.objectives import objectives
from benchmark.objectives.base import Objective
from benchmark.objectives.parts.lpips_loss import PerceptualDistance, perceptual_distance
from benchmark.objectives.parts.opponent import Opponent, check_opponent
from benchmark.objectives.parts.patchgan import PatchGAN, least_side
from methods.core.usage import UsageError, check_choice, check_count, check_range
from methods.parts.processes import all_reduce, batch_sizes

WHAT = "objective `perceptual_adversarial`"
LEAST_SIDE = 16  # of VGG16, which halves four times
MOST_WEIGHT = 1e4
Pixel = Callable[[Tensor], Tensor]
PIXEL: dict[str, Pixel] = {"l1": torch.abs, "l2": torch.square}
GENERATOR: dict[str, Callable[[Tensor], Tensor]] = {
    "hinge": lambda fake: -fake.mean(),
    "non_saturating": lambda fake: F.softplus(-fake.flatten(1).mean(1)).mean(),  # of the mean score of an image
}
DISCRIMINATOR: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "hinge": lambda real, fake: ((1 - real).relu().mean() + (1 + fake).relu().mean()) / 2,
    "non_saturating": lambda real, fake: (F.softplus(-real).mean() + F.softplus(fake).mean()) / 2,
}


class PerceptualAdversarial(Objective):
    """Errors of pixels and of features, and from a step on the judgement of a discriminator that learns meanwhile.

    ``adaptive``: the generator's weight is multiplied by the ratio of two gradients' norms at the decoder's last layer,
    of the reconstruction's and of the judgement (Esser et al., Eq. 7).
    """

    def __init__(
        self,
        pixel: Pixel,
        perceptual: PerceptualDistance | None,
        perceptual_weight: float,
        opponent: Opponent | None,
        adversarial_weight: float,
        losses: tuple[str, str],
        *,
        adaptive: bool,
    ) -> None:
        super().__init__()
        self.pixel, self.perceptual, self.perceptual_weight = pixel, perceptual, perceptual_weight
        self.opponent, self.adversarial_weight, self.adaptive = opponent, adversarial_weight, adaptive
        self.generator_loss, self.discriminator_loss = GENERATOR[losses[0]], DISCRIMINATOR[losses[1]]
        self._last_layer: list[nn.Parameter] = []  # the model's: a list keeps it out of this module's parameters
        self._reconstruction: Tensor | None = None
        self._shares: dict[str, Tensor] = {}

    def watch(self, last_layer: nn.Parameter | None) -> None:
        """UsageError where the weight is adaptive and the model names no last layer."""
        if self.adaptive and last_layer is None:
            raise UsageError(f"{WHAT}: `weighting: adaptive` needs a model with a last layer; set `weighting: fixed`")
        self._last_layer = [] if last_layer is None else [last_layer]

    def anneal(self, step: int, total_steps: int) -> None:
        """Before the first step ``start`` nothing is judged."""
        if self.opponent is not None:
            self.opponent.anneal(step, total_steps)

    def errors(self, output: Tensor, target: Tensor) -> Tensor:
        """``[B]``: errors of pixels summed, and LPIPS times the number of values, as a sum over them would be."""
        errors = self.pixel(output - target).flatten(1).sum(1)
        if self.perceptual is not None:
            errors = errors + self.perceptual_weight * target[0].numel() * self.perceptual(output, target)
        if self.adaptive and torch.is_grad_enabled():
            self._reconstruction = errors.mean() / target[0].numel()
        return errors

    def extra(self, output: Tensor, target: Tensor) -> dict[str, Tensor]:
        """``adversarial``, weighted."""
        if self.opponent is None or not self.opponent.is_judging:
            return {}
        with self.opponent.fixed():
            loss = self.generator_loss(self.opponent.judges(output))
        weighted = self.adversarial_weight * loss
        if self.adaptive:
            share = self._share(loss, output)
            self._shares = {"adversarial_share": share}
            weighted = share * weighted
        return {"adversarial": weighted}

    def _share(self, loss: Tensor, output: Tensor) -> Tensor:
        """|∇ reconstruction| / |∇ judgement| at the last layer, each over the batch of all processes."""
        assert self._reconstruction is not None
        own = len(output) / sum(batch_sizes(output))
        norms = [
            all_reduce(torch.autograd.grad(own * value, self._last_layer, retain_graph=True)[0].contiguous()).norm()
            for value in (self._reconstruction, loss)
        ]
        self._reconstruction = None
        return (norms[0] / (norms[1] + 1e-4)).clamp(max=MOST_WEIGHT)

    def learn(self, output: Tensor, target: Tensor) -> dict[str, Tensor]:
        """One step of the discriminator on reconstructions and originals; its loss."""
        if self.opponent is None or not self.opponent.is_judging:
            return {}
        loss = self.discriminator_loss(self.opponent.judges(target), self.opponent.judges(output))
        return {**self.opponent.learn(loss, output), **self._shares}


def _check(**options: Any) -> None:
    check_choice(f"{WHAT}: pixel", options["pixel"], tuple(PIXEL))
    check_choice(f"{WHAT}: weighting", options["weighting"], ("fixed", "adaptive"))
    check_choice(f"{WHAT}: generator_loss", options["generator_loss"], tuple(GENERATOR))
    check_choice(f"{WHAT}: discriminator_loss", options["discriminator_loss"], tuple(DISCRIMINATOR))
    check_count(f"{WHAT}: discriminator_layers", options["discriminator_layers"], most=8)
    for name in ("perceptual_weight", "adversarial_weight"):
        check_range(f"{WHAT}: {name}", options[name], 0)
    betas = options["betas"]
    if not isinstance(betas, list | tuple) or len(betas) != 2:
        raise UsageError(f"{WHAT}: betas must be Adam's two, such as [0.5, 0.9], not {betas!r}")
    for beta in betas:
        check_range(f"{WHAT}: each of the betas", beta, 0, 0.999999)
    own = {name: options[name] for name in ("learning_rate", "start", "warmup_steps", "schedule")}
    check_opponent(WHAT, width=options["discriminator_width"], **own)


@objectives.register("perceptual_adversarial", check=_check, modality="image", least_batch=2)
def perceptual_adversarial(
    *,
    pixel: str = "l1",
    perceptual_weight: float = 1.0,
    adversarial_weight: float = 0.1,
    weighting: str = "fixed",
    generator_loss: str = "non_saturating",
    discriminator_loss: str = "hinge",
    discriminator_width: int = 64,
    discriminator_layers: int = 3,
    start: int = 0,
    learning_rate: float = 1e-4,
    betas: list[float] = [0.5, 0.9],  # noqa: B006  read only
    schedule: str = "constant",
    warmup_steps: int = 0,
    item_shape: tuple[int, ...],
) -> Objective:
    """Images as VQGANs are trained: error a value, LPIPS (VGG16), and a PatchGAN with batch norm, in their own units.

    The defaults are those of SimVQ's repository; taming-transformers' are ``weighting: adaptive``, ``generator_loss:
    hinge``, ``adversarial_weight: 0.8`` and a ``start`` late in the run. ``learning_rate``, ``betas`` (Adam),
    ``schedule`` and ``warmup_steps`` are the discriminator's, and count from ``start``. A weight of 0 leaves a part
    out. The discriminator starts from the same weights for every arm, and sees the same originals.

    Raises:
        UsageError: weights of LPIPS that are not installed, images that are too small.
    """
    channels, *sides = item_shape
    least = max(LEAST_SIDE if perceptual_weight else 1, least_side(discriminator_layers) if adversarial_weight else 1)
    if min(sides) < least:
        shown = "x".join(map(str, sides))
        raise UsageError(
            f"{WHAT}: images of {shown} pixels are too small for LPIPS and {discriminator_layers} "
            f"discriminator_layers, which need {least}"
        )
    if channels not in (1, 3) and perceptual_weight:
        raise UsageError(f"{WHAT}: LPIPS is for grey or colour images, of 1 or 3 channels, not {channels}")
    opponent = None
    if adversarial_weight:
        judges = PatchGAN(channels, discriminator_width, discriminator_layers).to(memory_format=torch.channels_last)
        course: dict[str, Any] = {"start": start, "warmup_steps": warmup_steps, "schedule": schedule}
        opponent = Opponent(judges, learning_rate=learning_rate, betas=betas, **course)
    return PerceptualAdversarial(
        PIXEL[pixel],
        perceptual_distance() if perceptual_weight else None,
        perceptual_weight,
        opponent,
        adversarial_weight,
        (generator_loss, discriminator_loss),
        adaptive=weighting == "adaptive" and opponent is not None,
    )
