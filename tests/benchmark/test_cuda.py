"""Whole runs on a GPU: from the command line to the record, and the same record again."""

import json

import pytest
import torch

from benchmark.cli import main

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="PyTorch sees no GPU here")


def ends(*arguments):
    with pytest.raises(SystemExit) as end:
        main([*arguments])
    return end.value.code


def test_a_suite_runs_and_verifies(tmp_path, capsys):
    arguments = ["--device", "cuda", "--results", str(tmp_path)]
    methods = ["vq_vae_ema", "simvq"]
    settings = ["--methods", ",".join(methods), "--set", "training.deterministic=true", "--jobs", "2"]
    assert ends("run", "smoke", *settings, *arguments) == 0, capsys.readouterr()
    made = {file.parent.name: json.loads(file.read_text()) for file in tmp_path.glob("smoke@*/runs/*/record.json")}
    assert len(made) == len(methods)
    for record in made.values():
        assert record["status"] == "ok", record["reason"]
        assert record["provenance"]["device"] == torch.cuda.get_device_name()
        assert record["memory"]["peak_cuda_mb"] > 0
    key = next(key for key in made if key.startswith("simvq"))
    assert ends("verify", key, *arguments) == 0, capsys.readouterr()
