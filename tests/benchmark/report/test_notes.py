"""Titles and notes below a table: tuning, settings that differ, machines, protocol."""

import json
from collections.abc import Callable

from reported import table

from benchmark.report.frame import read
from benchmark.report.grid import Grid
from benchmark.report.tables import TABLES

Make = Callable[..., "SyntheticResults"]  # noqa: F821 - of conftest.py, which is no module


def test_untuned_tables_say_so_in_their_titles(synthetic: Make):
    made = synthetic(("vq_vae", "simvq", "no_quantization"), sizes=(256, 1024), artefacts=False)
    by_size = ("usage_by_size", "distortion_by_size")
    for name in ("main", *by_size):
        built = table(made.folder, name)
        assert built is not None
        assert built.caption.endswith(" (untuned)")
        assert not any(note.startswith("Bold") for note in built.shown_notes)
        assert any(note.endswith("defaults; none is ranked.") for note in built.shown_notes)
    made.edit_plan(tuned="9 trials an arm")
    for name in ("main", *by_size):
        built = table(made.folder, name)
        assert built is not None
        assert "untuned" not in built.caption
        assert any(note.startswith("Bold") for note in built.shown_notes) == (name != "usage_by_size")


def test_where_there_is_nothing_to_tune_the_title_says_nothing(synthetic: Make):
    built = table(synthetic(("no_quantization", "kmeans"), sizes=(256,), seeds=1, artefacts=False).folder)
    assert built is not None
    assert built.caption == "invented_scaling: Who collapses as the invented codebook grows?"


def test_tuned_untuned_and_mixed(synthetic: Make):
    made = synthetic(("vq_vae", "simvq"), sizes=(256,), artefacts=False)
    arms = made.plan["arms"]
    notes = []
    first, other = {"learning_rate": 0.003, "beta": 1.0}, {"learning_rate": 0.0010000000000000002, "parts": {"beta": 2}}
    for tuned in ((False, False), (first, other), (first, False)):
        made.edit_plan(
            tuned="9 trials an arm", arms=[{**arm, "tuned": flag} for arm, flag in zip(arms, tuned, strict=True)]
        )
        built = table(made.folder)
        assert built is not None
        notes.append(next(note for note in built.shown_notes if note.startswith(("Tuned", "Untuned"))))
    assert notes[0].startswith("Untuned: every arm")
    assert notes[1] == (
        "Tuned (9 trials an arm): `vq_vae` learning_rate 0.003, beta 1; `simvq` learning_rate 0.001, parts beta 2."
    )
    assert notes[2] == "Tuned (9 trials an arm): `vq_vae` learning_rate 0.003, beta 1; untuned: `simvq`."


def test_what_sets_arms_apart_is_said(synthetic: Make):
    made = synthetic(("vq_vae", ("vq_vae_kmeans", "vq_vae"), "simvq"), sizes=(256,), seeds=1, artefacts=False)
    params = ({"beta": 0.25, "init": "uniform"}, {"beta": 0.25, "init": "kmeans"}, {"beta": 1.0})
    arms = [{**arm, "params": p} for arm, p in zip(made.plan["arms"], params, strict=True)]
    made.edit_plan(arms=arms)
    config = json.loads(made.record_path("simvq", 256, 0).read_text())["config"]
    made.edit("simvq", 256, 0, config={**config, "training": {**config["training"], "learning_rate": 3e-4}})
    built = table(made.folder)
    assert built is not None
    settings = (
        "`vq_vae` with init uniform; `vq_vae_kmeans` is `vq_vae` with init kmeans; `simvq` with learning_rate 0.0003"
    )
    assert f"Arms: {settings}." in built.shown_notes


def test_settings_of_the_training_that_one_side_leaves_at_their_defaults_are_said(synthetic: Make):
    made = synthetic(("vq_vae", "simvq", "fsq"), sizes=(256,), seeds=1, artefacts=False)
    protocol = {**made.plan["protocol"]["training"], "schedule": "cosine"}
    made.edit_plan(protocol={**made.plan["protocol"], "training": protocol})
    config = json.loads(made.record_path("vq_vae", 256, 0).read_text())["config"]
    own = {"continuous_share": 0.2, "freeze_encoder": True, "quantizer_learning_rate": 0.01}
    for arm, training in (("vq_vae", protocol), ("simvq", {**protocol, **own})):
        made.edit(arm, 256, 0, config={**config, "training": training})
    made.edit("fsq", 256, 0, config={**config, "training": made.plan["protocol"]["training"] | {"schedule": "linear"}})
    built = table(made.folder)
    assert built is not None
    settings = "`simvq` with continuous_share 0.2, freeze_encoder True, quantizer_learning_rate 0.01"
    assert f"Arms: {settings}; `fsq` with schedule linear." in built.shown_notes
    del protocol["schedule"]
    made.edit("fsq", 256, 0, config={**config, "training": protocol})
    built = table(made.folder)
    assert built is not None
    assert f"Arms: {settings}; `fsq` with schedule constant." in built.shown_notes
    made.edit_plan(axes={"training.schedule": ["constant"]})
    for cell in made.plan["cells"]:
        cell["point"] = {"training.schedule": "constant"}
    made.edit_plan()
    built = table(made.folder)
    assert built is not None
    assert f"Arms: {settings}." in built.shown_notes


def test_an_untuned_arm_beside_tuned_ones_is_shown_and_not_ranked(synthetic: Make):
    made = synthetic(("vq_vae", "simvq", "sq_vae", "no_quantization"), sizes=(256,), artefacts=False)
    arms = made.plan["arms"]
    tuned = [{**arm, "tuned": {"learning_rate": 1e-3}} for arm in arms[:2]]
    made.edit_plan(tuned="9 trials an arm", arms=[*tuned, *arms[2:]])
    grid = Grid(read(made.folder))
    assert grid.remedies == ["vq_vae", "simvq"]
    note = "Neither ranked nor marked best, since they are untuned beside tuned arms: `sq_vae`."
    for name in ("main", "comparison"):
        built = TABLES[name](grid)
        assert built is not None
        assert note in built.shown_notes
    assert {pair.first for pair in grid.pairs("psnr", grid.places)} == {"vq_vae"}
    made.edit_plan(arms=arms)  # tuned by a file that has none of them: as a suite that was never tuned
    grid = Grid(read(made.folder))
    assert grid.results.is_untuned
    assert grid.remedies == ["vq_vae", "simvq", "sq_vae"]
    assert grid.compare("psnr", 1, grid.places) is None
    built = TABLES["main"](grid)
    assert built is not None
    assert built.caption.endswith(" (untuned)")


def test_what_was_measured_with_and_what_is_withheld(synthetic: Make):
    made = synthetic(("vq_vae",), sizes=(256,), seeds=1, artefacts=False)
    made.set_metric("vq_vae", 256, "fd_efficientnet_lite0", [None])
    reason = "500 images are fewer than twice the 1,280 features"
    made.edit(
        "vq_vae",
        256,
        0,
        details={
            "fd_efficientnet_lite0": {"weights_sha256": "0123456789ab", "withheld": reason},
            "lpips_alex_64px": {"weights_sha256": "ba9876543210", "input": "64×64"},
        },
    )
    built = table(made.folder)
    assert built is not None
    assert "FD (EfficientNet-Lite0) ↓" not in built.columns
    assert f"FD (EfficientNet-Lite0) withheld: {reason}." in built.shown_notes
    assert "LPIPS (AlexNet, 64 px): weights `ba9876543210`, input 64×64 px." in built.shown_notes


def test_levels_are_stated(synthetic: Make):
    built = table(synthetic(("residual_vq",), sizes=(256, 1024), artefacts=False).folder)
    assert built is not None
    assert any("256 = 16 × 16, 1,024 = 32 × 32" in note for note in built.shown_notes)


def test_whose_pictures_are_shown_is_said_once(synthetic: Make):
    made = synthetic(("vq_vae",), sizes=(256,), seeds=2, artefacts=False)
    credits = ["one.jpg (A. Painter; CC0; a-package)", "two.jpg (B. Painter; CC-BY-4.0; a-package)"]
    for seed in (0, 1):
        made.edit("vq_vae", 256, seed, provenance={"device": "cpu", "data": {"samples": credits}})
    built = table(made.folder)
    assert built is not None
    said = [note for note in built.shown_notes if note.startswith("Pictures")]
    assert said == [f"Pictures of originals, from left to right: {'; '.join(credits)}."]


def test_machines_are_named(synthetic: Make):
    made = synthetic(("vq_vae",), sizes=(256,), seeds=2, artefacts=False)
    made.edit("vq_vae", 256, 1, provenance={"device": "cpu", "cpu": "Other CPU", "threads": 2})
    built = table(made.folder)
    assert built is not None
    machines = "Invented CPU, CPU threads: 1; Other CPU, CPU threads: 2"
    assert built.shown_notes[-1] == f"Measured on: {machines}. Times of different machines are not comparable."


def test_times_and_memory_are_those_of_one_device(synthetic: Make):
    made = synthetic(("vq_vae", "simvq"), sizes=(256,), seeds=2, artefacts=False)
    for seed in (0, 1):
        gpu = {"device": "Invented GPU", "cpu": "Invented CPU", "threads": 2}
        made.edit("simvq", 256, seed, provenance=gpu, timings={"train_seconds": 1.0})
    made.edit("vq_vae", 256, 1, status="failed")  # a tie would be decided by name
    built = table(made.folder)
    assert built is not None
    assert built.shown_notes[-1].endswith("Times and memory are those on Invented GPU alone.")
    price = built.columns.index("Training, s")
    assert [row[price].text for row in built.blocks[0].rows] == ["–", "1.0 ± 0.0"]
    assert built.blocks[0].rows[0][1].text != "–"


def test_two_machines_of_that_device_are_still_warned_of(synthetic: Make):
    made = synthetic(("vq_vae",), sizes=(256,), seeds=3, artefacts=False)
    made.edit("vq_vae", 256, 1, provenance={"device": "cpu", "cpu": "Other CPU", "threads": 1})
    made.edit("vq_vae", 256, 2, provenance={"device": "Invented GPU", "cpu": "Invented CPU", "threads": 1})
    built = table(made.folder)
    assert built is not None
    assert "those on the CPU alone. Times of different machines are not comparable." in built.shown_notes[-1]


def test_the_protocol_leaves_out_what_has_no_settings(synthetic: Make):
    made = synthetic(("vq_vae",), sizes=(256,), seeds=1, artefacts=False)
    made.edit_plan(protocol={"training": {"steps": 1000}, "evaluation": {"features": None, "lpips": []}})
    built = table(made.folder)
    assert built is not None
    assert "Protocol: training steps 1,000." in built.shown_notes


def test_what_most_arms_of_a_method_have_in_common_is_said_once(synthetic: Make):
    names = ("plain", "deep", "wide", "both")
    made = synthetic(tuple((name, "simvq") for name in names), sizes=(256,), seeds=1, artefacts=False)
    params = (
        {"layers": 1, "scale": 1.0},
        {"layers": 2, "scale": 1.0},
        {"layers": 1, "scale": 10.0},
        {"layers": 1, "scale": 1.0},
    )
    made.edit_plan(arms=[{**arm, "params": p} for arm, p in zip(made.plan["arms"], params, strict=True)])
    built = table(made.folder)
    assert built is not None
    own = "`plain` is `simvq`; `deep` is `simvq` with layers 2; `wide` is `simvq` with scale 10; `both` is `simvq`"
    assert f"Arms: {own}; otherwise `simvq` has layers 1, scale 1." in built.shown_notes


def test_what_differs_of_an_arm_at_some_points_is_said(synthetic: Make):
    made = synthetic(("vq_vae",), sizes=(256,), seeds=1, artefacts=False)
    arms = [
        {**made.plan["arms"][0], "at": [{"dataset.shift": 8, "params": {"beta": 1.0}, "training": {"steps": 2000}}]}
    ]
    made.edit_plan(arms=arms)
    built = table(made.folder)
    assert built is not None
    assert "Arms: `vq_vae` (at dataset.shift 8: beta 1, steps 2,000)." in built.shown_notes
