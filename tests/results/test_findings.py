"""The figures that README.md and results/README.md print are those of the committed records."""

import re
from itertools import combinations
from pathlib import Path

import pandas as pd
import pytest

ROOT = Path(__file__).parents[2]
REFERENCE = ROOT / "results" / "reference"
FINDINGS = " ".join((ROOT / "results" / "README.md").read_text(encoding="utf-8").split())


def runs(suite: str) -> pd.DataFrame:
    return pd.read_csv(REFERENCE / suite / "summary.csv")


def table(document: str, after: str) -> dict[str, list[str]]:
    """The cells of each arm in the first table after a text of a document."""
    text = (ROOT / document).read_text(encoding="utf-8")
    assert text.count(after) == 1, after
    rows = re.search(r"(?:^\|.*\n)+", text.split(after)[1], re.MULTILINE)
    assert rows is not None
    lines = [[cell.strip() for cell in line.strip("|").split("|")] for line in rows[0].splitlines()[2:]]
    return {first.removesuffix("(reference)").strip().strip("`"): others for first, *others in lines}


def printed(pattern: str) -> list[float]:
    """The numbers that a pattern, in which # stands for a number, finds in the findings exactly once."""
    found = re.findall(re.escape(pattern).replace(r"\#", r"([−\d.,]*\d)"), FINDINGS)
    assert len(found) == 1, (pattern, found)
    numbers = found[0] if isinstance(found[0], tuple) else (found[0],)
    return [float(number.replace(",", "").replace("−", "-")) for number in numbers]


class TestTrainingLength:
    """The first table, and what is said of it."""

    @pytest.fixture
    def means(self) -> pd.DataFrame:
        return runs("training_length").groupby(["arm", "training.steps"])[["usage", "perplexity", "psnr"]].mean()

    @pytest.mark.parametrize(
        ("document", "after"),
        [("README.md", "## A first answer"), ("results/README.md", "**How long must a training be")],
    )
    def test_every_cell_of_its_table(self, means, document, after):
        for arm, cells in table(document, after).items():
            for steps, cell in zip((1000, 4000, 16000), cells, strict=True):
                mean = means.loc[arm, steps]
                usage = "" if arm == "no_quantization" else f"{100 * mean.usage:.1f} / "
                assert cell == f"{usage}{mean.psnr:.2f}", (arm, steps)

    def test_the_differences_beyond_chance(self, means):
        psnr = means.psnr.xs(16000, level=1)
        found = printed(
            "ahead of SimVQ by # dB, of FSQ by #, of its authors' own threshold by # and of residual VQ by #;"
        )
        others = ["simvq", "fsq", "codebook_reset_jukebox", "residual_vq"]
        assert found == [round(psnr.codebook_reset - psnr[other], 2) for other in others]

    def test_the_perplexities(self, means):
        found = printed(
            "Perplexity at 16,000: codebook reset # of 1,024, CVQ-VAE #, FSQ #, SimVQ #, residual VQ #, "
            "moving averages #."
        )
        arms = ["codebook_reset", "cvq_vae", "fsq", "simvq", "residual_vq", "vq_vae_ema"]
        assert found == [round(means.perplexity[arm, 16000]) for arm in arms]

    def test_the_agreement_of_lengths(self, means):
        ranked = means.psnr.drop("no_quantization", level=0).unstack()

        def tau(short: int, long: int) -> float:
            signs = [
                (ranked[short][one] - ranked[short][other]) * (ranked[long][one] - ranked[long][other]) > 0
                for one, other in combinations(ranked.index, 2)
            ]
            return (2 * sum(signs) - len(signs)) / len(signs)

        found = printed("over all # pairs Kendall's τ is # from 1,000 to 4,000 steps and # from 4,000 to 16,000")
        assert found == [36, round(tau(1000, 4000), 2), round(tau(4000, 16000), 2)]

    def test_plain_vq_vae_by_seed(self):
        plain = runs("training_length").query("arm == 'vq_vae' and `training.steps` == 16000").usage
        assert printed("at # % after 16,000 (#, # and # % by seed)") == [
            round(100 * plain.mean()),
            *sorted(round(100 * usage) for usage in plain),
        ]


def test_every_cell_of_the_clustering_table():
    shown = table("results/README.md", "**Plain clustering: no encoder")
    means = {
        suite: runs(suite).groupby(["arm", *columns])[["quantization_error", "usage"]].mean()
        for suite, columns in (("plain_clustering", ["dataset.dim"]), ("clustering_latents", ["codebook_size"]))
    }
    for arm, cells in shown.items():
        for (suite, value), cell in zip(
            [
                ("plain_clustering", 2),
                ("plain_clustering", 64),
                ("clustering_latents", 256),
                ("clustering_latents", 1024),
            ],
            cells,
            strict=True,
        ):
            mean, best = means[suite].loc[arm, value], means[suite].loc["kmeans", value]
            above = 100 * (mean.quantization_error / best.quantization_error - 1)
            assert cell == f"{above:+.1f} %; {100 * mean.usage:.1f} %".replace("-", "−"), (arm, suite, value)
