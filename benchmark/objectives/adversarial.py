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
from benchmark.objectives.parts.opponent import Opponent, check_opponent

Maps = list[list[Tensor]]
WHAT = "objective `adversarial_mel`"


class AdversarialMel(MelWaveform):
    """`MelWaveform` and, from step ``start`` on, the hinge loss of discriminators and the match of their features.

    The discriminators learn in `learn`; their state is part of this module's own, so that a checkpoint of the objective
    is all that a resumed run needs.
    """

    def __init__(
        self,
        mel: MelDistance,
        weights: dict[str, float],
        variance: float,
        opponent: Opponent,
    ) -> None:
        super().__init__(mel, weights["mel"], weights["waveform"], variance)
        self.weights = weights
        self.opponent = opponent

    def anneal(self, step: int, total_steps: int) -> None:
        """Before the first step ``start`` nothing is judged."""
        self.opponent.anneal(step, total_steps)

    def extra(self, output: Tensor, target: Tensor) -> dict[str, Tensor]:
        """``adversarial`` and ``features``, weighted."""
        if not self.opponent.is_judging:
            return {}
        with torch.no_grad():
            real = self.opponent.judges(target)
        with self.opponent.fixed():
            fake = self.opponent.judges(output)
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
        if not self.opponent.is_judging:
            return {}
        judges = self.opponent.judges
        losses = [_discriminator_hinge(real, fake) for real, fake in zip(judges(target), judges(output), strict=True)]
        loss = sum(self._balanced(losses))
        assert isinstance(loss, Tensor)
        return self.opponent.learn(loss, output)

    def _balanced(self, losses: Sequence[Tensor]) -> list[Tensor]:
        """Losses over periods as they are, those over spectra by their own weight."""
        return [losses[0], self.weights["spectra"] * losses[1]]


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


@objectives.register("adversarial_mel", modality="audio")
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
    course: dict[str, Any] = {"start": start, "warmup_steps": warmup_steps}
    check_opponent(WHAT, width=discriminator_width, learning_rate=learning_rate, schedule="constant", **course)
    weights = {
        "mel": mel_weight,
        "waveform": waveform_weight,
        "adversarial": adversarial_weight,
        "features": feature_weight,
        "spectra": spectra_weight,
    }
    judges = Discriminators(discriminator_width, PERIODS, RESOLUTIONS)
    opponent = Opponent(judges, learning_rate=learning_rate, betas=(0.8, 0.9), **course)
    return AdversarialMel(mel, weights, variance, opponent)
