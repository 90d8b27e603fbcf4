import pandas as pd
import pytest

from benchmark.perf.growth import exponent, growth


def test_exponent_of_a_power_law():
    assert exponent([1024, 4096, 16384], [3.0, 6.0, 12.0]) == pytest.approx(0.5)


def test_growth_is_taken_along_each_axis_from_large_sizes_on():
    rows = [("search", "ours", 100, size, 8, seconds) for size, seconds in ((1024, 1.0), (16384, 1.5), (65536, 6.0))]
    rows += [("search", "ours", 400, 65536, 8, 48.0), ("search", "peer", 100, 1024, 8, 1.0)]
    rows += [("search", "peer", 100, 65536, 8, None)]
    frame = pd.DataFrame(rows, columns=["group", "contender", "rows", "size", "dim", "seconds"])
    lines = {line["in"]: line for line in growth(frame).to_dict("records")}
    assert len(growth(frame)) == 2
    assert lines["K"]["exponent"] == pytest.approx(1.0)
    assert (lines["K"]["from"], lines["K"]["to"], lines["K"]["at"]) == (16384, 65536, "N = 100, D = 8")
    assert lines["N"]["exponent"] == pytest.approx(1.5)
    assert lines["N"]["at"] == "K = 65,536, D = 8"
