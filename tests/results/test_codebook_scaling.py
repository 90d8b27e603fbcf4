"""What README.md and results/README.md say of the codebook's size, from the records."""

import numpy as np
import pandas as pd
import pytest
from findings import FIRST_PAGE, REFERENCE, ROOT, printed, runs, table

from benchmark.report.statistics import compare_pairs


class TestCodebookScaling:
    """The first table, and what is said of it."""

    SIZES = (256, 1024, 4096, 16384, 65536)

    @pytest.fixture
    def means(self) -> pd.DataFrame:
        return runs("codebook_scaling").groupby(["arm", "codebook_size"])[["usage", "perplexity", "psnr"]].mean()

    @pytest.fixture
    def psnr(self) -> pd.DataFrame:
        return runs("codebook_scaling").pivot(index=["codebook_size", "seed"], columns="arm", values="psnr")

    @pytest.mark.parametrize(
        ("document", "after"),
        [
            ("README.md", "## A first answer"),
            ("results/README.md", "**Who collapses as the codebook grows?**"),
        ],
    )
    def test_every_cell_of_its_table(self, means, document, after):
        shown = table(document, after)
        done = runs("codebook_scaling")
        assert sorted(shown) == sorted(done.arm.unique())
        assert (done.groupby(["arm", "codebook_size"], dropna=False).seed.nunique() == 3).all()
        assert shown.pop("no_quantization")[0] == f"{done[done.arm == 'no_quantization'].psnr.mean():.2f}"
        for arm, cells in shown.items():
            for size, cell in zip(self.SIZES, cells, strict=True):
                mean = means.loc[arm, size]
                assert cell == f"{100 * mean.usage:.1f} / {mean.perplexity:,.0f} / {mean.psnr:.2f}", (arm, size)

    def test_the_ceiling(self):
        ceiling = (100 * runs("codebook_scaling").groupby("codebook_size").ceiling.first()).round(1)
        assert set(ceiling[list(self.SIZES[:-1])]) == {100.0}
        assert f"ceiling 100 % ({ceiling[65536]} of 65,536)" in FIRST_PAGE
        assert printed("N = 490,000 test tokens, ceiling 100 %, at 65,536 #. The runs") == [ceiling[65536]]

    def test_the_order_turns_with_the_size(self, means, psnr):
        others = psnr.drop(columns="codebook_reset").max(axis=1)
        assert (psnr.codebook_reset > others)[list(self.SIZES[1:])].all()
        small = psnr.loc[256].dropna(axis="columns")
        ahead = small[["vq_vae_kmeans", "vq_vae_ema"]].sub(small.codebook_reset, axis=0)
        assert printed("ahead of codebook reset in all three seeds, by # to # dB") == [
            round(end, 2) for end in (ahead.vq_vae_kmeans.min(), ahead.vq_vae_kmeans.max())
        ]
        assert list(ahead.gt(0).sum()) == [3, 2]
        assert list(small.mean().nlargest(2).index) == ["vq_vae_kmeans", "vq_vae_ema"]
        worth = small.vq_vae_kmeans.mean() - small.vq_vae.mean()
        assert f"a start from k-means, is {worth:.2f} dB above plain VQ-VAE, within chance." in FIRST_PAGE
        tested = {(pair.first, pair.second): pair.p_holm for pair in compare_pairs(psnr.loc[[256]].dropna(axis=1))}
        assert tested["vq_vae", "vq_vae_kmeans"] > 0.5

    def test_what_more_codewords_are_worth(self, means):
        large, middle = (means.psnr.xs(size, level=1) for size in (16384, 4096))
        gained = (large - means.psnr.xs(256, level=1)).round(2)
        assert (large < middle)[["vq_vae_ema", "vq_vae_kmeans", "codebook_reset_jukebox"]].all()
        found = printed("From 256 to 16,384 codewords they gain #, # and # dB, and of the last two the largest")
        assert found == list(gained[["vq_vae", "vq_vae_ema", "vq_vae_kmeans"]])
        found = printed("is worth # dB (codebook reset), # (CVQ-VAE), # (SimVQ) and # (residual VQ).")
        assert found == list(gained[["codebook_reset", "cvq_vae", "simvq", "residual_vq"]])

    def test_who_collapses(self, means):
        usage = (100 * means.usage).round(1)
        small = usage.xs(256, level=1).sort_values()
        assert printed("plain VQ-VAE uses # %, all others # % or more.") == list(small[:2])
        found = printed(
            "plain VQ-VAE uses #, # and # %, moving averages #, # and # %, a start from k-means #, # and # %."
        )
        arms = ("vq_vae", "vq_vae_ema", "vq_vae_kmeans")
        assert found == [usage[arm, size] for arm in arms for size in (1024, 4096, 16384)]
        assert printed("SimVQ does not collapse, as claimed: #, #, #, # and # % in use. From") == list(usage["simvq"])
        largest = usage.xs(65536, level=1)
        assert f"({usage['simvq', 16384]} % of 16,384 in use, {largest.simvq} of 65,536)" in FIRST_PAGE
        assert printed(
            "Short trainings. After 16,000 steps codebook reset uses # %, SimVQ #, residual VQ #, moving averages #"
        ) == list(largest[["codebook_reset", "simvq", "residual_vq", "vq_vae_ema"]])

    def test_simvq_beside_codebook_reset(self, means, psnr):
        behind = (psnr.codebook_reset - psnr.simvq).round(2)
        found = printed("behind codebook reset in each seed, by # to #, by # to #, by # to # and by # to # dB")
        assert found == [end for size in self.SIZES[1:] for end in (behind[size].min(), behind[size].max())]
        assert (means.perplexity["simvq"] < means.perplexity["codebook_reset"]).all()
        assert printed("of 16,384 its perplexity is #, codebook reset's #.") == [
            round(means.perplexity[arm, 16384]) for arm in ("simvq", "codebook_reset")
        ]

    def test_the_largest_codebook(self, means):
        done = runs("codebook_scaling").query("codebook_size == 65536").groupby("arm").mean(numeric_only=True)
        usage, trained = (100 * done.usage).round(1), (100 * done.usage_train).round(1)
        arms = ["vq_vae", "vq_vae_ema", "vq_vae_kmeans", "cvq_vae", "codebook_reset_jukebox", "residual_vq", "simvq"]
        assert printed(
            "plain VQ-VAE uses # %, moving averages #, a start from k-means #, CVQ-VAE #, codebook reset with its "
            "authors' own threshold #, residual VQ #, SimVQ # at a perplexity of #, and codebook reset # at #; of the "
            "tokens"
        ) == [
            *usage[arms],
            round(done.perplexity.simvq),
            usage.codebook_reset,
            round(done.perplexity.codebook_reset),
        ]
        assert printed("set CVQ-VAE uses # %, residual VQ #, SimVQ # and codebook reset #.") == list(
            trained[["cvq_vae", "residual_vq", "simvq", "codebook_reset"]]
        )
        assert f"nor does residual VQ ({usage.residual_vq} of 65,536), but both use their" in FIRST_PAGE
        assert f"CVQ-VAE keeps all of 16,384 and {usage.cvq_vae} % of 65,536, which are worth no more." in FIRST_PAGE
        worth = (done.psnr - means.psnr.xs(16384, level=1)).round(2)
        arms = ["simvq", "codebook_reset", "residual_vq", "cvq_vae", "vq_vae", "vq_vae_ema", "vq_vae_kmeans"]
        assert printed(
            "worth # dB to SimVQ, # to codebook reset, # to residual VQ, and # to CVQ-VAE, # to plain VQ-VAE, # to "
            "moving averages, # to the k-means start and # to the authors' own threshold."
        ) == list(worth[[*arms, "codebook_reset_jukebox"]])

    def test_the_lead_over_all_sizes(self, means):
        compared = pd.read_csv(REFERENCE / "codebook_scaling" / "tables" / "comparison.csv")
        assert (compared.against == "codebook_reset").all()
        arms = compared[compared.metric == "psnr"].set_index("arm").drop("codebook_reset")
        lead, p = (-arms.difference).round(2), arms.p_holm
        found = printed(
            "of CVQ-VAE by # dB (p = #), of SimVQ by # (p = #), of a start from k-means by #, of moving averages by #, "
            "of its authors' own threshold by #, of residual VQ by # and of plain VQ-VAE by #"
        )
        first, second = ([lead[arm], round(p[arm], 3)] for arm in ("cvq_vae", "simvq"))
        others = ["vq_vae_kmeans", "vq_vae_ema", "codebook_reset_jukebox", "residual_vq", "vq_vae"]
        assert found == [*first, *second, *lead[others]]
        assert sorted([*others, "cvq_vae", "simvq"]) == sorted(arms.index)
        assert (p < 0.05).all()
        shown = (
            "of CVQ-VAE by {cvq_vae:.2f} dB, of SimVQ by {simvq:.2f}, of the start from k-means by {vq_vae_kmeans:.2f}"
        )
        assert shown.format(**lead) in FIRST_PAGE
        assert f"of plain VQ-VAE by {lead.vq_vae:.2f}. SimVQ" in FIRST_PAGE

    def test_by_which_metrics_the_lead_is_beyond_chance(self):
        compared = pd.read_csv(REFERENCE / "codebook_scaling" / "tables" / "comparison.csv")
        p = compared.pivot(index="metric", columns="arm", values="p_holm").drop(columns="codebook_reset")
        assert (p.loc[["psnr", "mse", "ssim"]] < 0.05).all(axis=None)
        others = p.loc[["fd_fashion_classifier", "kid_fashion_classifier", "class_agreement"]]
        assert (others.cvq_vae > 0.05).all()
        assert (others.drop(columns="cvq_vae") < 0.05).all(axis=None)

    def test_simvq_elsewhere_uses_its_codewords_more_evenly(self, means):
        published = pd.read_csv(ROOT / "results" / "published" / "published.csv", dtype=str)
        theirs = published[
            published.paper.str.startswith("VP-VAE")
            & (published.method == "SimVQ")
            & (published.dataset == "COCO val")
            & (published.metric == "CVU(perplexity/K)")
        ]
        assert set(theirs.codebook_size) == {"256", "1024", "4096", "16384"}
        shares = 100 * theirs.value.astype(float)
        ours = 100 * means.perplexity["simvq"] / means.perplexity["simvq"].index
        assert printed(
            "a perplexity of # to # % of K for SimVQ on COCO (256 to 16,384 codewords), ours is # to # %"
        ) == [
            round(shares.min()),
            round(shares.max()),
            round(ours[256]),
            round(ours[16384]),
        ]

    def test_the_order_at_equal_entropy(self):
        done = runs("codebook_scaling").dropna(subset="codebook_size")
        means = done.groupby(["arm", "codebook_size"])[["entropy_bits", "psnr"]].mean()
        bits = means.entropy_bits.round(1)
        assert printed("16,384 codewords cost # bits a position, moving averages' #.") == [
            bits[arm, 16384] for arm in ("codebook_reset", "vq_vae_ema")
        ]
        collapsed = means.loc[["vq_vae_ema", "vq_vae_kmeans"]].drop(256, level=1)
        others = ("codebook_reset", "codebook_reset_jukebox", "cvq_vae", "residual_vq", "simvq")
        lines = [means.loc[arm] for arm in others]
        ahead = [
            at.psnr - np.interp(at.entropy_bits, line.entropy_bits, line.psnr, left=np.nan, right=np.nan)
            for at in collapsed.itertuples()
            for line in lines
        ]
        ends = [round(min(ahead), 2), round(max(ahead), 2)]
        assert printed("they are # to # dB above the lines of codebook reset") == ends
        assert f"are {ends[0]} to {ends[1]} dB ahead of all others but plain VQ-VAE (not tested)." in FIRST_PAGE
        most = round(collapsed.entropy_bits.max(), 1)
        assert f"up to the {most} bits that they reach" in FIRST_PAGE
        assert printed("does not, up to the # bits that those two reach.") == [most]
        for seed, alone in done.groupby("seed"):
            at = alone.set_index(["arm", "codebook_size"])[["entropy_bits", "psnr"]].sort_values("entropy_bits")
            for arm in others:
                line = at.loc[arm]
                for point in at.loc[["vq_vae_ema", "vq_vae_kmeans"]].drop(256, level=1).itertuples():
                    assert point.psnr > np.interp(point.entropy_bits, line.entropy_bits, line.psnr), (seed, arm)
        reset, simvq = means.loc["codebook_reset"], means.loc["simvq"].drop(256)
        below = (np.interp(simvq.entropy_bits, reset.entropy_bits, reset.psnr) - simvq.psnr).round(2)
        assert printed(
            "SimVQ is below codebook reset's line by #, # and # dB at 1,024, 4,096 and 16,384 codewords, and with "
            "65,536, which cost it # bits, # dB above."
        ) == [*below[:-1], bits["simvq", 65536], -below.iloc[-1]]

    def test_the_highest_perplexity_is_not_the_least_error(self, means):
        large = means.xs(4096, level=1)
        assert large.perplexity.idxmax() == "codebook_reset_jukebox"
        assert list(large.psnr.sort_values().index[:2]) == ["vq_vae", "codebook_reset_jukebox"]
        assert printed("ends with the highest perplexity of all, #, and less PSNR") == [round(large.perplexity.max())]
