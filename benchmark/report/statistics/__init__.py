"""Intervals over seeds, comparisons of arms, and how far two orders of arms agree."""

from benchmark.report.statistics.agreement import Agreement, agreement
from benchmark.report.statistics.comparison import Comparison, Difference, compare, lacking
from benchmark.report.statistics.intervals import LEVEL, Interval, t_interval

__all__ = [
    "LEVEL",
    "Agreement",
    "Comparison",
    "Difference",
    "Interval",
    "agreement",
    "compare",
    "lacking",
    "t_interval",
]
