"""A run whose data are not, or no longer, those that its key names leaves no record under that key."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from benchmark.records.store import Store
from benchmark.suite.plan import plan_suite
from benchmark.worker.__main__ import work
from benchmark.worker.execution import ChangedError
from benchmark.worker.job import Job


def test_data_that_change_during_a_sweep_leave_no_record(
    tiny: dict[str, Any], images: Path, write_suite: Callable[[dict[str, object]], str], tmp_path: Path
) -> None:
    own = Path(shutil.copytree(images, tmp_path / "images"))
    first, second = plan_suite(write_suite({**tiny, "dataset": {**tiny["dataset"], "path": str(own)}})).runs
    store = Store(tmp_path / "results")
    work(Job(first, str(store.folder), "cpu", 1))
    assert store.record(first.key)["status"] == "ok"
    Image.open(own / "00.png").rotate(90).save(own / "00.png")
    with pytest.raises(ChangedError, match="^the files of data set `image_folder` were changed since the run was pl"):
        work(Job(second, str(store.folder), "cpu", 1))
    assert not store.record_path(second.key).exists()
