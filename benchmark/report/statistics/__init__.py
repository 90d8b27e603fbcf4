"""Intervals over seeds, comparisons of arms, and how far two orders of arms agree."""

from benchmark.report.statistics.agreement import Agreement, Contradictions, agreement, contradictions
from benchmark.report.statistics.comparison import (
    Comparison,
    Difference,
    PairDifference,
    compare,
    compare_pairs,
    is_beyond_chance,
    lacking,
)
from benchmark.report.statistics.intervals import LEVEL, Interval, t_interval

__all__ = [
    "LEVEL",
    "Agreement",
    "Comparison",
    "Contradictions",
    "Difference",
    "Interval",
    "PairDifference",
    "agreement",
    "compare",
    "compare_pairs",
    "contradictions",
    "is_beyond_chance",
    "lacking",
    "t_interval",
]
