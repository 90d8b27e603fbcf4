"""The plots, by the names that suites use."""

from collections.abc import Callable
from typing import TypeVar

from benchmark.report.plots.against_published import AgainstPublished
from benchmark.report.plots.base import Plot
from benchmark.report.plots.by_size import BySize
from benchmark.report.plots.codewords import CodewordsMoving
from benchmark.report.plots.generation import Generated, GenerationScatter, Nearest, PriorTraining
from benchmark.report.plots.rank_frequency import RankFrequency
from benchmark.report.plots.reconstructions import Reconstructions
from benchmark.report.plots.response import Response
from benchmark.report.plots.scatter import CollapseInDisguise, RateDistortion
from benchmark.report.plots.speech import Speech
from benchmark.report.plots.training import ErrorOverTraining, OverTraining
from benchmark.report.quantities import USAGE, distortion_columns, grouped, price_columns
from methods.core.plugins import Registry, origin
from methods.core.usage import UsageError

Builder = TypeVar("Builder", bound=Callable[[], Plot])

PLOTS: Registry[Plot] = Registry("plot", __name__, group="codebook_bench.plots")
for _plot in (
    BySize("usage", grouped(USAGE)),
    BySize("distortion", distortion_columns),
    BySize("price", price_columns),
    OverTraining(),
    ErrorOverTraining(),
    Response(),
    RankFrequency(),
    CollapseInDisguise(),
    RateDistortion(),
    Reconstructions(),
    CodewordsMoving(),
    Speech(),
    Generated(),
    Nearest(),
    GenerationScatter(),
    PriorTraining(),
):
    PLOTS.add(_plot.name, _plot, type(_plot))


def register(name: str) -> Callable[[Builder], Builder]:
    """Decorator of a `Plot` class, or of a function that returns a plot: suites may name it, and "all plots" have it.

    Raises:
        UsageError: it makes no `Plot`, or the name is taken.
    """

    def decorate(build: Builder) -> Builder:
        plot = build()
        if not isinstance(plot, Plot):
            raise UsageError(f"plot `{name}`: {origin(build)} makes no benchmark.report.plots.Plot, but {plot!r}")
        plot.name = name
        PLOTS.add(name, plot, build)
        return build

    return decorate


__all__ = ["PLOTS", "AgainstPublished", "BySize", "Plot", "register"]
