"""Arms that are evaluated and not trained: their keys, their records, and what can't be."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from benchmark.models import models
from benchmark.pretrained.families import FAMILIES
from benchmark.records.store import Store
from benchmark.report.frame import read
from benchmark.suite.plan import plan_suite
from benchmark.suite.plan_file import write_plan
from benchmark.suite.tuning import Tuner
from benchmark.worker.__main__ import work
from benchmark.worker.job import Job
from methods import UsageError, create

Write = Callable[[dict[str, object] | str], str]
TINY = {"channels": 4, "multipliers": [1, 2], "latent_dim": 6}


def checkpoint(path: Path, seed: int) -> None:
    torch.manual_seed(seed)
    state = dict(models.create("simvq", TINY, item_shape=(3, 16, 16)).state_dict())
    quantizer = create("simvq", 16, 6).state_dict()
    torch.save({"state_dict": {**state, **{v: quantizer[k] for k, v in FAMILIES["simvq"].quantizer.items()}}}, path)


@pytest.fixture
def released(tiny: dict[str, Any], tmp_path: Path) -> dict[str, Any]:
    checkpoint(tmp_path / "of_16.ckpt", 0)
    arm = {"arm": "released", "method": "simvq", "pretrained": f"{tmp_path}/of_{{codebook_size}}.ckpt"}
    changed = {
        "model": {"name": "simvq", **TINY},
        "grid": {"codebook_size": [16, 32]},
        "methods": [arm],
        "training": {},
    }
    return {**tiny, **changed, "seeds": 1}


def test_a_checkpoint_is_evaluated_and_nothing_trained(
    released: dict[str, Any], write_suite: Write, tmp_path: Path
) -> None:
    plan = plan_suite(write_suite(released))
    (run,) = plan.runs
    assert run.config["training"] == {"steps": 0, "precision": "fp32"}
    assert [cell.unavailable for cell in plan.cells if cell.run is None] == [
        f"there is no checkpoint {tmp_path}/of_32.ckpt, which `pretrained` of arm `released` names"
    ]
    store = Store(tmp_path / "results")
    work(Job(run, str(store.folder), "cpu", 1))
    record = store.record(run.key)
    assert record is not None
    assert record["status"] == "ok", record["traceback"]
    assert record["metrics"]["tokens"] == 64 * record["metrics"]["n_images"]
    assert record["timings"].keys().isdisjoint({"train_seconds"})
    assert record["provenance"]["pretrained"]["family"] == "SimVQ's repository"
    assert "history.csv" not in record["files"]
    write_plan(plan, store)
    [row] = read(store.folder).runs.to_dict("records")
    assert row["learning_rate"] is None  # and no default that nothing was trained at


def test_a_key_names_the_content_of_the_checkpoint(
    released: dict[str, Any], write_suite: Write, tmp_path: Path
) -> None:
    def key() -> str:
        return plan_suite(write_suite(released)).runs[0].key

    before = key()
    (tmp_path / "of_16.ckpt").rename(tmp_path / "moved_16.ckpt")
    released["methods"][0]["pretrained"] = f"{tmp_path}/moved_{{codebook_size}}.ckpt"
    assert key() == before
    checkpoint(tmp_path / "moved_16.ckpt", 1)
    assert key() != before


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"method": "vq_vae"}, "those of SimVQ's repository with the method `simvq`; not with `vq_vae`"),
        ({"training": {"learning_rate": 0.1}}, "is read from a checkpoint and not trained; leave out its `training`"),
    ],
)
def test_what_cannot_be_read(
    change: dict[str, Any], message: str, released: dict[str, Any], write_suite: Write
) -> None:
    released["methods"][0] |= change
    with pytest.raises(UsageError, match=message):
        plan_suite(write_suite(released))


def test_beside_arms_that_are_trained_a_run_has_a_length(released: dict[str, Any], write_suite: Write) -> None:
    released["methods"].append("vq_vae")
    with pytest.raises(UsageError, match="the key `training.steps` is missing"):
        plan_suite(write_suite(released))


def test_a_discriminator_wants_batches(released: dict[str, Any], write_suite: Write) -> None:
    released |= {"methods": ["simvq"], "objective": "perceptual_adversarial", "training": {"steps": 2, "batch_size": 1}}
    with pytest.raises(UsageError, match=r"needs batches of at least 2, .*; arm `simvq` has a batch_size of 1"):
        plan_suite(write_suite(released))


def test_what_is_not_trained_is_not_tuned(released: dict[str, Any], write_suite: Write) -> None:
    released |= {"methods": [*released["methods"], "vq_vae"], "training": {"steps": 2}}
    assert list(Tuner(write_suite(released), {}, [], "cpu").arms) == ["vq_vae"]
