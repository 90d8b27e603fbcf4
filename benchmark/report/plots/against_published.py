"""A paper table as a plot: our curves along the grid, published figures as open markers on them."""

from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from benchmark.report.columns import Column
from benchmark.report.declarations import PaperTable
from benchmark.report.grid import Grid
from benchmark.report.places import Place
from benchmark.report.plots.base import Plot
from benchmark.report.plots.by_size import lines, place_of
from benchmark.report.quantities import named
from benchmark.report.style import Style
from benchmark.report.tables.paper import figure_of

OPEN: dict[str, Any] = {
    "linestyle": "none",
    "marker": "o",
    "markersize": 9,
    "markerfacecolor": "none",
    "markeredgewidth": 1.3,
}


class AgainstPublished(Plot):
    """One panel a metric of the table; a published figure is a ring in the colour of its arm."""

    def __init__(self, name: str, table: PaperTable) -> None:
        self.name = name
        self._table = table

    def draw(self, grid: Grid, styles: dict[str, Style]) -> Figure | None:
        """The figure; None where there is a single place, or nothing was measured."""
        columns = named(*self._table.columns)(grid.results)
        if not columns or len(grid.places) == 1:
            return None

        def rings(axis: Axes, column: Column, places: list[Place]) -> None:
            for arm in grid.arms:
                found = {
                    place_of(grid, arm, place): figure.value * column.scale
                    for place in places
                    if (figure := figure_of(self._table, grid, arm, place, column.name)) is not None
                }
                axis.plot(list(found), list(found.values()), markeredgecolor=styles[arm].colour, **OPEN)

        return lines(
            columns, grid, styles, rings, [Line2D([], [], label="published", markeredgecolor="#444444", **OPEN)]
        )
