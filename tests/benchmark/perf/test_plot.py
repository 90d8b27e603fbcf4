import pandas as pd

from benchmark.perf.cases import OURS
from benchmark.perf.plot import search_figure


def test_panels_share_limits_that_hold_the_lines_of_all():
    rows = [
        {
            "group": "search",
            "contender": name,
            "rows": 98,
            "size": size,
            "dim": dim,
            "seconds": dim**3 * size,
            "extra_mb": None,
        }
        for dim in (4, 64)
        for size in (16, 32)
        for name in (OURS, "faiss.knn")
    ]
    slower, faster = (search_figure(pd.DataFrame(order)).axes for order in (rows, rows[::-1]))
    for axes in (*slower, *faster):
        low, high = axes.get_ylim()
        assert (low, high) == slower[0].get_ylim()
        assert all(low < seconds < high for line in axes.get_lines() for seconds in line.get_ydata())
