"""Which quantities the tables show and rank: a distance made for larger images does not headline small ones."""

import json
from collections.abc import Callable

import pytest

from benchmark.report.build import summary_csv
from benchmark.report.declarations import PaperTable
from benchmark.report.frame import read
from benchmark.report.grid import Grid
from benchmark.report.quantities import distortion_columns, quality_columns, summary_only
from benchmark.report.tables import main_table, paper_table

Make = Callable[..., "SyntheticResults"]  # noqa: F821 - of conftest.py, which is no module
EFFICIENTNET = ["fd_efficientnet_lite0", "kid_efficientnet_lite0"]
FASHION = ["fd_fashion_classifier", "kid_fashion_classifier", "class_agreement"]


def names(columns) -> list[str]:
    return [column.name for column in columns]


def of_images(made, dataset: dict[str, object], detail: dict[str, object] | None = None) -> None:
    """Have all runs be of ``dataset`` with ``detail`` of the distance, as records have them."""
    for path in made.folder.glob("runs/*/record.json"):
        record = json.loads(path.read_text())
        record["config"]["dataset"] = dataset
        record["details"] = {EFFICIENTNET[0]: detail} if detail else {}
        path.write_text(json.dumps(record))


@pytest.mark.parametrize(
    ("dataset", "detail", "small"),
    [
        ({"name": "fashion_mnist"}, {"input": "64×64"}, True),
        ({"name": "cifar10"}, {"input": "64×64"}, True),
        ({"name": "photos"}, None, True),
        ({"name": "image_folder", "size": 48}, {"input": "64×64"}, True),
        ({"name": "image_folder", "size": 64}, {"input": "64×64"}, False),
        ({"name": "image_folder", "size": 128}, {"input": "128×128"}, False),
        ({"name": "of_a_plugin"}, {"input": "64×64", "image_size": "28×64"}, True),
        ({"name": "of_a_plugin"}, {"input": "64×64", "image_size": "64×64"}, False),
    ],
)
def test_distances_of_enlarged_images_are_neither_headlined_nor_ranked(synthetic: Make, dataset, detail, small):
    made = synthetic(("vq_vae", "simvq"), sizes=(256,), seeds=1, artefacts=False)
    of_images(made, dataset, detail)
    results = read(made.folder)
    assert summary_only(results) == (EFFICIENTNET if small else [])
    for columns in (quality_columns(results), distortion_columns(results)):
        assert set(EFFICIENTNET).isdisjoint(names(columns)) == small
        assert "lpips_alex_64px" in names(columns)
    notes = main_table(Grid(results)).shown_notes
    assert any(note.startswith("Left to summary.csv: FD (EfficientNet-Lite0) and KID") for note in notes) == small


def test_they_stay_in_the_summary_and_where_a_table_names_them(synthetic: Make):
    results = read(synthetic(("vq_vae", "simvq"), sizes=(256,), seeds=1, artefacts=False).folder)
    assert set(EFFICIENTNET) <= set(summary_csv(results).splitlines()[0].split(","))
    declared = PaperTable(name="named", title="named", columns=["psnr", *EFFICIENTNET])
    built = paper_table(declared, Grid(results))
    assert built is not None
    assert any("FD (EfficientNet-Lite0)" in column for column in built.columns)


def test_what_measures_small_images_is_headlined_and_ranked(synthetic: Make):
    made = synthetic(("vq_vae", "simvq"), sizes=(256,), seeds=1, artefacts=False)
    for path in made.folder.glob("runs/*/record.json"):
        record = json.loads(path.read_text())
        record["metrics"] |= dict.fromkeys(FASHION, 0.5)
        path.write_text(json.dumps(record))
    results = read(made.folder)
    for columns in (quality_columns(results), distortion_columns(results)):
        assert [name for name in names(columns) if name in FASHION] == FASHION
    assert {column.name: column.direction for column in distortion_columns(results)}["class_agreement"] == 1


def test_an_interval_over_photographs_stands_beside_its_metric(synthetic: Make):
    made = synthetic(("vq_vae", "simvq"), sizes=(256,), seeds=1, artefacts=False)
    assert "psnr_halfwidth" not in names(quality_columns(read(made.folder)))
    for path in made.folder.glob("runs/*/record.json"):
        record = json.loads(path.read_text())
        record["metrics"] |= {"photographs": 200, "psnr_halfwidth": 0.43}
        path.write_text(json.dumps(record))
    results = read(made.folder)
    shown = names(quality_columns(results))
    assert shown[shown.index("psnr") + 1] == "psnr_halfwidth"
    assert "psnr_halfwidth" not in names(distortion_columns(results))  # how far one is known ranks nothing
