"""What is said of `initial_collapse` is what its records say."""

import pandas as pd
import pytest
from findings import FINDINGS, FIRST_PAGE, REFERENCE, runs, table

LOW, HIGH = 0.0003, 0.003
SUITE = "initial_collapse"


@pytest.fixture(scope="module")
def found() -> pd.DataFrame:
    return runs(SUITE).set_index(["arm", "training.learning_rate", "seed"]).sort_index()


def _ahead(found: pd.DataFrame, one: str, other: str, rate: float) -> tuple[float, bool]:
    """By how many dB in the mean, and whether in each seed."""
    by_seed = found.loc[(one, rate), "psnr"] - found.loc[(other, rate), "psnr"]
    return round(by_seed.mean(), 2), bool((by_seed > 0).all())


def _in_use(found: pd.DataFrame, arm: str, rate: float, step: int) -> list[int]:
    """Per cent of the probe set, of each seed from least to most."""
    keys = found.loc[(arm, rate), "key"]
    curves = [pd.read_csv(REFERENCE / SUITE / "runs" / key / "history.csv", index_col="step")["usage"] for key in keys]
    return sorted(round(100 * curve[step]) for curve in curves)


def test_every_cell_of_its_table(found):
    printed = table("results/README.md", "Usage, % / perplexity / PSNR, dB, by learning rate:")
    arms = {name.split("`")[0]: cells for name, cells in printed.items()}
    assert set(arms) == set(found.index.get_level_values("arm"))
    for arm, cells in arms.items():
        for rate, cell in zip((LOW, HIGH), cells, strict=True):
            mean = found.loc[(arm, rate), ["usage", "perplexity", "psnr"]].mean()
            assert cell == f"{100 * mean.usage:.1f} / {mean.perplexity:.0f} / {mean.psnr:.2f}", (arm, rate)


def test_a_codebook_does_not_stay_in_use(found):
    assert _in_use(found, "kmeans", HIGH, 1)[0] == 99
    assert [_in_use(found, "kmeans", rate, 640) for rate in (HIGH, LOW)] == [[10, 11, 16], [2, 2, 3]]
    assert "10 to 16 % at the higher rate and 2 to 3 % at the lower, and comes back to 46 and 12 %" in FINDINGS


def test_an_encoder_trained_before_its_codebook(found):
    use = found.loc[("kmeans_warmed", HIGH), "usage"]
    said = f"84 % at the higher rate ({100 * use.min():.0f} to {100 * use.max():.0f} by seed) and 97 % at the lower"
    assert said in FINDINGS
    assert [_ahead(found, "kmeans_warmed", "kmeans", rate) for rate in (HIGH, LOW)] == [(0.12, True), (0.73, True)]
    assert [_ahead(found, "simvq", "kmeans_warmed", rate) for rate in (HIGH, LOW)] == [(0.1, True), (0.3, True)]
    reset = [_ahead(found, "codebook_reset", "kmeans_warmed", rate) for rate in (HIGH, LOW)]
    assert reset == [(0.48, True), (1.35, True)]
    assert "by 0.10 and 0.30 dB, and behind codebook reset by 0.48 and 1.35" in FINDINGS


def test_on_the_same_frozen_encoders(found):
    frozen = [_ahead(found, "kmeans_frozen", "simvq_frozen", rate) for rate in (HIGH, LOW)]
    assert frozen == [(0.73, True), (2.17, True)]
    assert "by 0.73 dB at the higher rate and 2.17 at the lower, where it uses 30 % (17 to 47 by seed)" in FINDINGS
    assert "there SimVQ is 0.73 dB behind it, in each seed" in FIRST_PAGE
    assert [_ahead(found, "simvq", "simvq_warmed", rate) for rate in (HIGH, LOW)] == [(0.63, True), (0.72, True)]


def test_how_fast_a_codebook_fills(found):
    early = [_in_use(found, "simvq", rate, step) for step in (640, 1280) for rate in (LOW, HIGH)]
    assert [(use[0], use[-1]) for use in early] == [(29, 32), (63, 75), (51, 56), (93, 97)]
    assert "has 29 to 32 % in use after 640 steps at the lower rate and 63 to 75 % at the higher" in FINDINGS


def test_codebook_reset_is_ahead_of_all(found):
    for rate in (HIGH, LOW):
        others = set(found.index.get_level_values("arm")) - {"codebook_reset"}
        assert all(_ahead(found, "codebook_reset", other, rate)[1] for other in others)
    assert [_ahead(found, "codebook_reset", "simvq", rate)[0] for rate in (HIGH, LOW)] == [0.37, 1.05]
