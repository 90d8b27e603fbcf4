import json
from dataclasses import replace

import pandas as pd
import pytest
import torch

from benchmark.perf import __main__ as program
from benchmark.perf import measurements, plot, timing, trained
from benchmark.perf.cases import Shape
from benchmark.perf.memory import Peak
from benchmark.perf.report import Report
from benchmark.perf.timing import Effort


@pytest.fixture
def small(monkeypatch, short_trainings):
    """The whole program on shapes that take no time, with some methods: all take a step in test_contenders.py."""
    shapes = (Shape(98, 16, 4), Shape(98, 32, 4))
    some = [group for group in program.GROUPS.values() if not group.name.endswith(("codebook_reset", "cvq_vae"))]
    groups = {group.name: replace(group, quick_shapes=shapes) for group in some}
    search = groups["search"].contenders
    greedy = replace(search[4], needs=lambda shape: 1e9 * shape.size)
    contenders = (*search[:4], greedy, *search[5:])
    groups["search"] = replace(groups["search"], quick_shapes=(*shapes, Shape(49, 32, 4)), contenders=contenders)
    monkeypatch.setattr(program, "GROUPS", groups)
    monkeypatch.setattr(plot, "STEPS", [group for group in some if group.kind == "step"])
    monkeypatch.setattr(program, "images", trained.images)
    monkeypatch.setattr(program, "measure_report", lambda seeds: Report(1000 * seeds, 0.25, 0.5, 4.0))
    monkeypatch.setattr(program, "QUICK", Effort(0.0, fewest=2, most=2))
    monkeypatch.setattr(timing, "_SHORTEST", 0.0)
    monkeypatch.setattr(measurements, "peak_memory", lambda group, name, shape, device: Peak(500.0, 7.0))


def test_writes_tables_plots_and_provenance(small, tmp_path, capsys):
    assert program.main(["--quick", "--device", "cpu", "--output", str(tmp_path)]) == 0
    folder = tmp_path / "cpu"
    frame = pd.read_csv(folder / "measurements.csv")
    assert len(frame) == sum(len(group.quick_shapes) * len(group.contenders) for group in program.GROUPS.values())
    assert set(frame["group"]) == set(program.GROUPS)
    measured = frame[frame["left_out"].isna()]
    assert (measured["seconds"] > 0).all()
    assert (frame[frame["contender"] == "this project"]["ratio"] == 1.0).all()
    assert frame[frame["contender"] == "formula, argmin"]["left_out"].eq("would need 16 GB").sum() == 1

    page = (folder / "perf.md").read_text()
    for title in (
        "Search for the nearest codeword in trained codebooks",
        "Quantizer step",
        "Whole training step",
        "Growth",
        "Report",
    ):
        assert f"## {title}" in page
    assert "formula, argmin left out: would need 16 GB (search: N = 98, K = 16, D = 4)" in page
    assert "matrix product alone, TF32 left out: needs a GPU\n" in page
    assert "7 (500)" in page
    assert page.splitlines()[-1].replace(" ", "") == "|3,000|0.25|0.50|4.00|"
    assert "for a history of 25 points" in page
    assert f"{torch.get_num_threads()} threads" in page
    assert json.loads((folder / "provenance.json").read_text())["quick"] is True
    for name in ("search.png", "search.pdf", "steps.png", "steps.pdf", "trained.png", "growth.csv"):
        assert (folder / name).stat().st_size > 100
    assert str(folder / "perf.md") in capsys.readouterr().out


def test_what_is_aimed_at_is_measured_in_fifteen_rounds(monkeypatch, tmp_path):
    fewest = {}

    def measure(group, shape, device, effort, say):
        fewest[group.kind] = effort.fewest
        return []

    monkeypatch.setattr(program, "measure_shape", measure)
    for name in ("images", "measure_report", "write_tables", "write_plots"):
        monkeypatch.setattr(program, name, lambda *given: None)
    assert program.main(["--device", "cpu", "--output", str(tmp_path)]) == 0
    assert fewest == {"search": 3, "trained": 15, "step": 3, "training": 15}
    assert program.main(["--device", "cpu", "--output", str(tmp_path), "--quick", "--rounds", "4"]) == 0
    assert set(fewest.values()) == {4}


@pytest.mark.parametrize(("device", "message"), [("gpu", "is no device"), ("meta", "only cpu and cuda")])
def test_a_wrong_device_is_one_sentence(device, message, capsys, tmp_path):
    assert program.main(["--device", device, "--output", str(tmp_path)]) == 2
    assert message in capsys.readouterr().err
