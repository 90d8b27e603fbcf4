"""The plots, by the names that suites use."""

from benchmark.report.plots.against_published import AgainstPublished
from benchmark.report.plots.base import Plot
from benchmark.report.plots.by_size import BySize
from benchmark.report.plots.codewords import CodewordsMoving
from benchmark.report.plots.rank_frequency import RankFrequency
from benchmark.report.plots.reconstructions import Reconstructions
from benchmark.report.plots.response import Response
from benchmark.report.plots.scatter import CollapseInDisguise, RateDistortion
from benchmark.report.plots.speech import Speech
from benchmark.report.plots.training import ErrorOverTraining, OverTraining
from benchmark.report.quantities import USAGE, distortion_columns, grouped, price_columns

PLOTS: dict[str, Plot] = {
    plot.name: plot
    for plot in (
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
    )
}

__all__ = ["PLOTS", "AgainstPublished", "BySize", "Plot"]
