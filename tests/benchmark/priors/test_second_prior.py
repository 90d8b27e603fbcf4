"""A second prior on every tokenizer: planned, trained and kept beside the first; mistakes."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from benchmark.records.plan import read_plan
from benchmark.records.record import read_record
from benchmark.records.store import Store
from benchmark.suite.plan import Plan
from benchmark.suite.plan_file import write_plan
from benchmark.sweep.launching import prepare
from benchmark.sweep.runner import Outcome
from methods import UsageError

pytest.importorskip("x_transformers", reason="needs x-transformers, of the extra [generation]")
FIRST = {"name": "transformer", "layers": 1, "width": 8, "heads": 2}
"""Of the suite that is changed."""
SECOND = {"prior": {"name": "pixelcnn", "layers": 1, "width": 8, "head": 8}}


def test_a_second_prior_on_every_tokenizer(
    second_stage: Callable[..., Plan], tmp_path: Path, run: Callable[[Plan, Store], Outcome]
) -> None:
    spread = {"arms": ["vq_vae"], "seeds": 2}
    methods = ["vq_vae", "simvq", "no_quantization"]
    without = second_stage({"spread": spread}, methods=methods)
    plan = second_stage({"spread": spread, "second": SECOND}, methods=methods)
    assert plan.runs[: len(without.runs)] == without.runs  # the keys of all others stay, and their turn
    second = plan.runs[len(without.runs) :]
    assert [made.key for made in second] == [prior.run.key for prior in plan.second if prior.run is not None]
    assert [(prior.arm, prior.prior_seed, prior.run is not None) for prior in plan.second] == [
        *(("vq_vae", 0, True), ("simvq", 0, True), ("no_quantization", 0, False)),
    ]
    first = without.priors[0].run
    assert first is not None
    assert second[0].config == first.config | {"prior": {"name": "pixelcnn", "version": 1, **_sizes(1, 8, 8)}}

    store = Store(tmp_path / "results")
    assert run(plan, store).failed == []
    assert read_record(store.record_path(second[0].key))["metrics"]["nll"] > 0
    assert len(run(plan, store).skipped) == len(plan.runs)
    write_plan(plan, store)
    some = second_stage({"second": SECOND}, methods=["simvq"])
    write_plan(some, store)
    written = read_plan(store.folder / "plan.json")
    assert [prior["key"] for prior in written["second"]["priors"]] == [second[1].key, second[0].key]  # one is kept
    assert written["second"]["generation"]["prior"]["name"] == "pixelcnn"
    assert written["generation"]["prior"]["name"] == "transformer"


def _sizes(layers: int, width: int, head: int) -> dict[str, int]:
    return {"layers": layers, "width": width, "head": head}


def test_a_second_prior_shares_all_but_what_it_says(second_stage: Callable[..., Plan]) -> None:
    training = {"steps": 9, "batch_size": 4, "timeout": 7.0}
    plan = second_stage({"second": {**SECOND, "training": training}}, methods=["vq_vae"])
    first, second = (cells[0].run for cells in (plan.priors, plan.second))
    assert first is not None
    assert second is not None
    assert (second.steps, second.config["training"]["batch_size"], second.timeout) == (9, 4, 7.0)
    assert (first.steps, first.timeout) == (4, None)
    shared = ("classes", "sampling", "features", "seed", "tokenizer")
    assert [second.config[name] for name in shared] == [first.config[name] for name in shared]
    longer = second_stage({"second": {"prior": FIRST, "training": {"steps": 9}}}, methods=["vq_vae"])
    assert longer.second[0].run is not None


def test_a_grid_that_a_prior_can_not_model_is_said_before_hours_of_training(
    second_stage: Callable[..., Plan], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = second_stage({"second": SECOND}, methods=["vq_vae"])
    prepare(plan)

    def flat(*arguments: Any) -> SimpleNamespace:
        return SimpleNamespace(model=SimpleNamespace(positions=(16,)))

    monkeypatch.setattr("benchmark.priors.evaluation.build_system", flat)
    with pytest.raises(UsageError, match="prior `pixelcnn` needs codes on a grid of two axes, not of 1"):
        prepare(plan)
    prepare(second_stage(methods=["vq_vae"]))  # the transformer takes any


@pytest.mark.parametrize(
    ("generation", "sentence"),
    [
        (
            {"second": {"prior": FIRST}},
            "`second` is the first prior again, `transformer` trained the same",
        ),
        ({"second": {"prior": "native"}}, "`second` must have one softmax for all codes where the first prior has"),
        ({"second": {"prior": "pixelcn"}}, "unknown prior `pixelcn` (did you mean `pixelcnn`?)"),
        ({"second": {"prior": "pixelcnn", "layers": 2}}, "unknown key `generation.second.layers`"),
        ({"second": {}}, "the key `generation.second.prior` is missing"),
        ({"second": {**SECOND, "training": {"stepz": 8}}}, "the key `generation.second.training.steps` is missing"),
        (
            {"second": {**SECOND, "training": {"steps": 8, "stepz": 1}}},
            "unknown key `generation.second.training.stepz`",
        ),
    ],
)
def test_mistakes_are_one_sentence(
    refused: Callable[[dict[str, Any], str], None], generation: dict[str, Any], sentence: str
) -> None:
    refused(generation, sentence)
