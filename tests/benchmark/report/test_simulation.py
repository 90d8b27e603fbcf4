"""The simulation of the comparison: the same on every call, few false positives, power that grows, its files."""

from pathlib import Path

import pandas as pd
import pytest

from benchmark.report import simulation
from benchmark.report.simulation import Setting, simulate, write_simulation


def test_false_positives_are_rare_where_the_correction_is_over_pairs():
    used, over_arms, plain, plain_over_arms = simulate(Setting(8, 3, 0.75, 0.0), 400)
    assert used <= 0.07
    assert plain <= 0.07
    assert over_arms > 0.07
    assert plain_over_arms > plain


def test_large_differences_are_found_and_more_of_them_than_by_the_plain_t():
    small, large = (simulate(Setting(8, 3, 0.0, effect), 200) for effect in (0.5, 4.0))
    assert large[0] > 0.7
    assert large[0] > large[2] + 0.5
    assert small[0] < 0.05


def test_the_same_numbers_on_every_call():
    assert simulate(Setting(4, 3, 0.75, 1.0), 30) == simulate(Setting(4, 3, 0.75, 1.0), 30)


def test_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(simulation, "ARMS", (4,))
    monkeypatch.setattr(simulation, "EFFECTS", (0.0, 2.0))
    written = write_simulation(tmp_path, repetitions=20)
    assert [path.relative_to(tmp_path).as_posix() for path in written] == [
        f"statistics/tables/simulation.{suffix}" for suffix in ("md", "csv", "tex")
    ]
    data = pd.read_csv(written[1])
    assert len(data) == 2 * 2 * 2 * 4
    assert data["share"].between(0, 1).all()
    text = written[0].read_text()
    assert "**4 arms · 3 seeds · log-normal σ (0.75)**" in text
    assert "20 invented studies a row" in text
