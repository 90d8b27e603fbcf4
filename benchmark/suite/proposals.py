"""Which settings tuning tries next: learning rates by quarter decades, the values of a method's knob by their order."""

import itertools
import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from methods import Knob
from methods.core.usage import UsageError

_MANTISSAS = (1.0, 1.8, 3.0, 5.6)
_HALF = 2


class Setting(NamedTuple):
    """A learning rate, in quarter decades over 1, and the place of a value among all that a knob can have."""

    quarters: int
    place: int | None

    @property
    def learning_rate(self) -> float:
        """0.001, 0.0018, 0.003, 0.0056, 0.01, ..."""
        decades, rest = divmod(self.quarters, len(_MANTISSAS))
        return float(f"{_MANTISSAS[rest]}e{decades}")

    def params(self, knob: Knob | None) -> dict[str, Any]:
        """The knob's parameter with its value."""
        return {} if knob is None or self.place is None else {knob.parameter: knob.ladder[self.place]}


def quarters_of(rate: float) -> int:
    """A learning rate in quarter decades.

    Raises:
        UsageError: it is none of 0.001, 0.0018, 0.003, 0.0056, 0.01, and so on.
    """
    quarters = round(4 * math.log10(rate))
    if not math.isclose(Setting(quarters, None).learning_rate, rate, rel_tol=1e-6):
        raise UsageError(f"tuning.learning_rates: {rate:g} is no half or quarter decade (0.001, 0.0018, 0.003, 0.0056)")
    return quarters


def first_settings(rates: Iterable[float], knob: Knob | None) -> list[Setting]:
    """Every learning rate with each of the knob's values; without a knob as many rates, by quarter decades."""
    quarters = sorted({quarters_of(rate) for rate in rates})
    if knob is not None:
        places = [knob.ladder.index(value) for value in knob.values]
        return [Setting(*pair) for pair in itertools.product(quarters, places)]
    count = len(quarters) * 3
    first = (quarters[0] + quarters[-1]) // 2 - count // 2
    return [Setting(first + index, None) for index in range(count)]


def next_settings(errors: Mapping[Setting, float], knob: Knob | None, count: int) -> list[Setting]:
    """``count`` settings that are not among those tried: beyond an end that is best, else beside the best.

    Args:
        errors: of the settings tried, infinite where a trial did not end well.
        knob: of the method; None where it has none.
        count: how many, the same for every arm.
    """
    best = min(errors, key=lambda setting: (errors[setting], setting))
    fresh = (setting for setting in _nearby(best, errors, knob) if setting not in errors)
    return list(itertools.islice(dict.fromkeys(itertools.islice(fresh, 8 * count)), count))


def to_try_longer(errors: Mapping[Setting, float], keep: int) -> list[Setting]:
    """The best setting at each of the ``keep`` learning rates that did best.

    Not the best settings whatever their rate: short trials like rates at which long ones blow up, and how much a
    longer training wants them lower is what the longer trials are to find out.
    """
    ranked = sorted(errors, key=lambda setting: (errors[setting], setting))
    best_of_rate = {setting.quarters: setting for setting in reversed(ranked)}
    return [setting for setting in ranked if best_of_rate[setting.quarters] == setting][:keep]


def to_try_in_full(errors: Mapping[Setting, float]) -> list[Setting]:
    """The best setting, and the same half a decade below its rate; none where no trial ended well."""
    best = min(errors, key=lambda setting: (errors[setting], setting))
    return [best, best._replace(quarters=best.quarters - _HALF)] if math.isfinite(errors[best]) else []


def at_the_end(
    setting: Setting, tried: Iterable[Setting], knob: Knob | None, in_full: Iterable[Setting] = ()
) -> list[str]:
    """What of ``setting`` is the lowest or highest of those tried with it, beyond which a better one may lie.

    Of those tried ``in_full``, if any, the lowest rate is an end, whatever shorter trials were made below it.
    """
    rates = {other.quarters for other in tried if other.place == setting.place}
    lowest = min({other.quarters for other in in_full} or rates)
    found = ["learning_rate"] if setting.quarters in (lowest, max(rates)) else []
    if knob is not None:
        places = [other.place for other in tried if other.place is not None]
        found += [knob.parameter] if setting.place in (min(places), max(places)) else []
    return found


def _nearby(best: Setting, tried: Iterable[Setting], knob: Knob | None) -> Iterator[Setting]:
    """Candidates in the order of their worth, without end."""
    quarters, place = best
    known = list(tried)
    beyond = _beyond(quarters, {other.quarters for other in known if other.place == place}, _HALF)
    yield from (Setting(rate, place) for rate in beyond)
    if knob is not None and place is not None:
        places = _beyond(place, {other.place for other in known if other.place is not None}, 1)
        places = [other for other in places if 0 <= other < len(knob.ladder)]
        yield from (Setting(quarters, other) for other in places)
        yield from (Setting(rate, other) for rate in beyond for other in places)
    for distance in itertools.count(1):
        yield Setting(quarters + distance, place)
        yield Setting(quarters - distance, place)


def _beyond(position: int, tried: set[int], step: int) -> list[int]:
    """The next position where ``position`` is the highest or the lowest of those ``tried``."""
    above = [position + step] if position == max(tried) else []
    return above + ([position - step] if position == min(tried) else [])
