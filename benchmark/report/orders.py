"""Whether the order of arms hangs on what judges them: one of two networks, one of two priors."""

from collections.abc import Mapping

from benchmark.report.columns import NO_VALUE
from benchmark.report.lengths import tau_text
from benchmark.report.statistics import LEVEL, Contradictions


def order_note(orders: str, judge: str, found: Mapping[str, Contradictions]) -> str:
    """A verdict on two ``orders``, by two of a kind (``judge``), from what was ``found`` at each place (its title)."""
    taus = "; ".join(f"{where} {_tau(result)}" for where, result in found.items())
    return (
        f"{orders}: {_verdict(judge, found)}. Kendall's τ of the two orders: {taus}. Beyond chance: both {judge}s tell "
        f"the pair apart with p < {1 - LEVEL:.2f} (moderated paired t over seeds, Holm-corrected over all pairs)."
    )


def means_note(found: Mapping[str, Contradictions]) -> str:
    """The pairs whose means alone are turned, and where there is one seed, so that nothing tells them from chance."""
    turned = [f"{_pairs(result.turned_means)} at {where}" for where, result in found.items() if result.turned_means]
    single = [where for where, result in found.items() if not result.seeds]
    pairs = f"{'; '.join(turned)} are turned, beyond chance or not" if turned else "no pair is turned"
    seeds = f". There is one seed at {', '.join(single)}, and nothing tells its order from chance" if single else ""
    return f"By their means {pairs}{seeds}."


def _verdict(judge: str, found: Mapping[str, Contradictions]) -> str:
    turned = [f"{_pairs(result.turned)} at {where}" for where, result in found.items() if result.turned]
    if turned:
        return (
            f"the order of arms hangs on the {judge}, for beyond chance the first is better by the one and the second "
            f"by the other of {'; '.join(turned)}"
        )
    if not any(result.told for result in found.values()):
        return "no pair of arms is told apart by both, so nothing is known of the order"
    return f"the order of arms hangs on neither {judge}, since no pair that both tell apart beyond chance is turned"


def _pairs(turned: list[tuple[str, str]]) -> str:
    return ", ".join(f"`{better}` and `{worse}`" for better, worse in turned)


def _tau(result: Contradictions) -> str:
    told = f"{result.told:,} beyond chance" if result.seeds else f"{NO_VALUE} beyond chance"
    return f"{tau_text(result.tau)} ({result.pairs:,} pair{'s' if result.pairs > 1 else ''}, {told})"
