"""Everything that is registered can come from a file or an installed package, with the same sentences for mistakes."""

from collections.abc import Callable
from pathlib import Path
from textwrap import dedent

import pytest

from benchmark.components import Components
from benchmark.data import datasets
from benchmark.metrics import extra_metrics, metrics
from benchmark.models import models
from benchmark.objectives import objectives
from benchmark.report.plots import PLOTS
from methods import UsageError, load_plugin
from methods.core import plugins
from methods.core.plugins import Registry

pytestmark = pytest.mark.usefixtures("own_registries")
SOURCES = {
    "datasets": """
        from benchmark.data import datasets
        from benchmark.data.photos import photos

        @datasets.register("NAME")
        def mine(test_items: int = 8):
            return photos(test_items=test_items)
        """,
    "models": """
        from benchmark.models import models
        from benchmark.models.identity import identity

        @models.register("NAME", modality="image")
        def mine(item_shape, width: int = 4):
            return identity(item_shape)
        """,
    "objectives": """
        from benchmark.objectives import objectives
        from benchmark.objectives.squared_error import squared_error

        @objectives.register("NAME")
        def mine(variance, scale: float = 1.0):
            return squared_error(variance * scale)
        """,
    "metrics": """
        from benchmark.metrics import catalogue, extra_metrics
        from benchmark.metrics.base import ReconstructionMetrics

        class Mine(ReconstructionMetrics):
            def update(self, originals, reconstructions):
                pass

            def compute(self):
                return {"breath": 1.0}

        @extra_metrics.register("NAME", modality="audio")
        def mine(device):
            return Mine()

        catalogue.register("breath", catalogue.Metric("Breath", "of a speaker", unit="dB"))
        """,
    "plots": """
        from benchmark.report.plots import BySize, register
        from benchmark.report.quantities import USAGE, grouped

        @register("NAME")
        def mine():
            return BySize("NAME", grouped(USAGE))
        """,
}
TAKEN = {"datasets": "photos", "models": "conv", "objectives": "squared_error", "metrics": "mine", "plots": "usage"}


def registry_of(kind: str) -> Registry:
    components: dict[str, Components] = {
        "datasets": datasets,
        "models": models,
        "objectives": objectives,
        "metrics": extra_metrics,
    }
    return PLOTS if kind == "plots" else components[kind]._registry


def write(folder: Path, kind: str, name: str, file: str = "plugged.py") -> Path:
    path = folder / file
    path.write_text(dedent(SOURCES[kind]).replace("NAME", name))
    return path


@pytest.mark.parametrize("kind", SOURCES)
def test_a_file_adds_it(kind: str, tmp_path: Path) -> None:
    load_plugin(write(tmp_path, kind, "mine"))
    assert "mine" in registry_of(kind).names()
    with pytest.raises(UsageError, match=r"unknown .* `min3` \(did you mean `mine`\?\); there are: "):
        registry_of(kind).find("min3")
    path = tmp_path / "plugged.py"
    assert plugins.loaded_plugins() == {str(path): path.read_bytes()}


@pytest.mark.parametrize("kind", SOURCES)
def test_a_name_that_is_taken_is_one_sentence(kind: str, tmp_path: Path) -> None:
    if kind == "metrics":
        load_plugin(write(tmp_path, kind, "mine", "first.py"))
    before = registry_of(kind).all()
    with pytest.raises(UsageError, match=rf"^two .*s are called `{TAKEN[kind]}`: .* and .*plugged.py\); rename one$"):
        load_plugin(write(tmp_path, kind, TAKEN[kind]))
    assert registry_of(kind).all() == before


@pytest.mark.parametrize("kind", SOURCES)
def test_a_file_that_fails_leaves_nothing(kind: str, tmp_path: Path) -> None:
    path = write(tmp_path, kind, "mine")
    path.write_text(path.read_text() + "1 / 0\n")
    for _ in range(2):
        with pytest.raises(UsageError, match="fails to import: ZeroDivisionError: division by zero"):
            load_plugin(path)
    assert "mine" not in registry_of(kind).names()


@pytest.mark.parametrize("kind", SOURCES)
def test_an_installed_package_adds_it(kind: str, install: Callable[..., None], monkeypatch: pytest.MonkeyPatch) -> None:
    registry = registry_of(kind)
    install(registry, SOURCES[kind].replace("NAME", "mine"), "mine")
    assert registry.group == f"codebook_bench.{kind}"
    assert "mine" in registry.names()
    registry._remove("mine")
    monkeypatch.setattr(registry, "_complete", False)
    message = rf"`theirs` \(their_package:mine\) of codebook_bench.{kind} registers nothing"
    with pytest.raises(UsageError, match=message):
        registry.names()


def test_metrics_of_a_modality_have_the_group_of_the_further_ones() -> None:
    assert metrics._registry.group == extra_metrics._registry.group == "codebook_bench.metrics"


def test_a_trait_that_there_is_not_is_one_sentence() -> None:
    with pytest.raises(UsageError, match=r"model `x`: unknown trait `modalty` \(did you mean `modality`\?\)"):
        models.register("x", modalty="image")


def test_what_makes_no_plot_is_one_sentence(tmp_path: Path) -> None:
    path = tmp_path / "plot.py"
    path.write_text("from benchmark.report.plots import register\n@register('x')\ndef mine():\n    return 3\n")
    with pytest.raises(UsageError, match=r"plot `x`: .*mine .* makes no benchmark.report.plots.Plot, but 3"):
        load_plugin(path)
