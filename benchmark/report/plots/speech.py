"""One clip of speech as every arm reconstructs it: waveform and mel spectrum, the original on top."""

from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmark.report.frame import unusable
from benchmark.report.grid import Grid
from benchmark.report.plots.base import Plot, last_runs
from benchmark.report.style import Style

WIDTH, ROW_HEIGHT = 9.0, 1.05
CLIP = 1


class Speech(Plot):
    """A row an arm, of its lowest seed at the last place of the grid that it has."""

    name = "speech"

    def draw(self, grid: Grid, styles: dict[str, Style]) -> Figure | None:
        """The figure; None where no run left sounds."""
        rows: list[tuple[str, str, np.ndarray]] = []
        rate = 0
        for arm, label, key in last_runs(grid):
            original, reconstruction = (
                _sound(grid.results.file(key, f"samples/{kind}_{CLIP}.wav")) for kind in ("original", "reconstruction")
            )
            if original is None or reconstruction is None:
                continue
            if not rows:
                rate = original[1]
                rows.append(("original", "#222222", original[0]))
            rows.append((label, styles[arm].colour, reconstruction[0]))
        return _sheet(rows, rate) if rows else None


def _sound(path: Path | None) -> tuple[np.ndarray, int] | None:
    """Samples and rate of a WAV file of a run; None where there is none."""
    if path is None:
        return None
    import soundfile

    try:
        samples, rate = soundfile.read(path, dtype="float32")
    except soundfile.LibsndfileError as error:
        unusable(path, error)
        return None
    return samples, rate


def _sheet(rows: list[tuple[str, str, np.ndarray]], rate: int) -> Figure:
    figure = Figure(figsize=(WIDTH, ROW_HEIGHT * len(rows) + 0.5), layout="constrained")
    axes = figure.subplots(len(rows), 2, sharex="col", squeeze=False, gridspec_kw={"width_ratios": (1, 1.35)})
    peak = max(float(np.abs(rows[0][2]).max()), 1e-3)
    loudest = None
    for (label, colour, samples), (left, right) in zip(rows, axes, strict=True):
        left.plot(np.arange(len(samples)) / rate, samples, color=colour, linewidth=0.4)
        left.set_ylim(-1.05 * peak, 1.05 * peak)
        left.set_yticks([])
        left.grid(visible=False)
        left.set_ylabel(label, rotation=0, ha="right", va="center", fontsize=8.5)
        loudest = _spectrum(right, samples, rate, loudest)
    for axis, title in zip(axes[0], ("Waveform", "Mel spectrum, kHz"), strict=True):
        axis.set_title(title)
    for axis in axes[-1]:
        axis.set_xlabel("Seconds")
    return figure


def _spectrum(axis: Axes, samples: np.ndarray, rate: int, loudest: float | None) -> float:
    """Draw the log-mel spectrum on the scale of brightness that the original sets; the loudest value of that."""
    from benchmark.metrics.parts.sound_samples import BANDS, picture, spectrum_of

    spectrum = spectrum_of(samples, rate)
    top = float(spectrum.max()) if loudest is None else loudest
    extent = (0, len(samples) / rate, 0, BANDS)
    axis.imshow(picture(spectrum, top), extent=extent, aspect="auto", interpolation="nearest")
    ticks = [hertz for hertz in (500, 1000, 2000, 4000, 8000) if hertz <= rate / 2]
    highest = _mel(rate / 2)
    axis.set_yticks([BANDS * _mel(hertz) / highest for hertz in ticks], [f"{hertz / 1000:g}" for hertz in ticks])
    axis.tick_params(axis="y", labelsize=6.5)
    axis.grid(visible=False)
    return top


def _mel(hertz: float) -> float:
    """Where a frequency lies among the bands (O'Shaughnessy's formula, as torchaudio's filters)."""
    return float(2595 * np.log10(1 + hertz / 700))
