"""The figures that README.md and results/README.md print are those of the committed records."""

import re
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import scipy.stats

ROOT = Path(__file__).parents[2]
REFERENCE = ROOT / "results" / "reference"
REFERENCE_ARM = "no_quantization"
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


def over(mean: pd.Series, best: pd.Series) -> str:
    """How far an error is above that of k-means, as the tables of clustering print it."""
    return f"{100 * (mean.quantization_error / best.quantization_error - 1):+z.1f} %".replace("-", "−")


class TestTrainingLength:
    """The table by length, and what is said of it."""

    @pytest.fixture
    def means(self) -> pd.DataFrame:
        return runs("training_length").groupby(["arm", "training.steps"])[["usage", "perplexity", "psnr"]].mean()

    def test_every_cell_of_its_table(self, means):
        for arm, cells in table("results/README.md", "**How long must a training be").items():
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

    def test_a_collapse_in_disguise(self):
        text = " ".join((ROOT / "README.md").read_text(encoding="utf-8").split())
        seeds = runs("training_length").query("arm == 'simvq' and `training.steps` == 1000")
        worst = seeds.loc[seeds.perplexity.idxmin()]
        assert f"uses {100 * worst.usage:.0f} % of 1,024 codewords at a perplexity of {worst.perplexity:.0f}" in text
        assert 0.3 < 1 - worst.usage_tenth_train < 0.4

    def test_what_is_no_longer_said(self, means):
        long = means.xs(16000, level=1)
        assert printed("Too short a training: # and # % after 16,000 steps") == [
            round(100 * long.usage[arm]) for arm in ("vq_vae_ema", "vq_vae")
        ]
        assert printed("# after 16,000 steps, more than moving averages' # and fewer than codebook reset's #") == [
            round(long.perplexity[arm]) for arm in ("simvq", "vq_vae_ema", "codebook_reset")
        ]
        assert printed("Residual VQ is # dB behind codebook reset, beyond chance, and behind moving averages by #") == [
            round(long.psnr[arm] - long.psnr.residual_vq, 2) for arm in ("codebook_reset", "vq_vae_ema")
        ]
        assert printed("at a constant rate was, at 32 dB; with a schedule to zero it reaches #") == [
            round(long.psnr.no_quantization)
        ]


class TestCodebookScaling:
    """The first table, and what is said of it."""

    SIZES = (1024, 4096)

    @pytest.fixture
    def means(self) -> pd.DataFrame:
        return runs("codebook_scaling").groupby(["arm", "codebook_size"])[["usage", "perplexity", "psnr", "mse"]].mean()

    @pytest.mark.parametrize(
        ("document", "after", "perplexity"),
        [
            ("README.md", "## A first answer", False),
            ("results/README.md", "**Who collapses as the codebook grows?**", True),
        ],
    )
    def test_every_cell_of_its_table(self, means, document, after, perplexity):
        shown = table(document, after)
        done = runs("codebook_scaling")
        assert sorted(shown) == sorted(done.arm.unique())
        assert (done[done.codebook_size > 256].groupby(["arm", "codebook_size"]).seed.nunique() == 3).all()
        assert shown.pop("no_quantization")[0] == f"{done.query('arm == @REFERENCE_ARM').psnr.mean():.2f}"
        for arm, cells in shown.items():
            for size, cell in zip(self.SIZES, cells, strict=True):
                mean = means.loc[arm, size]
                middle = f"{mean.perplexity:,.0f} / " if perplexity else ""
                assert cell == f"{100 * mean.usage:.1f} / {middle}{mean.psnr:.2f}", (arm, size)

    def test_codebook_reset_is_ahead_in_every_seed_at_both_sizes(self):
        done = runs("codebook_scaling").query("codebook_size > 256")
        psnr = done.pivot(index=["codebook_size", "seed"], columns="arm", values="psnr")
        assert (psnr.pop("codebook_reset") > psnr.max(axis=1)).all()

    def test_the_order_turns_with_the_size(self):
        psnr = runs("codebook_scaling").query("codebook_size == 256").pivot(index="seed", columns="arm", values="psnr")
        ahead = psnr[["vq_vae_ema", "vq_vae_kmeans"]].sub(psnr.codebook_reset, axis=0).round(2)
        assert printed("ahead of codebook reset in both seeds so far, by # to # dB") == [
            ahead.min(axis=None),
            ahead.max(axis=None),
        ]
        assert len(psnr) == 2

    def test_what_more_codewords_are_worth(self, means):
        gained = (means.psnr.xs(4096, level=1) - means.psnr.xs(1024, level=1)).round(2)
        assert printed("codewords more gain them +#, # and +# dB.") == list(
            gained[["vq_vae", "vq_vae_ema", "vq_vae_kmeans"]]
        )
        found = printed("is worth # dB (codebook reset), # (CVQ-VAE), # (SimVQ) and # (residual VQ).")
        assert found == list(gained[["codebook_reset", "cvq_vae", "simvq", "residual_vq"]])

    def test_who_collapses(self, means):
        found = printed("plain VQ-VAE uses # and # %, moving averages # and # %, a start from k-means # and # %.")
        arms = ("vq_vae", "vq_vae_ema", "vq_vae_kmeans")
        assert found == [round(100 * means.usage[arm, size], 1) for arm in arms for size in (1024, 4096)]
        assert printed("Of 256 they still use #, # and # % (two seeds).") == [
            round(100 * means.usage[arm, 256]) for arm in arms
        ]
        assert printed("SimVQ does not collapse, as claimed: # and # % in use. In each seed") == [
            round(100 * means.usage["simvq", size], 1) for size in (1024, 4096)
        ]

    def test_simvq_behind_codebook_reset(self):
        psnr = runs("codebook_scaling").pivot(index=["codebook_size", "seed"], columns="arm", values="psnr")
        behind = (psnr.codebook_reset - psnr.simvq).round(2)
        found = printed("behind codebook reset, by # to # dB at 1,024 and by # to # at 4,096")
        assert found == [end for size in (1024, 4096) for end in (behind[size].min(), behind[size].max())]

    def test_the_lead_over_both_sizes(self, means):
        over_sizes = means.psnr.unstack()[[1024, 4096]].mean(axis=1)
        lead = (over_sizes.codebook_reset - over_sizes).round(2)
        found = printed(
            "# dB ahead of CVQ-VAE, # of the k-means start, # of SimVQ, # of moving averages, # of its authors' own "
            "threshold, # of residual VQ and # of plain VQ-VAE."
        )
        others = ["cvq_vae", "vq_vae_kmeans", "simvq", "vq_vae_ema", "codebook_reset_jukebox", "residual_vq", "vq_vae"]
        assert found == list(lead[others])
        compared = pd.read_csv(REFERENCE / "codebook_scaling" / "tables" / "comparison.csv").set_index("metric")
        for metric in ("psnr", "ssim", "mse"):
            assert (compared.loc[metric, "against"] == "codebook_reset").all()
            assert (compared.loc[metric, "p_holm"].dropna() < 0.05).all()
        front = " ".join((ROOT / "README.md").read_text(encoding="utf-8").split())
        assert (
            "of CVQ-VAE by {cvq_vae} dB, of SimVQ by {simvq:.2f}, of plain VQ-VAE by {vq_vae}.".format(**lead) in front
        )

    def test_the_highest_perplexity_is_not_the_least_error(self, means):
        large = means.xs(4096, level=1)
        assert large.perplexity.idxmax() == "codebook_reset_jukebox"
        assert list(large.psnr.sort_values().index[:2]) == ["vq_vae", "codebook_reset_jukebox"]
        assert printed("ends with the highest perplexity of all, #, and less PSNR") == [round(large.perplexity.max())]


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
            assert cell == f"{over(mean, best)}; {100 * mean.usage:.1f} %", (arm, suite, value)


def test_every_cell_of_the_table_of_speech():
    shown = table("results/README.md", "**And on speech, on latents that stay where they are?**")
    found = runs("speech_latents")
    means = found.groupby(["training.learning_rate", "codebook_size", "arm"])[
        ["quantization_error", "usage", "perplexity"]
    ].mean()
    assert len(shown) == 8
    for arm, cells in shown.items():
        for size, cell in zip((1024, 4096), cells, strict=True):
            mean, best = means.loc[0.01, size, arm], means.loc[0.01, size, "kmeans"]
            assert cell == f"{over(mean, best)}; {100 * mean.usage:.1f} %; {mean.perplexity:,.0f}", (arm, size)


def test_simvq_on_speech():
    found = runs("speech_latents")
    means = found.groupby(["arm", "training.learning_rate", "codebook_size"])[["usage", "quantization_error"]].mean()
    simvq, best = means.loc["simvq"], means.loc["kmeans"]
    assert printed("one codeword at 1,024 and at 4,096): # to # % are in use") == [
        round(100 * simvq.usage.min()),
        round(100 * simvq.usage.max()),
    ]
    above = 100 * (simvq.quantization_error / best.quantization_error - 1)
    assert printed("and its error # to # % above k-means at either rate") == [round(above.min()), round(above.max())]


class TestSimvqAblation:
    """What is trained, and from which start."""

    def test_every_cell_of_its_table(self):
        shown = table("results/README.md", "**What makes SimVQ work")
        done = runs("simvq_ablation").groupby("arm")
        assert len(shown) == 12
        for label, cells in shown.items():
            one = done.get_group(re.split("[` ]", label)[-1])
            digits = {"usage": 1, "perplexity": 0, "effective_rank": 1, "psnr": 2}
            expected = [with_interval((100 if of == "usage" else 1) * one[of], places) for of, places in digits.items()]
            assert cells == expected, label

    def test_what_freezing_the_codebook_costs(self):
        psnr = runs("simvq_ablation").pivot(index="seed", columns="arm", values="psnr")
        found = printed("PSNR is higher in each of the three seeds, by #, # and # dB.")
        assert found == [round(difference, 2) for difference in psnr.train_both - psnr.train_w]

    def test_training_both_no_longer_loses_codewords(self):
        usage = runs("simvq_ablation").groupby("arm").usage.mean()
        found = printed("# and # % after 16,000, and C trained too is more even and better")
        assert found == [round(100 * usage[arm], 1) for arm in ("train_both", "train_w")]

    def test_usage_before_the_map(self):
        usage = runs("simvq_ablation").query("arm == 'train_w'")[["usage_unmapped", "usage"]].mean()
        found = printed("would hit # % of the rows of C themselves against # % of CW")
        assert found == [round(100 * usage.usage_unmapped), round(100 * usage.usage, 1)]


class TestCollapseCheck:
    """Who collapses at the defaults, and how evenly the others use what they have."""

    def test_every_cell_of_its_table(self):
        shown = table("results/README.md", "**Who collapses at the defaults?**")
        done = runs("collapse_check").groupby("arm")
        assert list(shown) == list(runs("collapse_check").arm.drop_duplicates())
        digits = {"usage": 1, "perplexity": 1, "psnr": 2, "ssim": 3, "quantization_error": 4}
        for arm, cells in shown.items():
            one = done.get_group(arm)
            expected = [with_interval((100 if of == "usage" else 1) * one[of], places) for of, places in digits.items()]
            assert cells == expected, arm

    def test_usage_by_seed(self):
        usage = runs("collapse_check").groupby("arm").usage
        found = printed("collapses (#, # and # % in use by seed), moving averages half (#, # and # %).")
        seeds = [sorted(usage.get_group(arm)) for arm in ("vq_vae", "vq_vae_ema")]
        assert found == [round(100 * one) for seed in seeds for one in seed]

    def test_the_most_frequent_codewords(self):
        def ten(arm: str) -> list[float]:
            keys = runs("collapse_check").query("arm == @arm").key
            counts = [np.load(REFERENCE / "collapse_check" / "runs" / key / "counts.npz")["level_1"] for key in keys]
            shares = sorted(100 * np.sort(one)[-10:].sum() / one.sum() for one in counts)
            return [round(shares[0]), round(shares[-1])]

        found = printed("the ten most frequent codewords take # to # % of the test tokens, codebook reset's # to # %.")
        assert found == [*ten("simvq"), *ten("codebook_reset")]

    def test_codebook_reset_is_ahead_in_each_seed(self):
        psnr = runs("collapse_check").pivot(index="seed", columns="arm", values="psnr")
        others = psnr.drop(columns=["codebook_reset", "codebook_reset_beta002"])
        assert (psnr.codebook_reset > others.max(axis=1)).all()
        lead = (psnr.codebook_reset.mean() - others[["simvq", "residual_vq", "cvq_vae"]].mean()).round(2)
        found = printed("on average by # to # dB over SimVQ, residual VQ and CVQ-VAE. Its commitment")
        assert found == [lead.min(), lead.max()]
        assert printed("changes # dB and nothing in the usage") == [
            round(psnr.codebook_reset.mean() - psnr.codebook_reset_beta002.mean(), 2)
        ]


def test_collapse_on_photographs():
    done = runs("photo_quickstart").set_index("arm")
    for arm in ("vq_vae", "simvq", "codebook_reset"):
        of = done.loc[arm]
        assert printed(f"`{arm}` # / # / #") == [round(100 * of.usage, 1), round(of.perplexity, 1), round(of.psnr, 2)]


def with_interval(values: pd.Series, places: int) -> str:
    """Mean and half the width of the 95 % Student-t interval."""
    half = scipy.stats.t.ppf(0.975, len(values) - 1) * values.std() / len(values) ** 0.5
    return f"{values.mean():.{places}f} ± {half:.{places}f}"


def test_the_table_of_priors():
    folder = REFERENCE / "generation_quickstart"
    priors = pd.read_csv(folder / "tables" / "generation.csv").set_index("arm")
    anchors = pd.read_csv(folder / "tables" / "generation_anchors.csv").set_index(["arm", "of"]).fd_fashion_classifier
    usage = runs("generation_quickstart").dropna(subset="usage").set_index("arm").usage
    for arm, cells in table("results/README.md", "**Are codes that are used").items():
        of = priors.loc[arm]
        assert cells == [
            f"{100 * usage[arm]:.1f}",
            f"{of.nll:.2f}",
            f"{of.single_entropy:.2f}",
            f"{of.code_length:.3f}",
            f"{of.samples_fd_fashion_classifier:.2f}",
            f"{anchors[arm, 'reconstructions']:.2f}",
        ], arm
    right = priors.samples_trained_accuracy
    assert printed("right on #, # and # % of the real test images (`vq_vae`, `simvq`, `fsq`); trained on as many") == [
        round(100 * right[arm]) for arm in ("vq_vae", "simvq", "fsq")
    ]
