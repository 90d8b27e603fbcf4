"""An edited plug-in makes other runs of what uses it, and of nothing else."""

import hashlib
import importlib
import sys
from collections.abc import Callable
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from benchmark import commands
from benchmark.cli import main
from benchmark.metrics import catalogue, extra_metrics
from benchmark.metrics.parts.extra import sources
from benchmark.metrics.parts.speech import measures
from benchmark.records.record import empty_record
from benchmark.records.run import Run, run_key
from benchmark.records.store import Store
from benchmark.report.frame import read
from benchmark.suite.plan import plan_suite
from benchmark.suite.plan_file import _content
from benchmark.sweep.verify import _verifiable
from benchmark.worker.__main__ import work
from benchmark.worker.execution import ChangedError
from benchmark.worker.job import Job
from methods import load_plugin
from methods.core import plugins
from methods.core.registry import METHODS

Write = Callable[[dict[str, object] | str], str]

SOURCES = {
    "method": """
        from methods import register
        from methods.vq_vae import VQVAE

        @register("theirs")
        class Theirs(VQVAE):
            pass
        """,
    "data set": """
        from functools import partial
        from benchmark.data import datasets
        from benchmark.data.planted import planted

        datasets.register("theirs", modality="latents")(partial(planted, kind="clustered"))
        """,
    "model": """
        from benchmark.models import models
        from benchmark.models.identity import identity

        @models.register("theirs")
        def theirs(item_shape):
            return identity(item_shape)
        """,
    "objective": """
        from benchmark.objectives import objectives
        from benchmark.objectives.squared_error import squared_error

        @objectives.register("theirs")
        def theirs(variance):
            return squared_error(variance)
        """,
    "metric": """
        from benchmark.metrics import extra_metrics
        from benchmark.metrics.base import ReconstructionMetrics

        @extra_metrics.register("theirs")
        def theirs(device):
            return ReconstructionMetrics()
        """,
}
PLOT = """
    from benchmark.report.plots import BySize, register
    from benchmark.report.quantities import USAGE, grouped

    @register("theirs")
    def theirs():
        return BySize("theirs", grouped(USAGE))
    """
SUITE: dict[str, Any] = {
    "question": "Whose is it?",
    "dataset": {"name": "planted", "kind": "clustered", "test_items": 64},
    "model": "identity",
    "objective": "squared_error",
    "training": {"steps": 10, "learning_rate": 1e-3},
    "grid": {"codebook_size": [16]},
    "seeds": 1,
    "methods": ["vq_vae"],
}
OURS = "vq_vae-K16-s0-0e635bfe"
"""Key of `SUITE` before there was a source in any."""
USES: dict[str, dict[str, Any]] = {
    "method": {"methods": ["theirs"]},
    "data set": {"dataset": {"name": "theirs", "test_items": 64}},
    "model": {"model": "theirs"},
    "objective": {"objective": "theirs"},
    "metric": {"evaluation": {"extra": ["theirs"]}},
}


@pytest.fixture(autouse=True)
def own(own_registries: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalogue, "METRICS", dict(catalogue.METRICS))


def load(path: Path) -> None:
    """As a new process would: without what was there before."""
    for registry in plugins._registries:
        for name in list(registry._sources):
            registry._remove(name)
    plugins._loaded.clear()
    load_plugin(path)


def write(folder: Path, kind: str, edit: str = "", file: str = "plugged.py") -> Path:
    path = folder / file
    path.write_text(dedent({**SOURCES, "plot": PLOT}[kind]) + edit)
    return path


def the_run(write_suite: Write, **changes: Any) -> Run:
    (run,) = plan_suite(write_suite({**SUITE, **changes})).runs
    return run


@pytest.mark.parametrize("kind", SOURCES)
def test_an_edit_changes_the_key_of_what_uses_it_alone_and_a_move_changes_none(
    kind: str, tmp_path: Path, write_suite: Write
) -> None:
    path = write(tmp_path, kind)
    load(path)
    first = the_run(write_suite, **USES[kind])
    source = f"sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}"
    assert first.config["plugins"] == {f"{kind} theirs": source}
    assert the_run(write_suite).key == OURS
    moved = path.rename(tmp_path / "moved.py")
    load(moved)
    assert the_run(write_suite, **USES[kind]) == first
    load(write(tmp_path, kind, "# edited\n", "moved.py"))
    edited = the_run(write_suite, **USES[kind])
    assert edited.key != first.key
    assert the_run(write_suite).key == OURS


def test_the_source_of_a_method_within_another_is_in_its_key(tmp_path: Path, write_suite: Write) -> None:
    load(write(tmp_path, "method"))
    levels = [{"arm": arm, "method": "residual_vq", "params": {"level": arm}} for arm in ("theirs", "vq_vae")]
    theirs, ours = plan_suite(write_suite({**SUITE, "methods": levels})).runs
    assert theirs.config["plugins"] == {"method theirs": METHODS.source("theirs")}
    assert "plugins" not in ours.config


@pytest.mark.parametrize("form", ["class", "partial"])
def test_what_is_installed_is_known_by_its_distribution_and_its_module(
    form: str, install: Callable[..., None], write_suite: Write, tmp_path: Path
) -> None:
    source = SOURCES["method"]
    registry: plugins.Registry = METHODS
    if form == "partial":
        source = """
            from functools import partial
            from benchmark.models import models
            from benchmark.models.identity import identity

            theirs = models.register("theirs")(partial(identity))
            """
        registry = next(registry for registry in plugins._registries if registry.kind == "model")
    install(registry, source, "Theirs" if form == "class" else "theirs")
    digest = hashlib.sha256((tmp_path / "their_package.py").read_bytes()).hexdigest()
    assert registry.source("theirs") == f"their-package 1.0 sha256:{digest}"
    run = the_run(write_suite, **USES["method" if form == "class" else "model"])
    assert digest in str(run.config)
    assert the_run(write_suite).key == OURS


def test_a_speech_measure_of_a_plug_in_is_in_the_key(tmp_path: Path) -> None:
    path = tmp_path / "measure.py"
    path.write_text(
        "from benchmark.metrics.parts.speech import Measure, measures\n"
        "@measures.register('theirs')\nclass Theirs(Measure):\n    columns = ('theirs',)\n"
    )
    load(path)
    found = sources("audio", {"speech": ["pesq", "theirs"], "extra": []})
    assert found == {"speech measure theirs": measures.source("theirs")}
    assert sources("audio", {"speech": ["pesq"]}) == {}


@pytest.mark.parametrize("ending", ["edited", "broken", "gone"])
def test_a_worker_that_finds_another_source_records_nothing(ending: str, tmp_path: Path, write_suite: Write) -> None:
    path = write(tmp_path, "method")
    load(path)
    run = the_run(write_suite, **USES["method"])
    store = Store(tmp_path / "results")
    METHODS._remove("theirs")
    plugins._loaded.clear()
    if ending == "gone":
        path.unlink()
    else:
        write(tmp_path, "method", "# edited\n" if ending == "edited" else "1 / 0\n")
    asked = run.config["plugins"]["method theirs"]
    words = {
        "edited": rf"^the method theirs of a plug-in is sha256:\w+, and its run's key names {asked}$",
        "broken": "fails to import: ZeroDivisionError",
        "gone": "there is no such file$",
    }
    with pytest.raises(ChangedError, match=words[ending]):
        work(Job(run, str(store.folder), "cpu", 1, plugins=(str(path),)))
    assert not store.record_path(run.key).exists()


def test_an_edited_plot_makes_another_report_and_no_other_runs(tmp_path: Path, write_suite: Write) -> None:
    plans, keys = [], []
    for edit in ("", "# edited\n"):
        load(write(tmp_path, "plot", edit))
        plan = plan_suite(write_suite({**SUITE, "plots": ["usage", "theirs"]}))
        plans.append(_content(plan))
        keys.append([run.key for run in plan.runs])
    assert plans[0]["plot_plugins"].keys() == plans[1]["plot_plugins"].keys() == {"theirs"}
    assert plans[0] != plans[1]
    assert keys[0] == keys[1]
    assert "plot_plugins" not in _content(plan_suite(write_suite({**SUITE, "plots": ["usage"]})))
    renamed = _content(plan_suite(write_suite({**SUITE, "plots": [{"name": "mine", "of": "theirs"}]})))
    assert renamed["plot_plugins"] == plans[1]["plot_plugins"]
    assert _content(plan_suite(write_suite(SUITE)))["plot_plugins"] == plans[1]["plot_plugins"], "all that apply"


def test_what_is_loaded_is_what_stands_in_the_file_not_what_was_compiled(tmp_path: Path) -> None:
    """An edit of equal length within the second of a compiled file passes for none."""
    path = tmp_path / "plugged.py"
    for name in ("one", "two"):
        path.write_text(dedent(SOURCES["method"]).replace("theirs", name))
        load(path)
        assert name in METHODS.names()
    assert not (tmp_path / "__pycache__").exists()


def test_another_process_loads_what_this_one_did_not_what_the_file_says_now(tmp_path: Path) -> None:
    path = write(tmp_path, "method")
    load(path)
    source, loaded = METHODS.source("theirs"), plugins.loaded_plugins()
    path.unlink()
    METHODS._remove("theirs")
    plugins._loaded.clear()
    plugins.load_again(loaded)
    assert METHODS.source("theirs") == source


def command(*arguments: str) -> int:
    with pytest.raises(SystemExit) as end:
        main([*arguments])
    assert isinstance(end.value.code, int)
    return end.value.code


@pytest.mark.usefixtures("commands_in_process")
def test_commands_know_an_edited_plug_in(
    tmp_path: Path, write_suite: Write, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(commands, "write_reports", lambda folders: None)  # ten seconds of plots
    suite = write_suite({**SUITE, "methods": ["theirs", "vq_vae"]})
    path = write(tmp_path, "method")
    shared = ["--results", str(tmp_path / "results"), "--plugin", str(path)]

    def keys() -> set[str]:
        return {folder.name for folder in (tmp_path / "results" / "tiny" / "runs").iterdir()}

    def new_process() -> None:
        METHODS._remove("theirs")
        plugins._loaded.clear()

    assert command("run", suite, *shared) == 0
    (before,) = (key for key in keys() if key.startswith("theirs"))
    write(tmp_path, "method", "# edited\n")
    new_process()
    assert command("status", suite, *shared) == 0
    assert "tiny: 1 left, 1 ok" in capsys.readouterr().out
    assert command("verify", before, *shared) == 2
    assert "error: the method theirs of a plug-in is sha256:" in capsys.readouterr().err
    assert command("run", suite, *shared) == 0
    assert len(keys()) == 3
    assert command("verify", (keys() - {before, OURS}).pop(), *shared) == 0
    made = {key: (tmp_path / "results/tiny/runs" / key / "record.json").stat().st_mtime_ns for key in keys()}
    assert command("run", suite, *shared, "--retry", "ok") == 0
    again = {key: (tmp_path / "results/tiny/runs" / key / "record.json").stat().st_mtime_ns for key in keys()}
    assert {key for key in made if again[key] != made[key]} == keys() - {before}
    results = read(tmp_path / "results" / "tiny")
    assert [problem for problem in results.problems if "1 record belongs to no cell" not in problem] == []
    assert len(results.runs) == 3


def test_an_old_record_without_a_source_stays_readable_and_verifiable(tmp_path: Path, write_suite: Write) -> None:
    load(write(tmp_path, "method"))
    run = the_run(write_suite, **USES["method"])
    old = {name: value for name, value in run.config.items() if name != "plugins"}
    store = Store(tmp_path / "results")
    key = run_key(old)
    store.write_record(key, {**empty_record(run), "config": old, "status": "ok"})
    assert _verifiable(store.record_path(key))["key"] == key


def test_a_module_of_a_package_is_told_by_its_own_file(
    install: Callable[..., None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "their_package").mkdir()
    install(METHODS, "", "Theirs")
    (tmp_path / "their_package.py").unlink()
    (tmp_path / "their_package" / "__init__.py").write_text("from their_package.inner import Theirs\n")
    inner = tmp_path / "their_package" / "inner.py"
    inner.write_text(dedent(SOURCES["method"]))
    importlib.invalidate_caches()
    found = METHODS.source("theirs")
    sys.modules.pop("their_package.inner", None)
    assert found == f"their-package 1.0 sha256:{hashlib.sha256(inner.read_bytes()).hexdigest()}"


def test_metrics_of_ours_have_no_source() -> None:
    assert {extra_metrics.source(name) for name in extra_metrics.available()} <= {None}
    assert {METHODS.source(name) for name in METHODS.names()} == {None}
