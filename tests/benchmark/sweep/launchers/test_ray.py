"""Ray beyond one machine: a real cluster of several nodes, one of which dies in the middle of a sweep."""

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from benchmark.records.store import Store
from benchmark.suite.plan import plan_suite
from benchmark.sweep.display import Display
from benchmark.sweep.runner import Settings, run_plan
from methods import UsageError

ray = pytest.importorskip("ray", reason="Ray is an extra: pip install -e '.[ray]'")
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]
Write = Callable[[dict[str, object] | str], str]


@pytest.fixture
def cluster() -> Iterator[Any]:
    """A head without room for runs, and two nodes with two slots each."""
    from ray.cluster_utils import Cluster

    made = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
    made.workers = [made.add_node(num_cpus=2) for _ in range(2)]
    made.wait_for_nodes()
    yield made
    ray.shutdown()
    made.shutdown()


@pytest.mark.parametrize("shared", [True, False])
def test_no_run_is_lost_when_a_node_dies(
    cluster: Any,
    shared: bool,
    tiny: dict[str, object],
    write_suite: Write,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from benchmark.sweep.launchers.ray import RayLauncher

    tiny["training"] = {"steps": 1500, "batch_size": 8, "learning_rate": 1e-3}
    plan = plan_suite(write_suite({**tiny, "seeds": 3, "methods": ["vq_vae", "simvq"]}))
    store = Store(tmp_path / "results")
    launcher = RayLauncher(cluster.address, slots=4, cpus=1.0, gpus=0.0)
    if not shared:  # as on machines without a common disk
        monkeypatch.setattr(launcher, "_marker", lambda results: results / "nobody sees this")
    attempts: list[int] = []
    submit_task = launcher._submit
    monkeypatch.setattr(launcher, "_submit", lambda task: (attempts.append(task.attempts), submit_task(task))[1])
    killed = threading.Event()

    def kill() -> None:
        while not list(store.folder.glob("runs/*/record.json")):
            time.sleep(0.2)
        cluster.remove_node(cluster.workers[0], allow_graceful=False)
        killed.set()

    thread = threading.Thread(target=kill, daemon=True)
    thread.start()
    outcome = run_plan(plan, store, launcher, Settings("cpu", threads=1), Display(quiet=True))
    thread.join(60)
    assert killed.is_set()
    assert not outcome.lost
    assert {record["status"] for record in outcome.ended.values()} == {"ok"}
    assert sorted(outcome.ended) == sorted(run.key for run in plan.runs)
    assert len(attempts) > len(plan.runs), "no run was on the node that died"
    for run in plan.runs:
        names = {path.name for path in store.run_folder(run.key).glob("[!.]*")}
        assert {"record.json", "history.csv", "counts.npz"} <= names
        assert "checkpoint.pt" not in names


def test_a_run_that_no_machine_has_room_for_is_one_sentence(cluster: Any) -> None:
    from benchmark.sweep.launchers.ray import RayLauncher

    with pytest.raises(UsageError, match="no machine of the Ray cluster has 1 CPUs and 0.5 GPUs"):
        RayLauncher(cluster.address, slots=None, cpus=1.0, gpus=0.5)


def test_a_cluster_that_does_not_answer_is_one_sentence() -> None:
    from benchmark.sweep.launchers.ray import RayLauncher

    with pytest.raises(UsageError, match="Ray can't be reached at nowhere"):
        RayLauncher("nowhere", slots=1, cpus=1.0, gpus=0.0)
