"""The second stage in pictures: samples by class and arm, generation against reconstruction, NLL over training."""

import matplotlib.image
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from benchmark.report.columns import column
from benchmark.report.frame import Results, unusable
from benchmark.report.grid import Grid
from benchmark.report.plots.base import (
    PANELS_A_ROW,
    Plot,
    arm_handles,
    panels,
    point_handles,
    set_title,
    size_label,
    wrapped,
    wrapped_places,
)
from benchmark.report.plots.direct import Point, name_curves, name_points, tall_enough
from benchmark.report.plots.page import page_width
from benchmark.report.plots.scales import make_logarithmic, scale
from benchmark.report.priors import Priors
from benchmark.report.style import CEILING, Style

GENERATED, NEAREST = "generated.png", "nearest.png"
SHEET_INCHES = 2.3
"""Width of the samples of one arm."""
NAMES_INCHES = 0.8
"""Of the classes, beside the first samples of a row."""
ARMS_A_ROW = 4


class Sheets(Plot):
    """A picture that the prior of every arm left in ``file``: of its lowest seed at the last place that it has."""

    file: str

    def rows(self, grid: Grid) -> list[str]:
        """What stands beside the rows of a picture; nothing where that is empty."""
        raise NotImplementedError

    def draw(self, grid: Grid, styles: dict[str, Style]) -> Figure | None:
        """The figure; None where no prior left such a picture."""
        sheets = _sheets(grid, self.file)
        if not sheets:
            return None
        names = self.rows(grid)
        rows, columns = wrapped(len(sheets), ARMS_A_ROW)
        tall = max(sheet.shape[0] / sheet.shape[1] for _, sheet in sheets)
        figure, axes = panels(rows, columns, width=SHEET_INCHES, height=SHEET_INCHES * tall + 0.35)
        if names and not page_width():
            figure.set_figwidth(figure.get_figwidth() + NAMES_INCHES)
        for number, axis in enumerate(axis for row in axes for axis in row):
            if number >= len(sheets):
                axis.remove()
                continue
            title, sheet = sheets[number]
            axis.imshow(sheet, cmap="gray", vmin=0, vmax=1, interpolation="nearest")
            axis.set_title(title, fontsize=8.5)
            axis.grid(visible=False)
            axis.set_xticks([])
            axis.spines[:].set_visible(False)
            labelled = names if number % columns == 0 else []
            height = sheet.shape[0] / max(1, len(names))
            axis.set_yticks([height * (row + 0.5) for row in range(len(labelled))], labels=labelled, fontsize=7)
            axis.tick_params(length=0)
        return figure


class Generated(Sheets):
    """The first samples of the prior of every arm, a row a class: of its lowest seed at the last place that it has."""

    name = "generated"
    file = GENERATED

    def rows(self, grid: Grid) -> list[str]:
        """The classes."""
        found: list[str] = grid.results.plan.get("generation", {}).get("class_names", [])
        return found


class Nearest(Sheets):
    """The first samples of the prior of every arm, each above the training image nearest to it."""

    name = "nearest"
    file = NEAREST

    def rows(self, grid: Grid) -> list[str]:
        """What they are."""
        return ["samples", "nearest training images"]


class GenerationScatter(Plot):
    """Fréchet distance of reconstructions against that of samples, a point an arm and size, both to the test images."""

    name = "generation"

    def draw(self, grid: Grid, styles: dict[str, Style]) -> Figure | None:
        """The figure; None where the distances were not measured."""
        priors = Priors(grid)
        names = priors.against()
        if names is None:
            return None
        figure, [[axis]] = panels(1, 1, width=4.8, height=tall_enough(4.0, styles))
        ends: dict[str, Point] = {}
        points: list[Point] = []
        for arm in grid.arms:
            own = _points(priors, arm, names)
            if own:
                x, y = zip(*own, strict=True)
                axis.plot(x, y, **{**styles[arm].curve(), "linewidth": 0.9})
                points += own
                ends[arm] = own[-1]
        if not points:
            return None
        values = [value for point in points for value in point]
        wide = [scale(side, values) for side in (axis.xaxis, axis.yaxis)]
        low, high = min(values), max(values)
        margin = (high / low) ** 0.06 if all(wide) else 1.0
        line = [low / margin, high * margin]
        axis.plot(line, line, **CEILING)
        axis.set(xlabel=column(names[0]).heading, ylabel=column(names[1]).heading)
        if len(grid.sizes) > 1:
            axis.set_title(f"Along a line K = {' to '.join(size_label(s) for s in _ends(grid))}", fontsize=8.5)
        others = [Line2D([], [], label="samples as near as reconstructions", **CEILING)]
        name_points(figure, axis, ends, point_handles(list(ends), styles), styles, others, obstacles=points)
        return figure


class PriorTraining(Plot):
    """A panel a place: bits a position of validation codes under the prior over its training; mean over seeds."""

    name = "prior_training"

    def draw(self, grid: Grid, styles: dict[str, Style]) -> Figure | None:
        """The figure; None where no prior left curves."""
        priors = Priors(grid)
        curves = {
            (arm, place): curve
            for arm in grid.arms
            for place in grid.places
            if (curve := priors.curve(arm, place)) is not None
        }
        places = [place for place in grid.places if any(at == place for _, at in curves)]
        if not places:
            return None
        shape = wrapped_places(places, PANELS_A_ROW)
        width, height = 3.2 if len(places) > 1 else 4.8, tall_enough(3.0, styles)
        figure, rows = panels(*shape, width=width, height=height, sharex=True)
        axes = [axis for row in rows for axis in row]
        ends: dict[Axes, dict[str, Point]] = {}
        for axis, place in zip(axes, places, strict=False):
            ends[axis] = {}
            for arm in (arm for arm in grid.arms if (arm, place) in curves):
                curve = curves[arm, place]
                axis.plot(curve.index, curve, color=styles[arm].colour, linestyle=styles[arm].line)
                end = (float(curve.index[-1]), float(curve.iloc[-1]))
                axis.plot(*([value] for value in end), linestyle="none", clip_on=False, **styles[arm].point())
                ends[axis][arm] = end
            make_logarithmic(axis.xaxis)
            axis.set_xlabel("Step of the prior")
            set_title(axis, grid.title(place))
        for axis in axes[len(places) :]:
            axis.remove()
        for row in rows:
            row[0].set_ylabel("Validation NLL, bits/position")
        arms = [arm for arm in grid.arms if any(arm == found for found, _ in curves)]
        name_curves(figure, ends, arm_handles(arms, styles), styles)
        return figure


def _sheets(grid: Grid, file: str) -> list[tuple[str, np.ndarray]]:
    """Title and picture of every arm that has one."""
    priors, found = Priors(grid), []
    for arm in grid.arms if priors else []:
        for place, key in priors.sampled(arm):
            sheet = _picture(grid.results, key, file)
            if sheet is not None:
                found.append((f"{arm} · K = {place.size:,}" if len(grid.sizes) > 1 else arm, sheet))
                break
    return found


def _picture(results: Results, key: str, file: str) -> np.ndarray | None:
    path = results.file(key, file)
    if path is None:
        return None
    try:
        return matplotlib.image.imread(path)
    except (OSError, ValueError, SyntaxError) as error:
        found: None = unusable(path, error)
        return found


def _points(priors: Priors, arm: str, names: tuple[str, str]) -> list[Point]:
    """One a place: means over tokenizers of two metrics."""
    found = []
    for place in priors.grid.places:
        x, y = (priors.interval(arm, place, name) for name in names)
        if x is not None and y is not None:
            found.append((x.mean, y.mean))
    return found


def _ends(grid: Grid) -> tuple[int, int]:
    return min(grid.sizes), max(grid.sizes)
