"""The codec path is right: overfitted on one minute of speech, without quantization, it sounds nearly like it."""

from pathlib import Path

import pytest
import torch

from benchmark.suite.plan import plan_suite
from benchmark.worker.execution import execute
from benchmark.worker.job import Job


@pytest.mark.slow
def test_one_minute_of_speech_is_learnt_by_heart(tmp_path: Path) -> None:
    """Some ten minutes of one core; fetches the speech of `festvox_ru` where it is not at hand."""
    [run] = plan_suite("audio_overfit", methods=["no_quantization"]).runs
    outcome = execute(Job(run, str(tmp_path), "cpu", threads=1), tmp_path, torch.device("cpu"))
    assert outcome["status"] == "ok", outcome["traceback"]
    assert outcome["details"]["pesq"]["clips"] == 20
    assert outcome["metrics"]["pesq"] > 2
