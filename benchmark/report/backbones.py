"""Whether the order of arms by a Fréchet distance hangs on the network that makes its features."""

import itertools
from collections.abc import Iterable

from benchmark.report.columns import NO_VALUE, Column
from benchmark.report.grid import Grid
from benchmark.report.lengths import longest, tau_text
from benchmark.report.statistics import LEVEL, Contradictions, contradictions

_FRECHET = ("fd_", "rfid")


def backbone_notes(grid: Grid, shown: Iterable[Column]) -> list[str]:
    """Of any two Fréchet distances that a table shows the arms whose order differs beyond chance, or that none does."""
    frechet = [own for own in shown if own.name.startswith(_FRECHET)]
    pairs = itertools.combinations(frechet, 2)
    return [note for first, second in pairs if (note := _note(grid, first, second)) is not None]


def _note(grid: Grid, first: Column, second: Column) -> str | None:
    found = {
        grid.title(place): result
        for place in longest(grid)
        if (result := contradictions(grid.by_seed(place, first.name), grid.by_seed(place, second.name))) is not None
    }
    if not found:
        return None
    taus = "; ".join(f"{where} {_tau(result)}" for where, result in found.items())
    return (
        f"{first.label} and {second.label}: {_verdict(found)}. Kendall's τ of the two orders: {taus}. Beyond chance: "
        f"both networks tell the pair apart with p < {1 - LEVEL:.2f} (moderated paired t over seeds, Holm-corrected "
        "over all pairs)."
    )


def _verdict(found: dict[str, Contradictions]) -> str:
    turned = [f"{_pairs(result)} at {where}" for where, result in found.items() if result.turned]
    if turned:
        return (
            "the order of arms hangs on the network, for beyond chance the first is better by the one and the second "
            f"by the other of {'; '.join(turned)}"
        )
    if not any(result.told for result in found.values()):
        return "no pair of arms is told apart by both, so nothing is known of the order"
    return "the order of arms hangs on neither network, since no pair that both tell apart beyond chance is turned"


def _pairs(result: Contradictions) -> str:
    return ", ".join(f"`{better}` and `{worse}`" for better, worse in result.turned)


def _tau(result: Contradictions) -> str:
    told = f"{result.told:,} beyond chance" if result.seeds else f"{NO_VALUE} beyond chance"
    return f"{tau_text(result.tau)} ({result.pairs:,} pair{'s' if result.pairs > 1 else ''}, {told})"
