import pytest
import torch

from benchmark.perf.cases import OURS, Shape
from benchmark.perf.groups import GROUPS
from benchmark.perf.memory import peak_memory


@pytest.mark.slow
def test_peak_memory_is_that_of_the_operation():
    """One N x K tensor has 67 MB; the formula holds three, the search none."""
    group, shape = GROUPS["search"], Shape(2048, 8192, 8)
    formula = peak_memory(group, "formula, argmin", shape, torch.device("cpu"))
    ours = peak_memory(group, OURS, shape, torch.device("cpu"))
    assert 190 < formula.extra_mb < 260
    assert ours.extra_mb < 64
    assert formula.process_mb > formula.extra_mb + 100


@pytest.mark.slow
def test_a_failure_is_told():
    with pytest.raises(RuntimeError, match="nobody on .* failed"):
        peak_memory(GROUPS["search"], "nobody", Shape(2, 3, 4), torch.device("cpu"))
