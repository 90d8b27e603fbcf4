"""The tables of invented results: exact cells, marks, and every gap explained."""

import json
import math
import re
from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from benchmark.report.frame import read
from benchmark.report.grid import Grid
from benchmark.report.selection import selected
from benchmark.report.table import Table
from benchmark.report.tables import TABLES, metrics_by_size

Make = Callable[..., "SyntheticResults"]  # noqa: F821 - of conftest.py, which is no module
T_2 = 4.302652729749


def table(folder, name: str = "main") -> Table | None:
    results = read(folder)
    return TABLES[name](Grid(results))


def rows(built: Table | None) -> dict[tuple[str, str], list[str]]:
    """Cells as Markdown by heading of the block and first cell without its marks."""
    assert built is not None
    return {
        (block.heading, re.sub(r"<sup>.*</sup>", "", row[0].markdown())): [cell.markdown() for cell in row]
        for block in built.blocks
        for row in block.rows
    }


def test_mean_and_half_width_of_three_seeds(synthetic: Make):
    made = synthetic(("vq_vae",), sizes=(1024,), artefacts=False)
    made.set_metric("vq_vae", 1024, "usage", [0.05, 0.06, 0.07])
    made.set_metric("vq_vae", 1024, "perplexity", [30.0, 37.0, 41.0])
    built = table(made.folder)
    assert built is not None
    [[_, usage, perplexity, *_, n]] = built.blocks[0].rows
    assert built.columns[1:3] == ["Usage, %", "Perplexity"]
    assert usage.text == f"6.0 ± {100 * T_2 * 0.01 / math.sqrt(3):.1f}" == "6.0 ± 2.5"
    assert perplexity.text == f"36.0 ± {T_2 * np.std([30, 37, 41], ddof=1) / math.sqrt(3):.1f}"
    assert n.text == "3"
    assert built.data["usage_half_width"][0] == pytest.approx(T_2 * 0.01 / math.sqrt(3), rel=1e-9)


def test_one_seed_has_no_interval(synthetic: Make):
    built = table(synthetic(("vq_vae", "simvq"), sizes=(256,), seeds=1, artefacts=False).folder)
    assert built is not None
    assert "±" not in "".join(cell.text for block in built.blocks for row in block.rows for cell in row)
    assert any("no interval" in note for note in built.shown_notes)
    assert not any(cell.bold for block in built.blocks for row in block.rows for cell in row)


def test_headings_state_tokens_and_ceiling(synthetic: Make):
    built = table(synthetic(("vq_vae",), sizes=(256, 65536), artefacts=False).folder)
    assert built is not None
    assert [block.heading for block in built.blocks] == [
        "Codebook size 256 · N = 25,600 test tokens · usage ceiling 100.0 %",
        "Codebook size 65,536 · N = 25,600 test tokens · usage ceiling 32.3 %",
    ]


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


def test_how_far_from_done_is_a_number_with_its_interval(synthetic: Make):
    made = synthetic(("vq_vae", "simvq"), sizes=(256,), artefacts=False)
    steps = np.arange(1, 26) * 40
    for seed, gain in enumerate((0.5, 0.7, 0.6)):
        made.write_history("vq_vae", 256, seed, list(10 ** (-gain * np.log2(steps) / 10)))
    built = table(made.folder)
    assert built is not None
    gain = built.columns.index("Gain, dB a doubling")
    assert [row[gain].text for row in built.blocks[0].rows] == [f"0.60 ± {T_2 * 0.1 / math.sqrt(3):.2f}", "–"]
    assert not any(row[gain].bold for row in built.blocks[0].rows)
    [note] = [note for note in built.shown_notes if note.startswith("Gain: ")]
    assert "a small gain is no proof of convergence" in note
    assert "`training_length`" in note
    assert built.data["gain_db_per_doubling"][0] == pytest.approx(0.6)


def test_old_records_without_a_history_have_no_gain(synthetic: Make):
    made = synthetic(("vq_vae",), sizes=(256,), artefacts=False)
    made.edit("vq_vae", 256, 0, converged=False)  # as records had it once
    built = table(made.folder)
    assert built is not None
    assert "Gain, dB a doubling" not in built.columns
    assert built.blocks[0].rows[0][0].marks == ""
    assert built.blocks[0].rows[0][-1].text == "3"


def test_the_rate_that_was_used_is_printed(synthetic: Make):
    made = synthetic(("vq_vae", "simvq", "cvq_vae", "no_quantization"), sizes=(256,), seeds=1, artefacts=False)
    for arm, rate in (("vq_vae", 3e-3), ("simvq", 3e-4), ("no_quantization", 0.01)):
        config = json.loads(made.record_path(arm, 256, 0).read_text())["config"]
        made.edit(arm, 256, 0, config={**config, "training": {**config["training"], "learning_rate": rate}})
    made.edit("simvq", 256, 0, status="diverged", reason="the loss was not finite", metrics={})
    made.record_path("cvq_vae", 256, 0).unlink()
    built = table(made.folder)
    assert built is not None
    assert built.columns[-2:] == ["Rate", "n"]
    shown = [[cell.text for cell in row[-2:]] for block in built.blocks for row in block.rows]
    assert shown == [["0.003", "1"], ["0.0003", "0"], ["", "0"], ["0.01", "1"]]
    assert built.data["learning_rate"].tolist() == ["0.003", "0.0003", "", "0.01"]


def test_the_rate_stands_in_the_headings_where_it_is_an_axis(synthetic: Make):
    made = synthetic(("vq_vae",), sizes=(256,), seeds=1, artefacts=False)
    axis = "training.learning_rate"
    made.edit_plan(axes={axis: [1e-3]}, cells=[{**cell, "point": {axis: 1e-3}} for cell in made.plan["cells"]])
    built = table(made.folder)
    assert built is not None
    assert "Rate" not in built.columns


def test_usage_of_the_training_set(synthetic: Make):
    made = synthetic(("vq_vae", "simvq"), sizes=(256, 65536), artefacts=False)
    for size, tokens in ((256, 2_695_000), (65536, 110_000)):
        for name, value in (("usage_train", 0.95), ("tokens_train", tokens), ("hit_once_train", 0.025)):
            made.set_metric("vq_vae", size, name, [value] * 3)
        made.set_metric("vq_vae", size, "ceiling_train", [1 - (1 - 1 / size) ** tokens] * 3)
    made.set_metric("vq_vae", 256, "usage_tenth_train", [0.5] * 3)
    made.set_metric("vq_vae", 65536, "usage_tenth_train", [None] * 3)  # a tenth of a uniform share is below 2 tokens
    built = table(made.folder)
    assert built is not None
    names = ["Usage (training), %", "Used at a tenth (training), %", "Hit once (training), %"]
    assert built.columns[1:6] == ["Usage, %", "Perplexity", *names]
    assert [cell.text for cell in built.blocks[0].rows[0][3:6]] == ["95.0 ± 0.0", "50.0 ± 0.0", "2.5 ± 0.0"]
    assert [cell.text for cell in built.blocks[1].rows[0][3:6]] == ["95.0 ± 0.0", "–", "2.5 ± 0.0"]
    assert [cell.text for cell in built.blocks[0].rows[1][3:6]] == ["–"] * 3
    assert built.blocks[0].heading.endswith(" · N = 2,695,000 training tokens, ceiling 100.0 %")
    assert built.blocks[1].heading.endswith(" · N = 110,000 training tokens, ceiling 81.3 %")

    by_size = table(made.folder, "usage_by_size")
    assert by_size is not None
    headings = ["Usage, % / Perplexity", "Usage (training), % / Used at a tenth (training), %"]
    assert [block.heading for block in by_size.blocks] == headings
    assert [cell.text for cell in by_size.blocks[1].rows[0][1:]] == ["95.0 ± 0.0 / 50.0 ± 0.0", "95.0 ± 0.0 / –"]
    assert any("at least a tenth of a uniform share" in note for note in by_size.shown_notes)


def test_usage_a_level_beside_the_joint_one(synthetic: Make):
    made = synthetic(("residual_vq", "simvq"), sizes=(256,), seeds=2, artefacts=False)
    for level, usage in enumerate(([1.0, 1.0], [0.98, 0.988], [0.05, 0.061]), 1):
        made.set_metric("residual_vq", 256, f"usage_level_{level}", usage)
    built = table(made.folder)
    assert built is not None
    assert built.columns[1:4] == ["Usage, %", "Perplexity", "Usage a level, %"]
    assert [row[3].text for row in built.blocks[0].rows] == ["100 · 98.4 · 5.55", "–"]
    assert built.data["usage_levels"].tolist() == ["1 0.984 0.0555", ""]


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


def test_a_method_without_codes_shows_a_dash_and_stands_apart(synthetic: Make):
    built = table(synthetic(("no_quantization", "vq_vae"), sizes=(256, 1024), artefacts=False).folder)
    assert built is not None
    assert built.blocks[-1].heading == "Any codebook size"
    [row] = built.blocks[-1].rows
    assert [cell.text for cell in row[:3]] == ["reference: `no_quantization`", "–", "–"]
    assert re.fullmatch(r"[\d.]+ ± [\d.]+", row[built.columns.index("PSNR, dB ↑")].text)


def test_a_sized_reference_comes_last_in_its_block(synthetic: Make):
    built = table(synthetic(("kmeans", "vq_vae", "simvq"), sizes=(256,), artefacts=False).folder)
    assert built is not None
    assert [row[0].text for row in built.blocks[0].rows] == ["`vq_vae`", "`simvq`", "reference: `kmeans`"]


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
        notes.append(next(note for note in built.shown_notes if "uned" in note))
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


def test_one_size_keeps_the_floor_apart(synthetic: Make):
    built = table(synthetic(("vq_vae", "no_quantization"), sizes=(256,), seeds=1, artefacts=False).folder)
    assert built is not None
    assert [(len(block.rows), block.heading.split(" ·")[0]) for block in built.blocks] == [
        (1, "Codebook size 256"),
        (1, "Any codebook size"),
    ]


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


def test_memory_of_device_and_process_have_columns_of_their_own(synthetic: Make):
    made = synthetic(("vq_vae", "simvq"), sizes=(256,), seeds=1, artefacts=False)
    made.edit("simvq", 256, 0, memory={"peak_rss_mb": 900.0, "peak_cuda_mb": 1234.0})
    built = table(made.folder)
    assert built is not None
    assert built.columns[-4:] == ["Peak memory, MB", "Peak GPU memory, MB", "Rate", "n"]
    assert [cell.text for cell in built.blocks[0].rows[1][-4:]] == ["900", "1,234", "0.001", "1"]
    assert built.blocks[0].rows[0][-3].text == "–"


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
    made.edit_plan(protocol={"training": {"steps": 1000}, "evaluation": {}})
    built = table(made.folder)
    assert built is not None
    assert "Protocol: training steps 1,000." in built.shown_notes


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


def test_nothing_run_yet_still_gives_a_table(synthetic: Make):
    made = synthetic(("vq_vae", "simvq"), sizes=(256, 1024), seeds=1, artefacts=False)
    for path in made.folder.glob("runs/*/record.json"):
        path.unlink()
    built = table(made.folder)
    assert built is not None
    assert "not run yet" in built.markdown()
    assert table(made.folder, "comparison") is None


def test_what_differs_of_an_arm_at_some_points_is_said(synthetic: Make):
    made = synthetic(("vq_vae",), sizes=(256,), seeds=1, artefacts=False)
    arms = [
        {**made.plan["arms"][0], "at": [{"dataset.shift": 8, "params": {"beta": 1.0}, "training": {"steps": 2000}}]}
    ]
    made.edit_plan(arms=arms)
    built = table(made.folder)
    assert built is not None
    assert "Arms: `vq_vae` (at dataset.shift 8: beta 1, steps 2,000)." in built.shown_notes
