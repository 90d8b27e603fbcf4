"""A metric that is registered is shown like those the benchmark brings: in tables, in plots, in a suite's columns."""

from collections.abc import Callable

import matplotlib
import pytest

from benchmark.metrics import catalogue
from benchmark.metrics.catalogue import Metric
from benchmark.report.build import check_tables
from benchmark.report.frame import read
from benchmark.report.grid import Grid
from benchmark.report.notes import measurement_notes
from benchmark.report.plots import PLOTS
from benchmark.report.style import RC, arm_styles
from benchmark.report.tables import main_table
from methods.core.usage import UsageError

Make = Callable[..., "SyntheticResults"]  # noqa: F821 - of conftest.py, which is no module
BREATH = Metric("Breath", "share of breaths that are kept, averaged over clips", ".2f", "higher", "dB", group="speech")
TABLE = {"name": "breaths", "title": "breaths", "columns": ["pesq", "breath"]}


@pytest.fixture(autouse=True)
def own_catalogue(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalogue, "METRICS", dict(catalogue.METRICS))


def measured_everywhere(made, **metrics: float) -> None:
    """Have every run of the first size report ``metrics``."""
    for entry in made.plan["arms"]:
        for name, value in metrics.items():
            made.set_metric(entry["arm"], 256, name, [value] * len(made.plan["seeds"]))


def test_a_speech_metric_is_named_in_the_catalogue_alone(synthetic: Make):
    made = synthetic(("vq_vae", "simvq"), sizes=(256,), seeds=2, artefacts=False)
    measured_everywhere(made, breath=0.75, pesq=3.5, breath_undefined=1)
    columns = main_table(Grid(read(made.folder))).columns
    assert not any("Breath" in column for column in columns)
    with pytest.raises(UsageError, match="there is no metric `breath`"):
        check_tables([TABLE], [], {})

    catalogue.register("breath", BREATH)
    catalogue.register("breath", BREATH)  # a module that is imported twice
    results = read(made.folder)
    columns = main_table(Grid(results)).columns
    assert columns.index("Breath, dB ↑") == columns.index("PESQ ↑") + 1
    assert columns.index("Breath undefined") == columns.index("Breath, dB ↑") + 1
    with matplotlib.rc_context(RC):
        figure = PLOTS.all()["distortion"].draw(Grid(results), arm_styles(results.plan["arms"], []))
    assert "Breath, dB ↑" in [axis.get_xlabel() for axis in figure.axes]
    check_tables([TABLE], [], {})
    with pytest.raises(UsageError, match=r"no metric `breeth` \(did you mean `breath`\?\)"):
        check_tables([{**TABLE, "columns": ["breeth"]}], [], {})


def test_a_group_is_all_that_decides_where(synthetic: Make):
    made = synthetic(("vq_vae", "simvq"), sizes=(256,), seeds=1, artefacts=False)
    measured_everywhere(made, breath=0.75)
    catalogue.register("breath", Metric("Breath", "in no group"))
    results = read(made.folder)
    assert not any("Breath" in column for column in main_table(Grid(results)).columns)


def test_what_no_one_declared_is_in_no_note(synthetic: Make):
    made = synthetic(("vq_vae",), sizes=(256,), seeds=1, artefacts=False)
    measured_everywhere(made, breath=0.75)
    made.edit("vq_vae", 256, 0, details={"breath": {"package": "breath 1.0"}})
    assert measurement_notes(read(made.folder)) == []
    catalogue.register("breath", BREATH)
    assert measurement_notes(read(made.folder)) == ["Breath: package `breath 1.0`."]


@pytest.mark.parametrize(
    ("name", "metric", "message"),
    [
        ("psnr", BREATH, "two metrics are called `psnr`"),
        ("kid_breath", BREATH, "two metrics are called `kid_breath`"),
        ("two words", BREATH, "must be a word, not `two words`"),
        ("breath", Metric("Breath", "", "2f"), "metric `breath`: the format `2f` is not like `.3f`"),
    ],
)
def test_a_declaration_that_can_t_be_had_is_one_sentence(name: str, metric: Metric, message: str):
    with pytest.raises(UsageError, match=message):
        catalogue.register(name, metric)
