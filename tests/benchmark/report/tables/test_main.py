"""The main table of invented results: exact cells."""

import json
import math
import re
from collections.abc import Callable

import numpy as np
import pytest
from reported import table

Make = Callable[..., "SyntheticResults"]  # noqa: F821 - of conftest.py, which is no module


T_2 = 4.302652729749


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


def test_one_size_keeps_the_floor_apart(synthetic: Make):
    built = table(synthetic(("vq_vae", "no_quantization"), sizes=(256,), seeds=1, artefacts=False).folder)
    assert built is not None
    assert [(len(block.rows), block.heading.split(" ·")[0]) for block in built.blocks] == [
        (1, "Codebook size 256"),
        (1, "Any codebook size"),
    ]


def test_memory_of_device_and_process_have_columns_of_their_own(synthetic: Make):
    made = synthetic(("vq_vae", "simvq"), sizes=(256,), seeds=1, artefacts=False)
    made.edit("simvq", 256, 0, memory={"peak_rss_mb": 900.0, "peak_cuda_mb": 1234.0})
    built = table(made.folder)
    assert built is not None
    assert built.columns[-4:] == ["Peak memory, MB", "Peak GPU memory, MB", "Rate", "n"]
    assert [cell.text for cell in built.blocks[0].rows[1][-4:]] == ["900", "1,234", "0.001", "1"]
    assert built.blocks[0].rows[0][-3].text == "–"
