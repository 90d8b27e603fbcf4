"""Speech: distance of log-mel spectra and squared error of the waveform."""

from collections.abc import Sequence

from torch import Tensor

from benchmark.metrics.parts.mel import BANDS, WINDOWS, MelDistance
from benchmark.objectives import objectives
from benchmark.objectives.base import Objective
from methods.core.usage import UsageError


class MelWaveform(Objective):
    """Errors of a waveform: weighted mel distance and squared error, each the mean over what it compares."""

    def __init__(self, mel: MelDistance, mel_weight: float, waveform_weight: float, variance: float) -> None:
        super().__init__()
        self.mel = mel
        self.mel_weight, self.waveform_weight = mel_weight, waveform_weight
        self.variance = variance

    def errors(self, output: Tensor, target: Tensor) -> Tensor:
        """``[B]``: the weighted sum, times the number of samples, as a sum over samples would be."""
        errors = self.mel_weight * self.mel(output, target)
        if self.waveform_weight:
            squares = (output - target).square().flatten(1).mean(1)
            errors = errors + self.waveform_weight * squares / self.variance
        return errors * target[0].numel()


@objectives.register("mel_waveform", modality="audio")
def mel_waveform(
    *,
    windows: list[int] = list(WINDOWS),  # noqa: B006  read only
    bands: list[int] = list(BANDS),  # noqa: B006  read only
    mel_weight: float = 1.0,
    waveform_weight: float = 1.0,
    variance: float,
    sample_rate: int | None,
) -> Objective:
    """Speech: distance of log-mel spectra over ``windows`` with so many ``bands``, and squared error over the variance.

    At the weights of 1, silence for an answer costs 1 for the waveform and about 2 to 4 for the spectra.

    Raises:
        UsageError: data without a sample rate, windows and bands of different number or size.
    """
    mel = mel_distance("objective `mel_waveform`", sample_rate, windows, bands)
    check_variance("objective `mel_waveform`", variance)
    return MelWaveform(mel, mel_weight, waveform_weight, variance)


def check_variance(what: str, variance: float) -> None:
    """UsageError where the training data do not vary."""
    if not variance > 0:
        raise UsageError(f"{what}: the training data are silent")


def mel_distance(what: str, sample_rate: int | None, windows: Sequence[int], bands: Sequence[int]) -> MelDistance:
    """The distance, or a UsageError that begins with ``what``."""
    if sample_rate is None:
        raise UsageError(f"{what} is for speech: the data set has no sample rate")
    lists = isinstance(windows, list | tuple) and isinstance(bands, list | tuple)
    if not lists or not windows or len(windows) != len(bands):
        raise UsageError(f"{what}: windows {windows!r} and bands {bands!r} must be two lists of the same length")
    for window, band in zip(windows, bands, strict=True):
        if not isinstance(window, int) or not isinstance(band, int) or not 0 < band <= window // 2 or window % 4:
            raise UsageError(
                f"{what}: a window must be a multiple of 4 samples with at most half as many bands, not {window!r} "
                f"with {band!r}"
            )
    return MelDistance(sample_rate, windows, bands)
