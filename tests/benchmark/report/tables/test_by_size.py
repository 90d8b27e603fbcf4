"""Tables by size."""

from collections.abc import Callable

from reported import table

from benchmark.report.frame import read
from benchmark.report.grid import Grid
from benchmark.report.tables import TABLES, metrics_by_size

Make = Callable[..., "SyntheticResults"]  # noqa: F821 - of conftest.py, which is no module


def test_usage_and_perplexity_share_a_cell(synthetic: Make):
    made = synthetic(("vq_vae",), sizes=(256, 1024), seeds=1, artefacts=False)
    made.set_metric("vq_vae", 1024, "usage", [0.938])
    made.set_metric("vq_vae", 1024, "perplexity", [74.21])
    built = table(made.folder, "usage_by_size")
    assert built is not None
    assert built.columns == ["Arm", "K = 256", "K = 1,024"]
    assert built.blocks[0].rows[0][2].text == "93.8 / 74.2"


def test_by_size_tables_need_more_than_one_size(synthetic: Make):
    folder = synthetic(("vq_vae",), sizes=(256,), artefacts=False).folder
    assert table(folder, "usage_by_size") is None
    assert table(folder, "distortion_by_size") is None


def test_declared_metrics_by_size(synthetic: Make):
    made = synthetic(("vq_vae", "simvq"), sizes=(256, 1024), artefacts=False)
    made.set_metric("simvq", 256, "effective_rank", [10.0, 11.0, 12.0])
    results = read(made.folder)
    built = metrics_by_size("ranks", ["effective_rank", "effective_rank_used"], Grid(results))
    assert built is not None
    assert built.name == "ranks"
    assert built.blocks[0].rows[1][1].text == "11.0 ± 2.5"


def test_an_arm_without_codes_is_not_ranked(synthetic: Make):
    made = synthetic(("sc_vae", "simvq", "vq_vae"), sizes=(256,), seeds=3, artefacts=False)
    made.edit_plan(tuned="9 trials an arm")
    results = read(made.folder)
    grid = Grid(results)
    assert grid.remedies == ["simvq", "vq_vae"]
    for name in ("main", "comparison"):
        table = TABLES[name](grid)
        assert table is not None
        said = "Neither ranked nor marked best, since without codes nothing bounds its bits: `sc_vae`."
        assert said in table.shown_notes
    assert "sc_vae" not in set(table.data["arm"])


def test_nothing_run_yet_still_gives_a_table(synthetic: Make):
    made = synthetic(("vq_vae", "simvq"), sizes=(256, 1024), seeds=1, artefacts=False)
    for path in made.folder.glob("runs/*/record.json"):
        path.unlink()
    built = table(made.folder)
    assert built is not None
    assert "not run yet" in built.markdown()
    assert table(made.folder, "comparison") is None
