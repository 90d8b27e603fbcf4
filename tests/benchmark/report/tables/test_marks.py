"""Marks in cells and headings: best, unverified, incomplete, unpromised."""

from collections.abc import Callable

import pandas as pd
from reported import rows, table

from benchmark.report.frame import read
from benchmark.report.grid import Grid
from benchmark.report.selection import selected
from benchmark.report.tables import TABLES

Make = Callable[..., "SyntheticResults"]  # noqa: F821 - of conftest.py, which is no module


def test_every_gap_is_explained(synthetic: Make):
    made = synthetic(("vq_vae", "cvq_vae", "sq_vae", "simvq"), sizes=(256, 4096), artefacts=False)
    made.make_unavailable("sq_vae", 4096, "`sq_vae` is declared up to 1,024 codes on a CPU")
    made.edit("cvq_vae", 4096, 1, status="diverged", reason="the loss was not finite at step 120", metrics={})
    for seed in range(3):
        made.edit("vq_vae", 256, seed, status="out_of_memory", reason="out of memory\nsecond line", metrics={})
        made.record_path("vq_vae", 4096, seed).unlink()
    made.record_path("simvq", 4096, 0).write_text('{"schema": 1')
    built = table(made.folder)
    assert built is not None
    small, large = (block.heading for block in built.blocks)
    cells = rows(built)
    assert cells[small, "`vq_vae`"][:3] == ["`vq_vae`<sup>a</sup>", "out of memory", ""]
    assert cells[large, "`vq_vae`"][:2] == ["`vq_vae`", "not run yet"]
    assert cells[large, "`cvq_vae`"][0] == "`cvq_vae`<sup>b</sup>"
    assert cells[large, "`cvq_vae`"][-1] == "2"
    assert cells[large, "`sq_vae`"][:2] == ["`sq_vae`<sup>†,c</sup>", "unavailable"]
    assert cells[large, "`simvq`"][0] == "`simvq`<sup>d</sup>"
    assert built.shown_notes[:4] == [
        "(a) out of memory: out of memory",
        "(b) 1 of 3 diverged: the loss was not finite at step 120",
        "(c) unavailable: `sq_vae` is declared up to 1,024 codes on a CPU",
        "(d) 1 of 3 not run yet",
    ]
    missing = built.data.set_index(["arm", "codebook_size"])["missing"]
    assert missing["cvq_vae", 4096] == "1 of 3 diverged: the loss was not finite at step 120"
    assert pd.isna(missing["simvq", 256])


def test_marks_of_unverified_and_of_a_run_that_ends_above_its_own_best(synthetic: Make):
    made = synthetic(("vq_vae", "sq_vae"), sizes=(256, 1024), artefacts=False)
    made.write_history("vq_vae", 1024, 2, [1.0, 0.5, 0.1, 0.1 * 10**0.0101])
    made.write_history("vq_vae", 1024, 1, [1.0, 0.5, 0.2, 0.1])
    made.write_history("sq_vae", 256, 0, [1.0, 0.5, 0.1, 0.1 * 10**0.0099])
    built = table(made.folder)
    firsts = [row[0] for row in rows(built).values()]
    assert firsts == ["`vq_vae`", "`sq_vae`<sup>†</sup>", "`vq_vae`<sup>‡</sup>", "`sq_vae`<sup>†</sup>"]
    assert built is not None
    said = "‡ a run of the arm ends more than 0.1 dB above its own best"
    assert any(note.startswith(said) for note in built.shown_notes)
    assert "converged" not in built.markdown()


def test_an_arm_that_is_not_the_whole_method_is_shown_and_not_ranked(synthetic: Make):
    arms = ("vq_vae", "simvq", ("hqa_layer", "hqa"))
    made = synthetic(arms, sizes=(256,), artefacts=False)
    assert Grid(read(made.folder)).remedies == ["vq_vae", "simvq", "hqa_layer"]  # a plan from before the flag
    made.edit_plan(arms=[{**arm, **({"ranked": False} if arm["method"] == "hqa" else {})} for arm in made.plan["arms"]])
    results = read(made.folder)
    grid = Grid(results)
    assert grid.remedies == ["vq_vae", "simvq"]
    built = TABLES["main"](grid)
    assert built is not None
    assert [row[0].text for row in built.blocks[0].rows] == ["`vq_vae`", "`simvq`", "`hqa_layer`"]
    assert (
        "Neither ranked nor marked best, since what is here is not the whole method of its paper: `hqa_layer`."
        in built.shown_notes
    )
    made.edit_plan(arms=[arm for arm in made.plan["arms"] if arm["method"] == "hqa"])
    made.edit_plan(cells=[cell for cell in made.plan["cells"] if cell["arm"] == "hqa_layer"])
    built = table(made.folder)
    assert built is not None
    assert "N = 25,600 test tokens" in built.blocks[0].heading


def test_a_choice_at_the_end_of_what_was_tried_is_marked(synthetic: Make):
    made = synthetic(("simvq", "vq_vae"), sizes=(256,), seeds=1, artefacts=False)
    [simvq, vq_vae] = made.plan["arms"]
    simvq |= {"tuned": {"learning_rate": 0.01, "beta": 1.0}, "at_end": ["learning_rate"]}
    made.edit_plan(tuned="nine trials", arms=[simvq, vq_vae])
    results = read(made.folder)
    text = TABLES["main"](Grid(results)).markdown()
    assert "`simvq`<sup>§</sup>" in text
    assert "`vq_vae`<sup>" not in text
    assert "may lie beyond: `simvq` learning_rate." in text
    assert r"\textsuperscript{\S{}}" in TABLES["main"](Grid(results)).latex()


def test_what_an_arm_does_not_promise_is_a_note_where_it_is_shown(synthetic: Make):
    made = synthetic(("simvq", "vq_vae"), sizes=(256, 1024), seeds=1, artefacts=False)
    [simvq, vq_vae] = made.plan["arms"]
    made.edit_plan(arms=[simvq | {"not_promised": ["other codes in evaluation", "processes differ"]}, vq_vae])
    note = "Not promised, as the method itself says: `simvq`: other codes in evaluation, processes differ."
    results = read(made.folder)
    for name in ("main", "usage_by_size"):
        assert note in TABLES[name](Grid(results)).markdown()
        assert "Not promised" not in TABLES[name](Grid(selected(results, ["vq_vae"], None))).markdown()


def test_what_is_not_as_published_is_said_once_of_all_arms_that_have_it(synthetic: Make):
    made = synthetic(("sq_vae", "simvq", ("other", "sq_vae")), sizes=(256, 1024), seeds=1, artefacts=False)
    said = {"not_as_published": "its temperature falls faster"}
    made.edit_plan(arms=[arm if arm["arm"] == "simvq" else arm | said for arm in made.plan["arms"]])
    results = read(made.folder)
    for name in ("main", "usage_by_size", "distortion_by_size"):
        assert (
            "- Not as published: `sq_vae`, `other`: its temperature falls faster."
            in TABLES[name](Grid(results)).markdown().splitlines()
        )
        assert "as published" not in TABLES[name](Grid(selected(results, ["simvq"], None))).markdown()


def test_only_distortion_is_marked_best_and_only_beyond_chance(synthetic: Make):
    made = synthetic(("vq_vae", "simvq", "no_quantization"), sizes=(256, 1024), artefacts=False)
    made.edit_plan(tuned="9 trials an arm")
    made.set_metric("vq_vae", 256, "ssim", [0.80, 0.81, 0.82])
    made.set_metric("simvq", 256, "ssim", [0.90, 0.91, 0.921])
    made.set_metric("vq_vae", 256, "quantization_error", [0.30, 0.50, 0.40])
    made.set_metric("simvq", 256, "quantization_error", [0.29, 0.41, 0.42])
    for arm, usage in (("vq_vae", 0.1), ("simvq", 0.9)):
        made.set_metric(arm, 256, "usage", [usage, usage + 0.001, usage + 0.002])
    built = table(made.folder)
    assert built is not None
    bold = {
        (row[0].text, column)
        for row in built.blocks[0].rows
        for cell, column in zip(row, built.columns, strict=True)
        if cell.bold
    }
    assert ("`simvq`", "SSIM ↑") in bold
    assert {column for _, column in bold}.isdisjoint({"Usage, %", "Perplexity", "Training, s", "Quantization error ↓"})
    assert all("no_quantization" not in arm for arm, _ in bold)
