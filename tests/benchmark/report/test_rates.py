"""Bits of an image: told where runs differ in positions, and only there."""

import pandas as pd
import pytest

from benchmark.report.columns import column
from benchmark.report.rates import BITS, ENTROPY, with_rates


def _cells(**changed: list[float]) -> pd.DataFrame:
    found = {"tokens": [640.0, 160.0], "n_images": [10.0, 10.0], "bits_per_position": [8.0, 8.0]}
    return pd.DataFrame({**found, "entropy_bits": [5.0, 6.0], "status": ["ok", "ok"], **changed})


def test_rates_are_of_all_positions_together() -> None:
    cells = with_rates(_cells())
    assert cells[BITS].tolist() == [512.0, 128.0]
    assert cells[ENTROPY].tolist() == [320.0, 96.0]


@pytest.mark.parametrize("cells", [_cells(tokens=[640.0, 640.0]), _cells(status=["ok", "failed"]), pd.DataFrame()])
def test_there_are_none_where_all_runs_have_as_many_positions(cells: pd.DataFrame) -> None:
    assert BITS not in with_rates(cells)


def test_they_have_headings() -> None:
    assert column(BITS).heading == "Rate, bits/image"
