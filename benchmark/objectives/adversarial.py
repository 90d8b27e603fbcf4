"""Speech judged by discriminators too: hinge losses, feature matching, and an optimiser of their own."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from benchmark.metrics.parts.mel import BANDS, WINDOWS, MelDistance
from benchmark.objectives import objectives
from benchmark.objectives.base import Objective
from benchmark.objectives.mel import MelWaveform, check_variance, mel_distance
from benchmark.objectives.parts.discriminators import PERIODS, RESOLUTIONS, Discriminators
from benchmark.processes import average_gradients
from methods.core.usage import UsageError

Maps = list[list[Tensor]]
WHAT = "objective `adversarial_mel`"


class AdversarialMel(MelWaveform):
    """`MelWaveform` and, from step ``start`` on, the hinge loss of discriminators and the match of their features.

    The discriminators learn in `learn`, by Adam (0.8, 0.9) whose state is part of this module's own, so that a
    checkpoint of the objective is all that a resumed run needs. The learning rate rises over ``warmup`` steps.
    """

    def __init__(
        self,
        mel: MelDistance,
        weights: dict[str, float],
        variance: float,
        discriminators: Discriminators,
        learning_rate: float,
        start: int,
        warmup: int,
    ) -> None:
        super().__init__(mel, weights["mel"], weights["waveform"], variance)
        self.weights = weights
        self.discriminators = discriminators
        self.start, self.warmup, self.learning_rate = start, max(1, warmup), learning_rate
        self.optimizer = torch.optim.Adam(discriminators.parameters(), lr=learning_rate, betas=(0.8, 0.9))
        self._step = 0

    def anneal(self, step: int, total_steps: int) -> None:
        """Before the first step ``start`` nothing is judged."""
        self._step = step

    @property
    def is_judging(self) -> bool:
        """Whether the discriminators take part in this step."""
        return self._step >= self.start

    def extra(self, output: Tensor, target: Tensor) -> dict[str, Tensor]:
        """``adversarial`` and ``features``, weighted."""
        if not self.is_judging:
            return {}
        with torch.no_grad():
            real = self.discriminators(target)
        self.discriminators.requires_grad_(False)
        fake = self.discriminators(output)
        self.discriminators.requires_grad_(True)
        adversarial = sum(self._balanced([_generator_hinge(maps) for maps in fake]))
        features = sum(self._balanced([_feature_distance(*pair) for pair in zip(real, fake, strict=True)]))
        assert isinstance(adversarial, Tensor)
        assert isinstance(features, Tensor)
        return {
            "adversarial": self.weights["adversarial"] * adversarial,
            "features": self.weights["features"] * features,
        }

    def learn(self, output: Tensor, target: Tensor) -> dict[str, Tensor]:
        """One step of the discriminators on reconstructions and originals ``[B, 1, T]``; their loss."""
        if not self.is_judging:
            return {}
        losses = [
            _discriminator_hinge(real, fake)
            for real, fake in zip(self.discriminators(target), self.discriminators(output), strict=True)
        ]
        loss = sum(self._balanced(losses))
        assert isinstance(loss, Tensor)
        for group in self.optimizer.param_groups:
            group["lr"] = self.learning_rate * min(1.0, (self._step - self.start + 1) / self.warmup)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        average_gradients(self.discriminators.parameters())
        self.optimizer.step()
        return {"discriminator": loss.detach()}

    def _balanced(self, losses: Sequence[Tensor]) -> list[Tensor]:
        """Losses over periods as they are, those over spectra by their own weight."""
        return [losses[0], self.weights["spectra"] * losses[1]]

    def get_extra_state(self) -> dict[str, Any]:
        """The optimiser's state."""
        return self.optimizer.state_dict()

    def set_extra_state(self, state: dict[str, Any]) -> None:
        """Put it back."""
        self.optimizer.load_state_dict(state)


def _generator_hinge(judges: Maps) -> Tensor:
    return torch.stack([(1 - maps[-1]).relu().mean() for maps in judges]).mean()


def _discriminator_hinge(real: Maps, fake: Maps) -> Tensor:
    losses = [(1 - r[-1]).relu().mean() + (1 + f[-1]).relu().mean() for r, f in zip(real, fake, strict=True)]
    return torch.stack(losses).mean()


def _feature_distance(real: Maps, fake: Maps) -> Tensor:
    """Mean absolute difference of all feature maps but the scores."""
    return torch.stack(
        [(a - b).abs().mean() for r, f in zip(real, fake, strict=True) for a, b in zip(r[:-1], f[:-1], strict=True)]
    ).mean()


@objectives.register("adversarial_mel")
def adversarial_mel(
    *,
    windows: list[int] = list(WINDOWS),  # noqa: B006  read only
    bands: list[int] = list(BANDS),  # noqa: B006  read only
    mel_weight: float = 1.0,
    waveform_weight: float = 0.0,
    adversarial_weight: float = 0.02,
    feature_weight: float = 0.02,
    spectra_weight: float = 0.1,
    discriminator_width: int = 32,
    learning_rate: float = 1e-4,
    start: int = 0,
    warmup_steps: int = 1000,
    variance: float,
    sample_rate: int | None,
) -> Objective:
    """Speech: `mel_waveform` with discriminators over periods 2 to 11 and over spectra of 512 to 2048 samples.

    Siuzdak (Vocos, arXiv 2306.00814): hinge losses and L1 feature matching, those over spectra at ``spectra_weight``;
    there the mel distance weighs 45 against 1, here 1 against 1/45 ≈ 0.02, so that a commitment weight means what it
    means elsewhere. ``start``: step from which they judge; ``learning_rate`` and ``warmup_steps`` are theirs.

    Raises:
        UsageError: as `mel_waveform`; a wrong option.
    """
    mel = mel_distance(WHAT, sample_rate, windows, bands)
    check_variance(WHAT, variance)
    for name, value in (("discriminator_width", discriminator_width), ("start", start), ("warmup_steps", warmup_steps)):
        if not isinstance(value, int) or value < (name == "discriminator_width"):
            raise UsageError(f"{WHAT}: {name} must be a whole number of at least 0 (a width at least 1), not {value!r}")
    weights = {
        "mel": mel_weight,
        "waveform": waveform_weight,
        "adversarial": adversarial_weight,
        "features": feature_weight,
        "spectra": spectra_weight,
    }
    judges = Discriminators(discriminator_width, PERIODS, RESOLUTIONS)
    return AdversarialMel(mel, weights, variance, judges, learning_rate, start, warmup_steps)
