"""Two scatters: usage against perplexity (collapse in disguise), and rate against distortion."""

import itertools

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from benchmark.report.columns import column
from benchmark.report.grid import Grid
from benchmark.report.plots.base import LEAST_RUNS, Plot, arm_handles, panels, point_handles, size_label
from benchmark.report.plots.direct import Point, name_points, tall_enough
from benchmark.report.plots.rules import draw_rules
from benchmark.report.plots.scales import make_logarithmic, scale
from benchmark.report.rates import ENTROPY
from benchmark.report.statistics import Interval
from benchmark.report.style import Style


class CollapseInDisguise(Plot):
    """Usage against perplexity/K, a point a run: far below the diagonal, codes are hit but hardly used."""

    name = "disguise"

    def draw(self, grid: Grid, styles: dict[str, Style]) -> Figure | None:
        """The figure; None where no run has codes."""
        if not (grid.results.has("usage") and grid.results.has("perplexity_ratio")):
            return None
        runs = grid.results.ok.dropna(subset=["usage", "perplexity_ratio"])
        runs = runs[(runs["usage"] > 0) & (runs["perplexity_ratio"] > 0)]
        figure, [[axis]] = panels(1, 1, width=4.6, height=tall_enough(4.2, styles))
        areas = {size: 22 + 70 * index / max(1, len(grid.sizes) - 1) for index, size in enumerate(grid.sizes)}
        arms = [arm for arm in grid.arms if (runs["arm"] == arm).any()]
        middles: dict[str, Point] = {}
        for arm in arms:
            own = runs[runs["arm"] == arm]
            usage, ratio = (100 * float(np.exp(np.log(own[name]).mean())) for name in ("usage", "perplexity_ratio"))
            middles[arm] = (usage, ratio)
            axis.scatter(
                own["usage"] * 100,
                own["perplexity_ratio"] * 100,
                s=[areas[size] for size in own["codebook_size"]],
                c=styles[arm].colour,
                marker=styles[arm].marker,
                edgecolors="white",
                linewidths=0.5,
                alpha=0.85,
                zorder=3,
            )
        low = 10 ** np.floor(np.log10(100 * runs["perplexity_ratio"].min()))
        make_logarithmic(axis.xaxis)
        make_logarithmic(axis.yaxis)
        axis.set(xlim=(low, 140), ylim=(low, 140))
        axis.fill_between([low, 140], [low, 140], 140, color="#eeeeee", lw=0, zorder=0)
        axis.text(
            0.03,
            0.97,
            "impossible:\nperplexity above the codes in use",
            transform=axis.transAxes,
            va="top",
            fontsize=8,
            color="#777777",
        )
        axis.text(
            0.97, 0.03, "many codes hit,\nfew used", transform=axis.transAxes, ha="right", fontsize=8, color="#777777"
        )
        axis.set(xlabel="Usage, % of K", ylabel="Perplexity, % of K")
        sizes = [
            Line2D(
                [],
                [],
                linestyle="none",
                marker="o",
                color="#999999",
                markersize=area**0.5,
                label=f"K = {size_label(size)}",
            )
            for size, area in areas.items()
        ]
        everyone = [(100 * usage, 100 * ratio) for usage, ratio in runs[["usage", "perplexity_ratio"]].to_numpy()]
        others = sizes if len(sizes) > 1 else []
        everyone += [(low * (140 / low) ** (x / 10), low * (140 / low) ** y) for x in (7, 8, 9) for y in (0.05, 0.1)]
        name_points(figure, axis, middles, point_handles(arms, styles), styles, others, everyone)
        return figure


class RateDistortion(Plot):
    """Entropy of the codes against error: what a code buys, whatever its codebook's size.

    In bits per position; per image, where runs differ in the number of positions.
    """

    name = "rate_distortion"

    def draw(self, grid: Grid, styles: dict[str, Style]) -> Figure | None:
        """The figure; None where there is no entropy or no error."""
        error = next((name for name in ("mse", "squared_error", "quantization_error") if grid.results.has(name)), None)
        if error is None or not grid.results.has("entropy_bits"):
            return None
        entropy = ENTROPY if grid.results.has(ENTROPY) else "entropy_bits"
        figure, [[axis]] = panels(1, 1, width=4.8, height=tall_enough(3.8, styles))
        floors: list[tuple[str, float]] = []
        errors: list[float] = []
        ends: dict[str, Point] = {}
        points: list[Point] = []
        for arm, (_, places) in itertools.product(grid.arms, grid.lines()):
            found = [
                (rate, grid.interval(arm, place, error))
                for place in places
                if (rate := grid.interval(arm, place, entropy))
            ]
            pairs = [(rate, distortion) for rate, distortion in found if distortion is not None]
            floor = None if pairs else next((i for place in places if (i := grid.interval(arm, place, error))), None)
            if not pairs and floor is None:
                continue
            if floor is not None:
                floors.append((arm, floor.mean))
                continue
            errors += [distortion.mean for _, distortion in pairs]
            x, y = [rate.mean for rate, _ in pairs], [distortion.mean for _, distortion in pairs]
            axis.errorbar(
                x, y, _bars(pairs, 1), _bars(pairs, 0), fmt="none", ecolor=styles[arm].colour, elinewidth=0.8, alpha=0.5
            )
            axis.plot(x, y, **styles[arm].curve())
            points += zip(x, y, strict=True)
            ends[arm] = points[-1]
        scale(axis.yaxis, errors)
        unit = "image" if entropy == ENTROPY else "position"
        axis.set(xlabel=f"Entropy of the codes, bits per {unit}", ylabel=column(error).heading)
        if unit == "image":
            make_logarithmic(axis.xaxis)
        if len(grid.sizes) > 1:
            axis.set_title("Along a line the codebook grows", fontsize=8.5)
        elif len(grid.x.values) > 1:
            axis.set_title(f"Along a line: {grid.x.label}", fontsize=8.5)
        for arm, value in draw_rules(axis, floors, errors, column(error), styles, {}).items():
            ends[arm] = (axis.get_xlim()[1], value)
        handles = arm_handles(list(ends), styles, rules=[arm for arm, _ in floors])
        name_points(figure, axis, ends, handles, styles, obstacles=points)
        return figure


def _bars(pairs: list[tuple[Interval, Interval]], index: int) -> list[float]:
    """Half-widths of the error bars, short of zero so that a logarithmic axis can hold them; none of two runs."""
    halves = [pair[index].half_width if pair[index].n >= LEAST_RUNS else None for pair in pairs]
    return [min(half or 0.0, 0.95 * abs(pair[index].mean)) for half, pair in zip(halves, pairs, strict=True)]
