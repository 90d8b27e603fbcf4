"""Ray beyond one machine: a cluster that refuses strangers; one of several nodes, one of which dies in a sweep."""

import os
import subprocess
import sys
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

ray = pytest.importorskip("ray", reason="Ray is an extra: requirements/ray.txt")
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]
Write = Callable[[dict[str, object] | str], str]

OWNER = """
import os, sys
from benchmark.sweep.launchers.ray import RayLauncher
launcher = RayLauncher(None, slots=1, cpus=1.0, gpus=0.0)
print(launcher._ray.get_runtime_context().gcs_address, os.environ["RAY_AUTH_TOKEN"], flush=True)
sys.stdin.read()
"""
STRANGER = """
import sys, ray
ray.init(address=sys.argv[1], log_to_driver=False)
print(ray.get(ray.remote(lambda: "the code ran").remote()))
"""


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


def test_what_we_start_refuses_strangers_and_other_machines(tmp_path: Path) -> None:
    own = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
    own["HOME"] = str(tmp_path)  # where Ray looks for a token
    with subprocess.Popen(
        [sys.executable, "-c", OWNER], env=own, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as owner:
        assert owner.stdout is not None
        address, token = owner.stdout.readline().split()
        assert len(token) == 64
        listening = _listening(token)

        def call(**given: str) -> subprocess.CompletedProcess[str]:
            environment = {**own, "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0", **given}
            command = [sys.executable, "-c", STRANGER, address]
            return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)

        strangers = [call(RAY_AUTH_MODE="disabled"), call(RAY_AUTH_MODE="token", RAY_AUTH_TOKEN="0" * 64)]
        friend = call(RAY_AUTH_MODE="token", RAY_AUTH_TOKEN=token)
        owner.communicate("")
    for stranger in strangers:
        assert stranger.returncode == 1
        assert stranger.stdout == ""
        assert "InvalidAuthToken" in stranger.stderr
    assert friend.stdout == "the code ran\n", friend.stderr
    assert len(listening) >= 3, "the scheduler, the node and the driver at least"
    assert all(place.split(":")[0].endswith("0100007F") for place in listening), listening  # 127.0.0.1


def _listening(token: str) -> set[str]:
    """Addresses and ports, as Linux writes them, on which processes with ``token`` in their environment listen."""
    sockets: set[str] = set()
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if token.encode() in (process / "environ").read_bytes():
                sockets |= {os.readlink(file) for file in (process / "fd").iterdir()}
        except OSError:
            continue  # ended meanwhile, or somebody else's
    tables = [Path("/proc/net", name).read_text().splitlines()[1:] for name in ("tcp", "tcp6")]
    rows = [line.split() for table in tables for line in table]
    return {row[1] for row in rows if row[3] == "0A" and f"socket:[{row[9]}]" in sockets}


def test_a_ray_without_tokens_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    from benchmark.sweep.launchers.ray import RayLauncher

    monkeypatch.setattr(ray, "__version__", "2.51.1")
    with pytest.raises(UsageError, match=r"needs Ray 2.52 or later, for its tokens; this is 2.51.1"):
        RayLauncher(None, slots=1, cpus=1.0, gpus=0.0)


def test_a_ray_that_could_not_be_given_a_token_is_not_started(monkeypatch: pytest.MonkeyPatch) -> None:
    from benchmark.sweep.launchers.ray import RayLauncher

    monkeypatch.delenv("RAY_AUTH_MODE")
    with pytest.raises(UsageError, match="Ray was imported before it could be given a token"):
        RayLauncher(None, slots=1, cpus=1.0, gpus=0.0)
