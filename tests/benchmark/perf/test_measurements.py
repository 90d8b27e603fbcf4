"""A row a contender: who fails loses its own figures alone."""

import pytest
import torch

from benchmark.perf.cases import OURS, Contender, Group, Shape
from benchmark.perf.measurements import measure_shape
from benchmark.perf.timing import Effort

SHAPE = Shape(4, 4, 4)
CPU = torch.device("cpu")


def _fails(shape, device):
    raise RuntimeError("no kernel\nfor this machine")


def _measured(*contenders):
    group = Group("search", "search", "search", contenders, (SHAPE,), (SHAPE,), memory_at=lambda shape: False)
    return {m.contender: m for m in measure_shape(group, SHAPE, CPU, Effort(0.0, 2, 2), lambda line: None)}


def _works(shape, device):
    return lambda: None


@pytest.mark.parametrize("failing", [_fails, lambda shape, device: lambda: _fails(shape, device)])
def test_a_contender_that_fails_costs_no_other_its_figures(failing):
    found = _measured(Contender(OURS, _works), Contender("peer", failing), Contender("other", _works))
    assert found["peer"].left_out == "fails: RuntimeError: no kernel for this machine"
    assert found["peer"].seconds is None
    assert [found[name].rounds for name in (OURS, "other")] == [2, 2]


def test_without_the_reference_there_is_nothing_to_compare_with():
    found = _measured(Contender(OURS, _fails), Contender("peer", _works))
    assert found["peer"].left_out == f"{OURS} fails"
    assert found[OURS].left_out.startswith("fails: RuntimeError")
