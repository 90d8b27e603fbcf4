"""What README.md and results/README.md say of the length of training and of the codebook's size, from the records."""

from itertools import combinations

import pandas as pd
import pytest
from findings import FIRST_PAGE, REFERENCE, printed, runs, table


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

    def test_length_on_the_first_page(self, means):
        plain, moving = (round(100 * means.usage[arm]) for arm in ("vq_vae", "vq_vae_ema"))
        assert (
            f"plain VQ-VAE uses {plain[1000]:.0f} % after 1,000 steps and {plain[16000]:.0f} % after 16,000, "
            f"moving averages {moving[1000]:.0f} and {moving[16000]:.0f} %"
        ) in FIRST_PAGE

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
        seeds = runs("training_length").query("arm == 'simvq' and `training.steps` == 1000")
        worst = seeds.loc[seeds.perplexity.idxmin()]
        assert (
            f"uses {100 * worst.usage:.0f} % of 1,024 codewords at a perplexity of {worst.perplexity:.0f}" in FIRST_PAGE
        )
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
        return runs("codebook_scaling").groupby(["arm", "codebook_size"])[["usage", "perplexity", "psnr"]].mean()

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
        assert shown.pop("no_quantization")[0] == f"{done[done.arm == 'no_quantization'].psnr.mean():.2f}"
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
        first = "of CVQ-VAE by {cvq_vae} dB, of SimVQ by {simvq:.2f}, of plain VQ-VAE by {vq_vae}."
        assert first.format(**lead) in FIRST_PAGE

    def test_the_highest_perplexity_is_not_the_least_error(self, means):
        large = means.xs(4096, level=1)
        assert large.perplexity.idxmax() == "codebook_reset_jukebox"
        assert list(large.psnr.sort_values().index[:2]) == ["vq_vae", "codebook_reset_jukebox"]
        assert printed("ends with the highest perplexity of all, #, and less PSNR") == [round(large.perplexity.max())]
