"""A suite with a second stage so small that it trains within a second, and what runs its plan."""

import re
from collections.abc import Callable
from typing import Any

import pytest

from benchmark.records.store import Store
from benchmark.suite.plan import Plan, plan_suite
from benchmark.sweep.display import Display
from benchmark.sweep.launchers import Launcher
from benchmark.sweep.runner import Outcome, Settings, run_plan
from methods import UsageError


@pytest.fixture
def small_stage() -> dict[str, Any]:
    return {
        "prior": {"name": "transformer", "layers": 1, "width": 8, "heads": 2},
        "training": {"steps": 4, "batch_size": 8},
        "sampling": {"images": 8},
    }


@pytest.fixture
def second_stage(
    tiny: dict[str, object], write_suite: Callable[[dict[str, object] | str], str], small_stage: dict[str, Any]
) -> Callable[..., Plan]:
    def plan(generation: dict[str, Any] | None = None, **changed: object) -> Plan:
        wanted = {**small_stage, **(generation or {})}
        return plan_suite(write_suite({**tiny, "generation": wanted, **changed}))

    return plan


@pytest.fixture
def refused(second_stage: Callable[..., Plan]) -> Callable[[dict[str, Any], str], None]:
    """Checks that a second stage is refused in one sentence, which has so much in it and names the file."""

    def check(generation: dict[str, Any], sentence: str) -> None:
        with pytest.raises(UsageError, match=re.escape(sentence)) as caught:
            second_stage(generation)
        assert "tiny.yaml" in str(caught.value)
        assert "\n" not in str(caught.value)

    return check


@pytest.fixture
def run(in_process: Launcher) -> Callable[[Plan, Store], Outcome]:
    return lambda plan, store: run_plan(plan, store, in_process, Settings("cpu", threads=1), Display(quiet=True))
