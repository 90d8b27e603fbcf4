"""A codebook larger than memory is one sentence, soon, and is never built to find out."""

import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from benchmark.machine import memory
from benchmark.suite.memory import bytes_needed
from benchmark.suite.plan import plan_suite
from methods import UsageError, available, get, load_plugin
from methods.core.registry import resolve_params

Write = Callable[[dict[str, object] | str], str]
HUGE = 2**40
SUITE: dict[str, Any] = {
    "question": "Does it fit?",
    "dataset": "photos",
    "model": {"name": "conv", "latent_dim": 8},
    "training": {"steps": 10, "learning_rate": 1e-3},
    "grid": {"codebook_size": [16, HUGE]},
    "seeds": 1,
    "methods": ["vq_vae", "simvq", "no_quantization"],
}


def test_it_is_an_explained_cell_beside_sizes_that_fit(write_suite: Write) -> None:
    file = write_suite(SUITE)
    plan_suite(file)  # imports what a first plan needs
    begun = time.process_time()
    cells = {(cell.arm, cell.codebook_size): cell for cell in plan_suite(file).cells}
    assert time.process_time() - begun < 1
    there = memory("cpu")
    assert there is not None
    assert cells["vq_vae", HUGE].unavailable == (
        f"`vq_vae` with {HUGE:,} codes of 8 numbers or more needs {HUGE * 8 * 4 / 1e9:,.0f} GB of memory for its "
        f"weights alone, and there are {there / 1e9:,.0f}; choose a smaller codebook_size or latent_dim"
    )
    assert {key for key, cell in cells.items() if cell.run is None} == {("vq_vae", HUGE), ("simvq", HUGE)}


@pytest.mark.parametrize(
    ("size", "dim"), [(HUGE, 8), (2**62, 8), (2**63, 8), (10**30, 8), (16, 2**38), (16, 2**62), (16, 10**30)]
)
def test_an_arm_that_fits_nowhere_is_one_sentence_with_its_line(size: int, dim: int, write_suite: Write) -> None:
    suite = {**SUITE, "grid": {"codebook_size": [size]}, "model": {"name": "conv", "latent_dim": dim}}
    file = write_suite(suite)
    with pytest.raises(UsageError, match=rf"^{re.escape(file)}:\d+: `vq_vae` with .* GB of memory .*, and there are"):
        plan_suite(file)
    assert [run.config["method"] for run in plan_suite(file, methods=["no_quantization"]).runs] == ["no_quantization"]


@pytest.mark.parametrize("name", available())
def test_what_a_method_needs_is_known_without_building_it(name: str) -> None:
    method, params = get(name), resolve_params(name, {})
    built = method(64, 8, **params)
    expected = sum(value.numel() * value.element_size() for value in (*built.parameters(), *built.buffers()))
    assert bytes_needed(method, 64, 8, params) == expected


def test_a_plug_in_that_looks_at_values_is_left_to_its_run(
    tmp_path: Path, write_suite: Write, own_registries: None
) -> None:
    plugin = tmp_path / "plugin.py"
    plugin.write_text(
        "import torch\nfrom methods import register\nfrom methods.vq_vae import VQVAE\n"
        "@register('looks')\nclass Looks(VQVAE):\n"
        "    def __init__(self, codebook_size: int, dim: int) -> None:\n"
        "        super().__init__(codebook_size, dim)\n        self.first = float(self.codebook[0, 0])\n"
    )
    load_plugin(plugin)
    assert bytes_needed(get("looks"), HUGE, 8, {}) is None
    (run,) = plan_suite(write_suite({**SUITE, "grid": {"codebook_size": [HUGE]}, "methods": ["looks"]})).runs
    assert run.config["codebook_size"] == HUGE
