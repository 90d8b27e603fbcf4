"""Names of arms: in a legend of a few; of more, beside what they name, and in the legend the families' colours."""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import ConnectionStyle, Patch
from matplotlib.transforms import Bbox, ScaledTranslation

from benchmark.report.families import COLOURS, place_of
from benchmark.report.plots.base import legend, legend_outside
from benchmark.report.plots.page import page_width
from benchmark.report.style import Style, is_crowded

Point = tuple[float, float]
SIZE = 7.0
_LINE, _LETTER = 0.118, 0.062
"""Inches that a name takes: its height, and a letter of it."""
_EDGES = 0.75
"""Inches of a panel that its title and the labels of its axes take."""
_GAP, _REACH, _DOT = 0.18, 0.09, 0.035
"""Inches between a panel and the names beside it, between a point and its name, and around a point."""
_MARGIN = 1.1
"""Inches that names beside a panel take of a paper's column, about."""
_LAST = 0.98
"""What ends further right than this share of a panel is named in the margin."""
_BESIDE = ((1, 0), (-1, 0), (1, 1), (1, -1), (-1, 1), (-1, -1))
"""Where a name is tried beside its point."""


class _Tie(ConnectionStyle.Arc3):
    """The line from a name to what it names, straight as Matplotlib draws it: the same to the last byte.

    It begins where it leaves the box around the name, which Matplotlib finds in a dozen steps; asking a box that is
    transformed once whether a point is within takes a fifth of the time, which was a third of a plot's.
    """

    def _in_patch(self, patch: Patch) -> Callable[[Point], bool]:
        outline: Any = patch.get_transform().transform_path(patch.get_path())
        radius = patch._process_radius(None)  # type: ignore[attr-defined]
        return lambda point: bool(outline.contains_point(point, radius=radius))


def tall_enough(height: float, styles: Mapping[str, Style]) -> float:
    """Inches of a panel beside which the names of all arms find room, ``height`` at least; in a paper it is lower."""
    if is_crowded(styles):
        return max(height, _EDGES + _LINE * len(styles))
    return 0.75 * height if page_width() else height


def name_curves(
    figure: Figure,
    ends: Mapping[Axes, Mapping[str, Point]],
    handles: Sequence[Line2D],
    styles: Mapping[str, Style],
    others: Sequence[Line2D] = (),
) -> None:
    """Say which curve is whose, when all is drawn and no limit will change.

    Args:
        ends: of each panel, where the curve of an arm ends.
        handles: legend entries of the arms.
        others: legend entries of what is no arm.
    """
    if not is_crowded(styles):
        legend(figure, [*handles, *others])
        return
    names = {arm for points in ends.values() for arm in points}
    _widen(figure, next(iter(ends)), _labels(names, styles))
    for axes, points in ends.items():
        _name_in_margin(axes, points, styles)
    family_legend(figure, names, styles, others)


def name_points(
    figure: Figure,
    axes: Axes,
    points: Mapping[str, Point],
    handles: Sequence[Line2D],
    styles: Mapping[str, Style],
    others: Sequence[Line2D] = (),
    obstacles: Sequence[Point] = (),
) -> None:
    """As `name_curves` for a scatter: a name stands beside its point, or in the margin where there is no room.

    Args:
        points: where each arm's name belongs.
        obstacles: further points that no name may cover.
    """
    if not is_crowded(styles):
        legend(figure, [*handles, *others])
        return
    crowd = _name_beside(axes, points, [*points.values(), *obstacles], styles)
    _widen(figure, axes, _labels(crowd, styles))
    _name_in_margin(axes, crowd, styles)
    family_legend(figure, points, styles, others)


def family_legend(
    figure: Figure, arms: Collection[str], styles: Mapping[str, Style], others: Sequence[Line2D] = ()
) -> None:
    """What the colours stand for, where that is families."""
    families = sorted({family for arm in arms if (family := styles[arm].family)}, key=place_of)
    looks: dict[str, Any] = {"linestyle": "none", "marker": "s", "markersize": 7}
    handles = [*(Line2D([], [], color=COLOURS[family], label=family, **looks) for family in families), *others]
    if handles:
        legend_outside(figure, handles)


def spread(wanted: Sequence[float], least: float) -> np.ndarray:
    """Places in [0, 1] ``least`` apart and otherwise as near to the ascending ``wanted`` as can be."""
    from scipy.optimize import isotonic_regression  # takes a while to import, and plots of few arms needn't wait for it

    steps = least * np.arange(len(wanted))
    fitted = isotonic_regression(np.asarray(wanted) - steps).x
    return np.asarray(fitted.clip(0.0, max(0.0, 1.0 - least * (len(wanted) - 1))) + steps)


def _labels(names: Collection[str], styles: Mapping[str, Style]) -> list[str]:
    return [styles[name].label(name) for name in names]


def _widen(figure: Figure, axes: Axes, names: Collection[str]) -> None:
    """Let a figure grow by the names beside each of its columns of panels, so that the panels keep their width."""
    grid = axes.get_gridspec()
    assert grid is not None
    if names and not page_width():
        width, height = figure.get_size_inches()
        figure.set_size_inches(width + grid.ncols * (_GAP + _LETTER * max(map(len, names))), height)


def _inches(axes: Axes) -> tuple[float, float]:
    """What a panel will have of its figure, about."""
    grid, figure = axes.get_gridspec(), axes.get_figure(root=True)
    assert grid is not None
    assert figure is not None
    width, height = figure.get_size_inches()
    names = _MARGIN if page_width() else 0.0  # else the figure grows by them
    return width / grid.ncols - _EDGES - names, height / grid.nrows - _EDGES


def _shares(axes: Axes, points: Collection[Point]) -> list[Point]:
    """Where points lie in a panel, from 0 to 1; those outside at its edge."""
    assert axes.viewLim is not None  # asking for the limits makes them those of all that is drawn
    if not points:
        return []
    found = (axes.transScale + axes.transLimits).transform(list(points)).clip(0.0, 1.0)
    return [(float(x), float(y)) for x, y in found]


def _name_in_margin(axes: Axes, points: Mapping[str, Point], styles: Mapping[str, Style]) -> None:
    """Names right of a panel, in the order of what they name, each tied to it by a thin line."""
    figure = axes.get_figure(root=True)
    assert figure is not None
    ordered = sorted(zip(points, _shares(axes, points.values()), strict=True), key=lambda item: item[1][1])
    least = min(_LINE / _inches(axes)[1], 1 / max(1, len(ordered) - 1))
    right = axes.transAxes + ScaledTranslation(_GAP, 0, figure.dpi_scale_trans)
    heights = spread([y for _, (_, y) in ordered], least) if ordered else np.empty(0)
    for (name, at), height in zip(ordered, heights, strict=True):
        tie: dict[str, Any] = {"arrowstyle": "-", "linewidth": 0.5, "alpha": 0.7, "relpos": (0, 0.5)}
        tie["connectionstyle"] = _Tie()
        axes.annotate(
            styles[name].label(name),
            xy=at,
            xycoords="axes fraction",
            xytext=(1.0, float(height)),
            textcoords=right,
            arrowprops={**tie, "color": styles[name].colour, "shrinkA": 1, "shrinkB": 2},
            annotation_clip=False,
            va="center",
            fontsize=SIZE,
            color=styles[name].colour,
        )


def _name_beside(
    axes: Axes, points: Mapping[str, Point], obstacles: Sequence[Point], styles: Mapping[str, Style]
) -> dict[str, Point]:
    """Put names beside their points, those first that stand alone; the points whose names find no room."""
    width, height = _inches(axes)
    at = dict(zip(points, _shares(axes, points.values()), strict=True))
    boxes = [Bbox.from_bounds(x * width, y * height, 0, 0).padded(_DOT) for x, y in _shares(axes, obstacles)]
    panel = Bbox.from_bounds(0, 0, width, height)
    crowd = {}
    for name, (x, y) in sorted(at.items(), key=lambda item: item[1]):
        long = _LETTER * len(styles[name].label(name))
        for right, up in _BESIDE:
            left, low = x * width + _REACH if right > 0 else x * width - _REACH - long, y * height + up * _LINE
            box = Bbox.from_bounds(left, low - _LINE / 2, long, _LINE)
            if box.count_overlaps(boxes) or not _within(box, panel) or x > _LAST:
                continue
            boxes.append(box)
            axes.annotate(
                styles[name].label(name),
                xy=(x, y),
                xycoords="axes fraction",
                xytext=(72 * right * _REACH, 72 * up * _LINE),
                textcoords="offset points",
                ha="left" if right > 0 else "right",
                va="center",
                fontsize=SIZE,
                color=styles[name].colour,
            )
            break
        else:
            crowd[name] = points[name]
    return crowd


def _within(box: Bbox, panel: Bbox) -> bool:
    return bool(box.x0 >= panel.x0 and box.x1 <= panel.x1 and box.y0 >= panel.y0 and box.y1 <= panel.y1)
