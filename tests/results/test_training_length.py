"""What README.md and results/README.md say of the length of training, from the records."""

from itertools import combinations

import pandas as pd
import pytest
from findings import FINDINGS, FIRST_PAGE, REFERENCE, printed, runs, table


class TestTrainingLength:
    """The table by length, and what is said of it."""

    @pytest.fixture
    def means(self) -> pd.DataFrame:
        done = runs("training_length").query("codebook_size != 16384")
        return done.groupby(["arm", "training.steps"])[["usage", "perplexity", "psnr"]].mean()

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
        compared = pd.read_csv(REFERENCE / "training_length" / "tables" / "comparison_1024.csv")
        p = compared[compared.metric == "psnr"].set_index("arm").p_holm
        assert sorted(p[p < 0.05].index) == sorted(others)

    def test_arms_at_their_defaults_beside_their_tuned_choices(self):
        defaults, ablated = (
            runs(suite).pivot(index="seed", columns="arm", values="psnr") for suite in ("defaults", "simvq_ablation")
        )
        arms = ["vq_vae", "vq_vae_kmeans", "vq_vae_ema", "fsq", "codebook_reset", "cvq_vae", "residual_vq", "simvq"]
        assert sorted(defaults.columns) == sorted(arms)
        assert (defaults.simvq - ablated.train_w).abs().max() == 0
        done = runs("training_length").query("codebook_size == 1024 and `training.steps` == 16000")
        tuned = done.pivot(index="seed", columns="arm", values="psnr")
        rates = pd.read_csv(REFERENCE / "training_length" / "tuning.csv").query(
            "codebook_size == 1024 and steps == 4000"
        )
        assert rates[rates.arm.isin(["simvq", "fsq"])].learning_rate.min() > 0.003
        first, second = defaults.mean().round(2), tuned.mean().round(2)
        lost = (defaults - tuned[defaults.columns]).round(2)
        assert printed(
            "SimVQ has # dB and residual VQ #, tuned # and #, less by # to # and by # to # in each seed; FSQ, whose "
            "rate they passed over too, has # and #, less by # to #; codebook reset has # and #, CVQ-VAE # and #, "
            "moving averages # and #, the k-means start # and #, plain VQ-VAE # and # (`defaults`"
        ) == [
            *first[["simvq", "residual_vq"]],
            *second[["simvq", "residual_vq"]],
            *(end for arm in ("simvq", "residual_vq") for end in (lost[arm].min(), lost[arm].max())),
            *(first.fsq, second.fsq, lost.fsq.min(), lost.fsq.max()),
            *(
                means[arm]
                for arm in ("codebook_reset", "cvq_vae", "vq_vae_ema", "vq_vae_kmeans", "vq_vae")
                for means in (first, second)
            ),
        ]
        lead, before = -defaults.sub(defaults.codebook_reset, axis=0), -tuned.sub(tuned.codebook_reset, axis=0)
        others = ("vq_vae_ema", "vq_vae_kmeans", "cvq_vae", "residual_vq", "vq_vae")
        assert (lead.drop(columns="codebook_reset") > 0).all(axis=None)
        assert printed(
            "of FSQ by # dB (# to # by seed), not by #, of SimVQ by # (# to #), not by #, of moving averages by #, the "
            "k-means start by #, CVQ-VAE by #, residual VQ by #, plain VQ-VAE by #."
        ) == [
            *(
                round(value, 2)
                for arm in ("fsq", "simvq")
                for value in (lead[arm].mean(), lead[arm].min(), lead[arm].max(), before[arm].mean())
            ),
            *(round(lead[arm].mean(), 2) for arm in others),
        ]
        both = ablated.train_both.mean().round(2)
        assert printed("With C trained too SimVQ has # (`simvq_ablation`).") == [both]
        assert (
            f"SimVQ has {first.simvq:.2f} dB at 1,024 codewords and FSQ {first.fsq:.2f}, tuned {second.simvq:.2f} and "
            f"{second.fsq:.2f}; codebook reset has {first.codebook_reset:.2f} and {second.codebook_reset:.2f}, and as "
            f"all come is ahead of the seven others in each seed (`defaults`). With its codebook trained too SimVQ has "
            f"{both:.2f}"
        ) in FIRST_PAGE

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
        agreement = pd.read_csv(REFERENCE / "training_length" / "tables" / "length_agreement.csv")
        beyond = agreement[agreement.codebook_size == 1024].set_index("longer").pairs_beyond_chance
        assert printed("over the # pairs beyond chance at 16,000; at 4,000 no pair is so") == [beyond[16000]]
        assert beyond[4000] == 0

    def test_plain_vq_vae_by_seed(self):
        plain = (
            runs("training_length")
            .query("arm == 'vq_vae' and `training.steps` == 16000 and codebook_size == 1024")
            .usage
        )
        assert printed("at # % after 16,000 (#, # and # % by seed)") == [
            round(100 * plain.mean()),
            *sorted(round(100 * usage) for usage in plain),
        ]

    def test_a_collapse_in_disguise(self):
        seeds = runs("training_length").query("arm == 'simvq' and `training.steps` == 1000 and codebook_size == 1024")
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


class TestTrainingLengthOfALargeCodebook:
    """The table by length of 16,384 codewords, and what is said of it."""

    @pytest.fixture
    def means(self) -> pd.DataFrame:
        done = runs("training_length").query("codebook_size == 16384")
        assert (done.groupby(["arm", "training.steps"]).seed.nunique() == 3).all()
        return done.groupby(["arm", "training.steps"])[["usage", "perplexity", "psnr"]].mean()

    def test_every_cell_of_its_table(self, means):
        shown = table("results/README.md", "**And of 16,384 codewords?**")
        assert sorted(shown) == sorted(means.index.unique(level=0))
        for arm, cells in shown.items():
            for steps, cell in zip((1000, 4000, 16000), cells, strict=True):
                mean = means.loc[arm, steps]
                assert cell == f"{100 * mean.usage:.1f} / {mean.psnr:.2f}", (arm, steps)

    def test_the_agreement_of_lengths(self):
        agreement = pd.read_csv(REFERENCE / "training_length" / "tables" / "length_agreement.csv")
        large = agreement[agreement.codebook_size == 16384].set_index("longer")
        assert printed(
            "over all # pairs τ is # from 1,000 to 4,000 and # from 4,000 to 16,000, and # over the # pairs"
        ) == [
            large.pairs[16000],
            round(large.tau_all[4000], 2),
            round(large.tau_all[16000], 2),
            round(large.tau[16000], 2),
            large.pairs_beyond_chance[16000],
        ]

    def test_who_rises_and_who_falls(self, means):
        places = means.psnr.unstack().rank(ascending=False).astype(int)
        assert (places.loc["codebook_reset"] == 1).all()
        assert (places.loc["vq_vae"] == len(places)).all()
        words = ["first", "second", "third", "fourth", "fifth", "sixth"]
        at = {arm: [words[place - 1] for place in places.loc[arm, [1000, 16000]]] for arm in ("cvq_vae", "residual_vq")}
        assert (
            f"CVQ-VAE rises from the {at['cvq_vae'][0]} to the {at['cvq_vae'][1]} place, and residual VQ falls from "
            f"the {at['residual_vq'][0]} to the {at['residual_vq'][1]}."
        ) in FINDINGS

    def test_collapses_that_are_short_trainings(self, means):
        found = printed("sees a collapse that is none: # % in use, # after 4,000 and # after 16,000.")
        assert found == list((100 * means.usage["cvq_vae"]).round(1))
        short, _, long = (100 * means.usage["fsq"]).round(1)
        assert printed("no codebook to collapse, starts at # % too, and ends at #.") == [short, long]

    def test_the_lead_over_both_sizes(self):
        compared = pd.read_csv(REFERENCE / "training_length" / "tables" / "comparison.csv")
        arms = compared[compared.metric == "psnr"].set_index("arm").drop("codebook_reset")
        assert (arms.against == "codebook_reset").all()
        assert (arms.p_holm < 0.05).all()
        others = ["cvq_vae", "simvq", "fsq", "residual_vq", "vq_vae_kmeans", "vq_vae_ema"]
        others += ["codebook_reset_jukebox", "vq_vae"]
        assert sorted(others) == sorted(arms.index)
        assert printed(
            "more PSNR than CVQ-VAE by # dB, than SimVQ by #, FSQ by #, residual VQ by #, the k-means start by #, "
            "moving averages by #, its authors' own threshold by # and plain VQ-VAE by #."
        ) == list((-arms.difference[others]).round(2))
