"""One row a contender and shape: times, ratios, memory, or why there are none."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from statistics import median, quantiles

import pandas as pd
import torch

from benchmark.perf.cases import Group, Prepared, Shape
from benchmark.perf.memory import peak_memory
from benchmark.perf.timing import Clock, Effort, paired_ratio, search_share, time_in_rounds
from benchmark.records.plain import one_line
from benchmark.training.loop import wait_for
from methods.core.usage import in_words


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
    operations, reasons = _operations(group, shape, device)
    clock = Clock(device)
    seconds = time_in_rounds(operations, clock, effort) if operations else {}
    own = [contender.name for contender in group.contenders if contender.own and contender.name in operations]
    shares = {name: search_share(operations[name], clock, min(len(seconds[name]), 5)) for name in own}
    del operations
    results = []
    for contender in group.contenders:
        place = (group.name, contender.name, shape.rows, shape.size, shape.dim)
        if contender.name in reasons:
            results.append(Measurement(*place, left_out=reasons[contender.name]))
            say(f"  {contender.name:<36} {reasons[contender.name]}")
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
                rounds=len(times),
                ratio=paired_ratio(times, seconds[group.reference]),
                search_share=shares.get(contender.name),
                process_mb=peak.process_mb if peak else None,
                extra_mb=peak.extra_mb if peak else None,
            )
        )
        say(f"  {contender.name:<36} {median(times):9.4f} s  x {results[-1].ratio:.2f}")
    return results


def _operations(group: Group, shape: Shape, device: torch.device) -> tuple[dict[str, Prepared], dict[str, str]]:
    """What there is to time by contender, each done once, and why the others are left out.

    One that fails costs no other's figures; where it is the reference, there are none.
    """
    operations: dict[str, Prepared] = {}
    reasons: dict[str, str] = {}
    for contender in group.contenders:
        if reason := contender.left_out(shape, device):
            reasons[contender.name] = reason
            continue
        try:
            operation = contender.prepare(shape, device)
            operation()
            wait_for(device)
            operations[contender.name] = operation
        except Exception as error:
            reasons[contender.name] = f"fails: {one_line(in_words(error))}"
    if group.reference not in operations:
        return {}, {c.name: reasons.get(c.name, f"{group.reference} fails") for c in group.contenders}
    return operations, reasons


def as_frame(measurements: list[Measurement]) -> pd.DataFrame:
    """All measurements as a table, in order."""
    return pd.DataFrame([asdict(measurement) for measurement in measurements])
