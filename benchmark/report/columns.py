"""How a quantity is headed and printed: from the metrics' catalogue, and the times and memory of a run."""

from dataclasses import dataclass, replace

from benchmark.metrics.catalogue import Metric, describe
from benchmark.report.progress import PROGRESS
from benchmark.report.rates import RATES
from benchmark.report.statistics import Interval

NO_VALUE = "–"
PRICE = {
    "start_seconds": Metric("Start", "wall-clock time of a start from data, before the first step", ",.1f", unit="s"),
    "train_seconds": Metric("Training", "wall-clock time of the training loop", ",.1f", unit="s"),
    "peak_rss_mb": Metric("Peak memory", "largest resident set of the process", ",.0f", unit="MB"),
    "peak_cuda_mb": Metric("Peak GPU memory", "largest memory allocated on the device", ",.0f", unit="MB"),
}
"""What a run costs. No direction: a price is no distortion, and is never marked best."""

_SIGNS = {"lower": -1, "higher": 1, "none": 0}


@dataclass(frozen=True)
class Column:
    """Heading and number format of one quantity.

    ``direction``: -1 where lower is better, +1 where higher is, 0 where neither. ``unit``: as in a heading;
    ``%`` for a stored share. ``lowest``: what no interval reaches below.
    """

    name: str
    label: str
    direction: int
    decimals: int
    unit: str
    description: str
    lowest: float | None = None

    @property
    def percent(self) -> bool:
        """Whether a stored share is printed as a percentage."""
        return self.unit == "%"

    @property
    def scale(self) -> float:
        """From the stored number to the printed one."""
        return 100.0 if self.percent else 1.0

    @property
    def heading(self) -> str:
        """The label with its unit and an arrow towards better."""
        unit = f", {self.unit}" if self.unit else ""
        return self.label + unit + {-1: " ↓", 1: " ↑", 0: ""}[self.direction]

    def finer(self) -> "Column":
        """With one more decimal, for differences."""
        return replace(self, decimals=self.decimals + 1)

    def number(self, value: float) -> str:
        """One number, in the printed scale."""
        return f"{value * self.scale:,.{self.decimals}f}".replace("-", "−")

    def text(self, interval: Interval | None, *, signed: bool = False) -> str:
        """Mean ± half-width; the mean alone of one run; a dash where there is nothing."""
        if interval is None:
            return NO_VALUE
        mean = ("+" if signed and interval.mean > 0 else "") + self.number(interval.mean)
        return mean if interval.half_width is None else f"{mean} ± {self.number(interval.half_width)}"


def column(name: str) -> Column:
    """The column of a metric, a price, a rate, or of how far from done a run is.

    Raises:
        UsageError: there is no such quantity.
    """
    own = {**PRICE, **PROGRESS, **RATES}
    metric = own[name] if name in own else describe(name)
    kind = metric.format[-1]
    decimals = 0 if kind == "d" else int(metric.format.strip(",.%fd"))
    unit = "%" if kind == "%" else "" if metric.unit == "codes" else metric.unit
    return Column(name, metric.label, _SIGNS[metric.direction], decimals, unit, metric.description, metric.lowest)
