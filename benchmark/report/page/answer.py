"""The answer of a suite in two sentences, each made of what its tables carry."""

from collections.abc import Callable, Iterable, Sequence

from benchmark.report.columns import Column, column
from benchmark.report.grid import Grid
from benchmark.report.lengths import after_longest, longest
from benchmark.report.places import Place
from benchmark.report.priors import Priors
from benchmark.report.quantities import distortion_columns
from benchmark.report.statistics import Comparison, Difference, Interval, is_beyond_chance

_HEADLINES = ("psnr", "squared_error", "mse")
_NAMED = 4
"""Arms that a sentence names before it counts."""


def headline(grid: Grid) -> Column | None:
    """The distortion that the answer is about: PSNR or an error where measured, else the first there is."""
    found = [column(name) for name in _HEADLINES if grid.results.has(name)]
    return next(iter([*found, *distortion_columns(grid.results)]), None)


def answer(grid: Grid) -> list[str]:
    """Who reconstructs better beyond chance and by how much, how the codes are used, and, where there are priors, what
    these reach; arms stand in backticks."""
    if not len(grid.results.ok):
        return [f"No run of this suite has ended well yet: {_missing(grid)}."]
    shown = headline(grid)
    quality = [_quality(grid, shown)] if shown else []
    return [*quality, *_usage(grid), *_priors(grid)] or ["Nothing that was measured here compares arms."]


def told_at(grid: Grid) -> Place:
    """Where charts stand if nobody says otherwise: where the answer tells usage, or else distortion."""
    shown = headline(grid)
    named = [column("usage"), *([shown] if shown else [])]
    found = (told[0] for each in named if (told := _told_at(grid, _compared(grid), each)) is not None)
    return next(found, grid.places[-1])


def _told_at(grid: Grid, arms: Sequence[str], shown: Column) -> tuple[Place, bool] | None:
    """The last of the places at which most arms have a mean, and whether it was chosen among words.

    Words have no order: of those with the most such places, the one whose last has the widest range of usage, or of
    ``shown`` where codes were not counted.
    """
    found = {place: _means(grid, arms, place, shown) for place in grid.places}
    most = max(map(len, found.values()))
    if not most:
        return None
    full: dict[tuple[object, ...], list[Place]] = {}
    for place in (place for place, means in found.items() if len(means) == most):
        full.setdefault(_words(grid, place), []).append(place)
    longest_lists = max(map(len, full.values()))
    last = [places[-1] for places in full.values() if len(places) == longest_lists]

    def spread(place: Place) -> float:
        means = [interval.mean for interval in (_means(grid, arms, place, column("usage")) or found[place]).values()]
        return max(means) - min(means)

    return max(reversed(last), key=spread), len(last) > 1


def _words(grid: Grid, place: Place) -> tuple[object, ...]:
    return tuple(value for axis, value in zip(grid.axes, place.values, strict=True) if not axis.numeric)


def _compared(grid: Grid) -> list[str]:
    return [arm for arm in grid.arms if not grid.results.is_reference(arm)]


def _missing(grid: Grid) -> str:
    keys = set(grid.results.cells["key"].dropna())
    return f"0 of {len(keys):,} are there as the plan has them" if keys else "the plan has none"


def _quality(grid: Grid, shown: Column) -> str:
    comparison = grid.compare(shown.name, shown.direction, longest(grid))
    if comparison is None:
        return f"{_unranked(grid)}: {_range(grid, shown)}."
    if comparison.seeds < 2:
        return f"One seed is left, so no difference is tested: {_range(grid, shown)}."
    over = f"over {_count(comparison.blocks, 'block')} of {_count(comparison.seeds, 'seed')}{after_longest(grid)}"
    told = [other for other in comparison.differences if is_beyond_chance(other.p_holm)]
    worse = [other for other in told if other.difference.mean * shown.direction < 0]
    better = [other for other in told if other not in worse]
    if comparison.beyond_chance:
        return _best(comparison, worse, shown, over)
    same = [other for other in comparison.differences if other not in told]
    first = f"In {shown.label}, `{comparison.against}`{_chosen(comparison)}"
    parts = [f"is better beyond chance than {_names(worse)}, by {_amounts(worse, shown)}"] if worse else []
    parts += [f"worse beyond chance than {_names(better)}, by {_amounts(better, shown)}"] if better else []
    parts += [f"can't be told apart from {_names(same)}"] if same else []
    return f"{first}, {', and '.join(parts)} ({over}, Holm-corrected)."


def _unranked(grid: Grid) -> str:
    if grid.results.is_untuned:
        return "The arms are untuned, so none is ranked"
    few = len(grid.remedies) < 2
    return "Fewer than two arms are whole remedies with codes" if few else "No size and seed has a run of every arm"


def _best(comparison: Comparison, others: Sequence[Difference], shown: Column, over: str) -> str:
    nearest = min(others, key=lambda other: abs(other.difference.mean))
    amount = _amount(nearest.difference, shown)
    each = "the other arm" if len(others) == 1 else f"each of the {len(others)} other arms"
    by = f", by {amount}" if len(others) == 1 else f"; the nearest, `{nearest.arm}`, is behind by {amount}"
    return f"`{comparison.against}` is better in {shown.label} than {each} beyond chance{by} ({over}, Holm-corrected)."


def _chosen(comparison: Comparison) -> str:
    return ", the arm of least validation error" if comparison.on_validation else ", the arm of the best mean rank"


def _range(grid: Grid, shown: Column) -> str:
    """The lowest and the highest mean where the answer is told."""
    arms = [arm for arm in grid.remedies if any(len(grid.values(arm, place, shown.name)) for place in grid.places)]
    arms = arms or grid.arms
    told = _told_at(grid, arms, shown)
    if told is None:
        return f"{shown.label} was measured nowhere"
    place, _ = told
    found = _means(grid, arms, place, shown)
    (low, least), (high, most) = (_extreme(found, pick) for pick in (min, max))
    if low == high:
        return f"{shown.label} of `{low}` is {_valued(shown, least)} at {grid.title(place)}"
    ends = f"{shown.number(least.mean)} (`{low}`) to {_valued(shown, most)} (`{high}`)"
    return f"{shown.label} runs from {ends} at {grid.title(place)}, {_seeds(found.values())} an arm"


def _usage(grid: Grid) -> list[str]:
    """Usage beside perplexity where the answer is told, with what a uniform source would reach."""
    usage, perplexity = column("usage"), column("perplexity")
    arms = _compared(grid)
    told = _told_at(grid, arms, usage)
    if told is None:
        return []
    place, chosen = told
    found = _means(grid, arms, place, usage)
    ends = [_extreme(found, pick) for pick in (min, max)]
    words = [
        f"{usage.number(interval.mean)} % (`{arm}`, perplexity "
        f"{perplexity.text(_mean_alone(grid.interval(arm, place, 'perplexity')))})"
        for arm, interval in ends
    ]
    ceiling = grid.shared(place, "ceiling")
    bound = "" if ceiling is None else f"; a uniform source would use {usage.number(ceiling)} %"
    runs = f"is {words[0]}" if ends[0][0] == ends[1][0] else f"runs from {words[0]} to {words[1]}"
    where = f"At {grid.title(place)}{', where it differs most' if chosen else ''}"
    return [f"{where}, usage {runs}{bound}."]


def _priors(grid: Grid) -> list[str]:
    """How far samples are from the test images beside reconstructions, where the priors were measured so."""
    priors = Priors(grid)
    against = priors.against() if priors else None
    if against is None:
        return []
    shown = column(against[1].removeprefix("samples_"))
    place = priors.places[-1]
    arms = [arm for arm in grid.arms if len(priors.at(arm, place))]
    means = [{arm: priors.interval(arm, place, name) for arm in arms} for name in against]
    made, sampled = ({arm: found for arm, found in each.items() if found is not None} for each in means)
    if not made or not sampled:
        return []
    (low, least), (high, most) = (_extreme(sampled, pick) for pick in (min, max))
    runs = f"is {_valued(shown, least)} (`{low}`)"
    if low != high:
        runs = f"runs from {shown.number(least.mean)} (`{low}`) to {_valued(shown, most)} (`{high}`)"
    ends = dict.fromkeys(shown.number(_extreme(made, pick)[1].mean) for pick in (min, max))
    where = f"at {grid.title(place)}, {_seeds(sampled.values())} an arm"
    beside = f"where reconstructions have {' to '.join(ends)}"
    return [f"{shown.label} of the priors' samples {runs} {where}, {beside}; not tested."]


def _seeds(intervals: Iterable[Interval]) -> str:
    counts = sorted({interval.n for interval in intervals})
    return _count(counts[0], "seed") if len(counts) == 1 else f"{counts[0]:,} to {counts[-1]:,} seeds"


def _means(grid: Grid, arms: Sequence[str], place: Place, shown: Column) -> dict[str, Interval]:
    found = {arm: grid.interval(arm, place, shown.name) for arm in arms if grid.planned(arm, place)}
    return {arm: interval for arm, interval in found.items() if interval is not None}


def _extreme(found: dict[str, Interval], pick: Callable[..., str]) -> tuple[str, Interval]:
    arm = pick(found, key=lambda name: found[name].mean)
    return arm, found[arm]


def _mean_alone(interval: Interval | None) -> Interval | None:
    return interval and interval._replace(half_width=None)


def _valued(shown: Column, interval: Interval) -> str:
    return " ".join(filter(None, [shown.number(interval.mean), shown.unit]))


def _amount(difference: Interval, shown: Column) -> str:
    size = difference._replace(mean=abs(difference.mean))
    return " ".join(filter(None, [shown.finer().text(size), shown.unit]))


def _amounts(others: Sequence[Difference], shown: Column) -> str:
    """One difference, or the smallest and the largest."""
    sizes = sorted((other.difference for other in others), key=lambda difference: abs(difference.mean))
    if len(sizes) == 1:
        return _amount(sizes[0], shown)
    least, most = (shown.finer().number(abs(size.mean)) for size in (sizes[0], sizes[-1]))
    return " ".join(filter(None, [f"{least} to {most}", shown.unit]))


def _names(others: Sequence[Difference]) -> str:
    names = [f"`{other.arm}`" for other in others]
    if len(names) > _NAMED + 1:
        names = [*names[:_NAMED], f"{len(names) - _NAMED} more arms"]
    return _joined(names)


def _joined(parts: Sequence[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"


def _count(number: int, word: str) -> str:
    return f"{number:,} {word}{'' if number == 1 else 's'}"
