"""The answer's sentences: nothing that the comparison does not carry."""

import re
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from benchmark.report.frame import read
from benchmark.report.grid import Grid
from benchmark.report.page.answer import answer, told_at
from benchmark.report.page.notes import page_notes
from benchmark.report.statistics import is_beyond_chance

Make = Callable[..., "SyntheticResults"]  # noqa: F821 - of conftest.py, which is no module
REFERENCE = Path(__file__).parents[4] / "results" / "reference"
ARMS = ("vq_vae", "codebook_reset", "simvq", "sq_vae")


@pytest.fixture
def tuned(synthetic: Make):
    """Four tuned arms at one size with three seeds, whose PSNR a test sets."""

    def make(**psnr: list[float]) -> Grid:
        made = synthetic(ARMS, sizes=(256,), seeds=3, artefacts=False)
        made.edit_plan(tuned="nine trials")
        for arm, values in psnr.items():
            made.set_metric(arm, 256, "psnr", list(values))
            made.set_metric(arm, 256, "validation_error", [1 / value for value in values])
        return Grid(read(made.folder))

    return make


def test_the_best_beyond_chance_is_named_with_its_nearest(tuned):
    grid = tuned(
        vq_vae=[20.0, 20.1, 19.9],
        codebook_reset=[24.0, 24.1, 23.9],
        simvq=[23.01, 23.1, 22.9],
        sq_vae=[18.0, 18.1, 17.9],
    )
    assert answer(grid)[0].startswith(
        "`codebook_reset` is better in PSNR than each of the 3 other arms beyond chance; the nearest, `simvq`, is "
        "behind by 0.997 ± "
    )


def test_who_cannot_be_told_apart_is_said(tuned):
    grid = tuned(
        vq_vae=[20.0, 20.1, 19.9],
        codebook_reset=[24.0, 24.5, 23.5],
        simvq=[24.1, 23.9, 23.6],
        sq_vae=[18.0, 18.1, 17.9],
    )
    comparison = grid.compare("psnr", 1, grid.places)
    assert comparison is not None
    told = {other.arm for other in comparison.differences if is_beyond_chance(other.p_holm)}
    first = answer(grid)[0]
    assert told == {"vq_vae", "sq_vae"}
    assert first.startswith(
        f"In PSNR, `{comparison.against}`, the arm of least validation error, is better beyond chance"
    )
    better, _, same = first.partition("can't be told apart from")
    assert set(re.findall("`(.*?)`", better)) == {comparison.against, *told}
    assert set(re.findall("`(.*?)`", same)) == {*ARMS} - told - {comparison.against}


def test_untuned_arms_are_not_ranked(synthetic: Make):
    grid = Grid(read(synthetic(ARMS, sizes=(256, 1024), seeds=2, artefacts=False).folder))
    first, second = answer(grid)
    assert first.startswith("The arms are untuned, so none is ranked: PSNR runs from ")
    assert "at K = 1,024, 2 seeds an arm." in first
    assert second.startswith("At K = 1,024, usage runs from ")
    assert second.endswith("a uniform source would use 100.0 %.")


def test_one_seed_tests_nothing(synthetic: Make):
    made = synthetic(ARMS, sizes=(256,), seeds=1, artefacts=False)
    made.edit_plan(tuned="nine trials")
    assert answer(Grid(read(made.folder)))[0].startswith("One seed is left, so no difference is tested: PSNR runs")


def test_why_nothing_is_ranked_is_said(synthetic: Make):
    made = synthetic(("vq_vae", "no_quantization"), sizes=(256,), seeds=2, artefacts=False)
    made.edit_plan(tuned="nine trials")
    assert answer(Grid(read(made.folder)))[0].startswith("Fewer than two arms are whole remedies with codes: PSNR of `")
    made = synthetic(("vq_vae", "simvq"), sizes=(256, 1024), seeds=1, artefacts=False, name="apart")
    made.edit_plan(tuned="nine trials")
    made.record_path("vq_vae", 256, 0).unlink()
    made.record_path("simvq", 1024, 0).unlink()
    assert answer(Grid(read(made.folder)))[0].startswith("No size and seed has a run of every arm: PSNR of `")


def test_without_runs_nothing_is_claimed(synthetic: Make):
    made = synthetic(ARMS, sizes=(256,), seeds=1, artefacts=False)
    for path in made.folder.glob("runs/*/record.json"):
        path.unlink()
    assert answer(Grid(read(made.folder))) == [
        "No run of this suite has ended well yet: 0 of 4 are there as the plan has them."
    ]


def test_every_committed_answer_names_only_arms_of_its_suite():
    grid = Grid(read(REFERENCE / "remedies"))
    sentences = answer(grid)
    assert len(sentences) == 2
    assert set(re.findall("`(.*?)`", " ".join(sentences))) <= set(grid.arms)


def test_of_words_the_answer_is_told_where_usage_differs_most():
    grid = Grid(read(REFERENCE / "planted_collapse"))
    summary = pd.read_csv(REFERENCE / "planted_collapse" / "summary.csv")
    ours = summary[~summary["arm"].isin([arm for arm in grid.arms if grid.results.is_reference(arm)])]
    ranges = ours.groupby("dataset.kind")["usage"].agg(lambda shares: shares.max() - shares.min())
    assert grid.title(told_at(grid)) == ranges.idxmax() == "drifting"
    assert answer(grid)[1].startswith("At drifting, where it differs most, usage runs from 1.6 % (`")


def test_the_answer_is_told_where_most_arms_are(synthetic: Make):
    made = synthetic(ARMS, sizes=(256, 1024, 4096), seeds=1, artefacts=False)
    made.record_path("simvq", 4096, 0).unlink()
    first, second = answer(Grid(read(made.folder)))
    assert "at K = 1,024, 1 seed an arm" in first
    assert second.startswith("At K = 1,024, usage runs")


def test_priors_are_told_beside_reconstructions():
    grid = Grid(read(REFERENCE / "generation_quickstart"))
    priors = grid.results.priors.set_index("arm")
    samples, made = (priors[f"{kind}_fd_fashion_classifier"] for kind in ("samples", "reconstructions"))
    assert len(answer(grid)) == 3
    assert answer(grid)[2] == (
        f"FD (Fashion-MNIST classifier) of the priors' samples runs from {samples['fsq']:.2f} (`fsq`) to "
        f"{samples['vq_vae']:.2f} (`vq_vae`) at K = 256, 1 seed an arm, where reconstructions have {made.min():.2f} to "
        f"{made.max():.2f}; not tested."
    )
    assert samples.idxmin() == "fsq"
    assert samples.idxmax() == "vq_vae"


def test_notes_speak_of_nothing_that_only_the_main_table_has():
    notes = page_notes(Grid(read(REFERENCE / "codebook_scaling")))
    assert not [note for note in notes if re.match(r"\(|Bold|Columns|Left to", note)]
    for start in (
        "Mean ±",
        "Beyond chance: moderated",
        "§ the best of",
        "Tuned (15 trials",
        "Protocol: ",
        "Metrics: Usage:",
    ):
        assert sum(note.startswith(start) for note in notes) == 1
    assert notes[-1].startswith("Measured on: ")
