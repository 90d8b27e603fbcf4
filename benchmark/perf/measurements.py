"""One row a contender and shape: times, ratios, memory, or why there are none."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from statistics import median, quantiles

import pandas as pd
import torch

from benchmark.perf.cases import Group, Shape
from benchmark.perf.memory import peak_memory
from benchmark.perf.timing import Clock, Effort, paired_ratio, search_share, time_in_rounds


@dataclass(frozen=True)
class Measurement:
    """``seconds`` is the median over rounds, ``low`` and ``high`` its quartiles; ``ratio`` that to the reference."""

    group: str
    contender: str
    rows: int
    size: int
    dim: int
    seconds: float | None = None
    low: float | None = None
    high: float | None = None
    rounds: int = 0
    ratio: float | None = None
    search_share: float | None = None
    process_mb: float | None = None
    extra_mb: float | None = None
    left_out: str | None = None


def measure_shape(
    group: Group, shape: Shape, device: torch.device, effort: Effort, say: Callable[[str], None]
) -> list[Measurement]:
    """Time all contenders of a group on one shape in the same rounds, then measure the memory of each."""
    reasons = {contender.name: contender.left_out(shape, device) for contender in group.contenders}
    present = [contender for contender in group.contenders if reasons[contender.name] is None]
    clock = Clock(device)
    operations = {contender.name: contender.prepare(shape, device) for contender in present}
    seconds = time_in_rounds(operations, clock, effort)
    rounds = len(seconds[group.reference])
    shares = {c.name: search_share(operations[c.name], clock, min(rounds, 5)) for c in present if c.own}
    del operations
    results = []
    for contender in group.contenders:
        place = (group.name, contender.name, shape.rows, shape.size, shape.dim)
        if reasons[contender.name] is not None:
            results.append(Measurement(*place, left_out=reasons[contender.name]))
            continue
        times = seconds[contender.name]
        low, _, high = quantiles(times, n=4)
        peak = peak_memory(group, contender.name, shape, device) if group.memory_at(shape) else None
        results.append(
            Measurement(
                *place,
                seconds=median(times),
                low=low,
                high=high,
                rounds=rounds,
                ratio=paired_ratio(times, seconds[group.reference]),
                search_share=shares.get(contender.name),
                process_mb=peak.process_mb if peak else None,
                extra_mb=peak.extra_mb if peak else None,
            )
        )
        say(f"  {contender.name:<36} {median(times):9.4f} s  x {results[-1].ratio:.2f}")
    return results


def as_frame(measurements: list[Measurement]) -> pd.DataFrame:
    """All measurements as a table, in order."""
    return pd.DataFrame([asdict(measurement) for measurement in measurements])
