import sys

import pytest
import torch

from benchmark.perf.timing import Clock, Effort, paired_ratio, search_share, time_in_rounds
from methods import create
from methods.parts import anchors, codebook, nearest


class Bench:
    """A clock of our own and operations that take a known time on it, which grows as the machine gets slower."""

    def __init__(self):
        self.time = 0.0
        self.pace = 1.0
        self.calls = []
        self.clock = Clock(torch.device("cpu"), now=lambda: self.time)

    def operation(self, name, seconds):
        def run():
            self.calls.append(name)
            self.time += seconds * self.pace

        return run


def test_every_contender_is_timed_in_every_round_beginning_with_another_each_time():
    bench = Bench()
    operations = {name: bench.operation(name, seconds) for name, seconds in (("a", 0.1), ("b", 0.6), ("c", 0.2))}
    seconds = time_in_rounds(operations, bench.clock, Effort(seconds=3.7, fewest=2, most=9))
    assert {name: pytest.approx(values) for name, values in seconds.items()} == {
        "a": [0.1] * 3,
        "b": [0.6] * 3,
        "c": [0.2] * 3,
    }
    # Warm-up, first look, three rounds in which short operations are done once untimed before.
    assert "".join(bench.calls) == "abc" + "abc" + "aabcc" + "bccaa" + "ccaab"


@pytest.mark.parametrize(("budget", "rounds"), [(0.0, 3), (100.0, 7)])
def test_rounds_stay_within_bounds(budget, rounds):
    bench = Bench()
    seconds = time_in_rounds({"a": bench.operation("a", 1.0)}, bench.clock, Effort(budget, fewest=3, most=7))
    assert len(seconds["a"]) == rounds


def test_short_operations_are_repeated_within_a_measurement():
    bench = Bench()
    seconds = time_in_rounds({"a": bench.operation("a", 0.01)}, bench.clock, Effort(0.0, fewest=1, most=1))
    assert seconds["a"] == pytest.approx([0.01])
    assert len(bench.calls) == 2 + 1 + 5


def test_a_ratio_is_taken_within_rounds():
    """A machine three times slower in one round changes both times and not their ratio."""
    assert paired_ratio([2.0, 6.0, 2.2], [1.0, 3.0, 1.0]) == 2.0


def test_search_share_counts_all_searches_of_a_step_and_gives_them_back():
    bench = Bench()
    quantizer = create("cvq_vae", 16, 4).train()
    search = nearest.nearest_codes

    def step():
        bench.time += 3.0
        quantizer(torch.randn(2, 5, 4))

    def slow_search(latents, codewords, metric="euclidean", memory=None):
        bench.time += 0.5
        return search(latents, codewords, metric, memory)

    importers = [m for m in sys.modules.values() if vars(m).get("nearest_codes") is search]
    for module in importers:
        vars(module)["nearest_codes"] = slow_search
    try:
        # One search for the codes, one for the anchors of codewords without latents.
        assert search_share(step, bench.clock, rounds=3) == pytest.approx(1.0 / 4.0)
        assert codebook.nearest_codes is anchors.nearest_codes is slow_search
    finally:
        for module in importers:
            vars(module)["nearest_codes"] = search
