"""The figures that results/README.md prints of the other suites are those of the committed records."""

import re

import numpy as np
import pandas as pd
from findings import FIRST_PAGE, LIBRARIES, REFERENCE, over, printed, runs, table, with_interval


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
    assert printed("does not collapse on these latents: # to # % are in use") == [
        round(100 * simvq.usage.min()),
        round(100 * simvq.usage.max()),
    ]
    above = 100 * (simvq.quantization_error / best.quantization_error - 1)
    assert printed("and its error # to # % above k-means at either rate") == [round(above.min()), round(above.max())]
    fast = found[(found["training.learning_rate"] == 0.01) & (found.arm != "kmeans")]
    assert set(fast.groupby(["codebook_size", "arm"]).perplexity.mean().unstack().idxmin(axis=1)) == {"simvq"}


def test_simvq_in_plain_clustering_by_seed():
    done = runs("plain_clustering")
    seeds = done[done["dataset.dim"] == 2].pivot(index="seed", columns="arm", values="quantization_error")
    above = 100 * (seeds.simvq / seeds.kmeans - 1)
    assert printed("in two dimensions # to # % by seed") == [round(above.min()), round(above.max())]
    latents = runs("clustering_latents")
    means = [
        gain
        for suite, column in ((done, "dataset.dim"), (latents, "codebook_size"))
        for gain in suite[suite.arm == "simvq"].groupby(column).gain_db_per_doubling.mean()
    ]
    assert printed("a doubling of steps gains it # to # dB") == [round(min(means), 2), round(max(means), 2)]


def test_who_splits_clusters_and_who_follows_a_law_that_wanders():
    done = runs("planted_collapse").query("arm != 'kmeans'").pivot(index="arm", columns="dataset.kind", values="usage")
    split = done.clustered[done.clustered > 0.5]
    assert sorted(split.index) == sorted(
        ["codebook_reset", "cvq_vae", "residual_vq", "affine_vq", "ema_expiry", "optvq", "qinco"]
    )
    assert printed("OptVQ and QINCo use # to # % of 64 codewords") == [
        round(100 * split.min()),
        round(100 * split.max()),
    ]
    assert sorted(done.index[done.drifting == 1]) == ["affine_vq", "ema_expiry", "optvq"]
    lost = done.index[done.drifting * 64 == 1]
    assert sorted(lost) == sorted(
        ["vq_vae", "vq_vae_ema", "product_vq", "fsq", "residual_fsq", "ibq", "gumbel_vq", "wasserstein_vq", "edvae"]
    )
    cured = done.index[(done.drifting > 0.75) & (done.clustered < 0.1)]
    assert sorted(cured) == ["factorized_vq", "fvq", "rotation_trick", "trans_vq", "vq_wae"]


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


def test_ours_beside_the_other_library():
    done = runs("libraries").groupby(["codebook_size", "arm"])
    means, seeds = done[["usage", "perplexity", "psnr"]].mean(), done.psnr.agg(["size", "min", "max"])
    names = ("simvq", "rotation", "ema", "residual", "fsq", "residual_simvq", "lfq")
    pairs = [(f"{name}_ours", f"{name}_theirs") for name in names]
    narrow = ("ema_ours_narrow_start", "ema_theirs")
    for size, after, shown in (
        (256, "## Do they agree", [*pairs[:3], narrow, *pairs[3:]]),
        (4096, "Of 4,096 codewords", [*pairs[:3], narrow]),
    ):
        for pair, cells in zip(shown, table("docs/libraries.md", after).values(), strict=True):
            for arm, cell in zip(pair, cells, strict=True):
                mean = means.loc[size, arm]
                assert cell == f"{100 * mean.usage:.1f} / {mean.perplexity:.1f} / {mean.psnr:.2f}", (size, arm)
                assert seeds["size"][size, arm] == 3
    mean = means.psnr.loc[256]
    *apart, levels, _ = (abs(mean[ours] - mean[theirs]) for ours, theirs in pairs)
    assert f"Four levels of SimVQ are better theirs, by {levels:.2f} dB" in LIBRARIES
    alike = seeds.loc[256].loc[[arm for pair in pairs[:5] for arm in pair]]
    *first, last = (f"{difference:.2f}" for difference in apart)
    widest = (alike["max"] - alike["min"]).max()
    assert f"are {', '.join(first)} and {last} dB apart, and seeds of one arm up to {widest:.2f}." in LIBRARIES
    assert printed("vector-quantize-pytorch end within # dB of those here") == [round(max(apart), 2)]
    assert printed("its four levels of SimVQ are # dB better. At 4,096") == [round(levels, 2)]
    assert f"they end within 0.2 dB of each other, its four levels of SimVQ {levels:.1f} dB better" in FIRST_PAGE
    assert max(apart) < 0.2
    rotated = means.loc[256, "simvq_theirs_as_it_comes"]
    below = mean.simvq_theirs - rotated.psnr
    assert f"uses {100 * rotated.usage:.1f} % and is {below:.2f} dB below itself without." in LIBRARIES


def test_a_narrow_start_is_what_parts_moving_averages_here_and_there():
    done = runs("libraries").groupby(["codebook_size", "arm"]).psnr.mean().loc[4096]
    apart = {name: done[f"{name}_theirs"] - done[f"{name}_ours"] for name in ("simvq", "rotation", "ema")}
    narrow = done.ema_theirs - done.ema_ours_narrow_start
    assert abs(narrow) < 0.2 < apart["ema"]
    assert f"{abs(apart['simvq']):.2f} and {abs(apart['rotation']):.2f} dB apart" in LIBRARIES
    assert f"moving averages are better theirs by {apart['ema']:.2f} dB" in LIBRARIES
    assert f"from as narrow a start ours are {abs(narrow):.2f} dB from theirs" in LIBRARIES
