"""Slurm: what can be said without one, and sweeps on a real one of a single node, taken away and killed.

For the latter, as root on Debian: `apt-get install --no-install-recommends slurmctld slurmd slurm-client munge`, and
`pip install --no-deps --require-hashes -r requirements/slurm.txt`. The fixture starts munged, slurmctld and slurmd on
loopback with files in a folder of the test, and ends them; nothing of the machine is configured.
"""

import json
import os
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from benchmark.cli import main
from benchmark.records.store import Store
from benchmark.suite.plan import Plan, plan_suite
from benchmark.sweep.display import Display
from benchmark.sweep.launchers.slurm_task import end_file, read_end
from benchmark.sweep.runner import Outcome, Settings, run_plan
from benchmark.worker.channel import Ending
from benchmark.worker.job import Job
from methods import UsageError

Write = Callable[[dict[str, object] | str], str]
DAEMONS = ("munged", "slurmctld", "slurmd")
FOUND = {name: shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin") for name in (*DAEMONS, "srun", "scontrol")}
real = pytest.mark.skipif(not all(FOUND.values()) or os.geteuid() != 0, reason="a Slurm of one node: see the top")

CONFIGURATION = """
ClusterName=test
SlurmctldHost=localhost(127.0.0.1)
SlurmUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge/socket,cred_expire=10
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
SlurmctldPort={control}
SlurmdPort={node}
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
KillWait=15
ReturnToService=2
NodeName=localhost NodeAddr=127.0.0.1 CPUs={cpus} State=UNKNOWN
PartitionName=main Nodes=localhost Default=YES MaxTime=INFINITE State=UP
"""


def test_an_option_that_there_is_not_is_one_sentence() -> None:
    from benchmark.sweep.launchers.slurm import SlurmLauncher

    for options, told in (
        ({"partion": "gpu"}, r"--slurm has no `partion` \(did you mean `partition`\?\); it has: partition, account, "),
        ({"together": 0}, "--slurm together takes a whole number of at least 1, not 0"),
        ({"memory": "32G"}, "--slurm memory takes a whole number of at least 1, not '32G'"),
        ({"time": "soon"}, "--slurm time takes a time such as 540, 540s, 9m, 2h or 1h30m, not 'soon'"),
    ):
        with pytest.raises(UsageError, match=told):
            SlurmLauncher(options, None, None, 0, cluster="local")


def test_a_share_of_a_gpu_is_refused(
    tiny: dict[str, Any], write_suite: Write, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shared = ["--launcher", "slurm", "--gpus", "1.5", "--results", str(tmp_path / "results")]
    with pytest.raises(SystemExit) as ended:
        main(["run", write_suite(tiny), *shared])
    assert ended.value.code == 2
    assert "error: --gpus takes a whole number, but for --launcher ray, not 1.5" in capsys.readouterr().err


def test_what_sbatch_says_last_is_the_reason() -> None:
    from benchmark.sweep.launchers.slurm import _reason

    told = "sbatch: error: fetch_config: DNS SRV lookup failed\nsbatch: fatal: Could not establish a source\n"
    assert _reason(told) == "Could not establish a source"
    assert _reason("sbatch: error: Batch job submission failed: Invalid qos specification").startswith("Batch job")
    assert _reason("\n") == "sbatch failed without a word"


def test_where_there_is_no_slurm_that_is_one_sentence(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    pytest.importorskip("submitit", reason="the extra `slurm` is not installed")
    from benchmark.sweep.launchers.slurm import SlurmLauncher

    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UsageError, match=r'--launcher slurm: Could not detect "srun"'):
        SlurmLauncher({}, None, None, 0)


def test_options_of_a_launcher_are_for_that_one(
    tiny: dict[str, object], write_suite: Write, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for arguments, told in (
        (["--slurm", "partition=gpu"], "error: --slurm is for --launcher slurm"),
        (["--gpus", "1"], "error: --gpus is for --launcher ray and slurm"),
        (["--cpus", "1e5"], "error: --cpus 100000 is more than there are here: "),
        (["--cpus", "0.5"], "error: --cpus takes a whole number, but for --launcher ray, not 0.5"),
    ):
        with pytest.raises(SystemExit) as ended:
            main(["run", write_suite(tiny), "--results", str(tmp_path / "results"), *arguments])
        assert ended.value.code == 2
        assert told in capsys.readouterr().err


def test_an_end_that_is_half_written_is_none(tmp_path: Path) -> None:
    file = end_file(tmp_path, "vq_vae-K8-s0-01234567")
    assert read_end(file) is None
    file.write_text('{"exit_code": -15, "mess')
    assert read_end(file) is None
    file.write_text('{"exit_code": 1, "message": "", "out_of_memory": false, "ending": "stopped"}')
    end = read_end(file)
    assert end is not None
    assert end.ending is Ending.STOPPED


def _free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


@pytest.fixture(scope="module")
def slurm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A Slurm of this machine alone, asked through the environment."""
    pytest.importorskip("submitit", reason="the extra `slurm` is not installed")
    folder = tmp_path_factory.mktemp("slurm")
    for name in ("munge", "state", "spool"):
        (folder / name).mkdir(mode=0o755)
    key = folder / "munge.key"
    key.write_bytes(os.urandom(1024))
    key.chmod(0o600)
    fields = {"folder": folder, "control": _free_port(), "node": _free_port(), "cpus": os.cpu_count()}
    (folder / "slurm.conf").write_text(CONFIGURATION.format(**fields))
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("SLURM_CONF", str(folder / "slurm.conf"))
        own = [f"--{name}={folder}/munge/{name}" for name in ("socket", "pid-file", "log-file", "seed-file")]
        commands = [
            [FOUND["munged"], "--foreground", "--force", f"--key-file={key}", *own],
            [FOUND["slurmctld"], "-D"],
            [FOUND["slurmd"], "-D", "-N", "localhost"],
        ]
        daemons = []
        try:
            for command in commands:
                with (folder / f"{len(daemons)}.out").open("w") as log:
                    daemons.append(subprocess.Popen(command, stdout=log, stderr=log))  # type: ignore[arg-type]
                time.sleep(2)
            _wait_for(lambda: "idle" in _told("sinfo", "--noheader", "--format=%T"), folder)
            yield folder
        finally:
            subprocess.run(["scancel", "--user=root"], check=False)
            _wait_for(lambda: not _told("squeue", "--noheader"), folder)
            for daemon in reversed(daemons):
                daemon.terminate()
                try:
                    daemon.wait(20)
                except subprocess.TimeoutExpired:
                    daemon.kill()


def _told(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout


def _wait_for(happened: Callable[[], object], folder: Path, seconds: float = 240) -> None:
    deadline = time.monotonic() + seconds
    while not happened():
        logs = "\n".join(f"{file}:\n{file.read_text()[-2000:]}" for file in folder.glob("*.[lo]*"))
        assert time.monotonic() < deadline, logs
        time.sleep(0.5)


@pytest.fixture
def planned(tiny: dict[str, Any], write_suite: Write) -> Plan:
    """Two runs that take a few seconds each beside their start."""
    del tiny["evaluation"]
    data = {"name": "planted", "kind": "clustered", "test_items": 64}
    training = {"steps": 2000, "batch_size": 8, "learning_rate": 1e-3}
    changed = {"dataset": data, "model": "identity", "methods": ["vq_vae_ema", "simvq"], "training": training}
    return plan_suite(write_suite({**tiny, **changed}))


def _sweep(plan: Plan, store: Store, **options: Any) -> Outcome:
    from benchmark.sweep.launchers.slurm import SlurmLauncher

    launcher = SlurmLauncher({"partition": "main", "time": "20m", **options}, None, 1, 0)
    return run_plan(plan, store, launcher, Settings("cpu", threads=1), Display(quiet=True))


@real
@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("signal", "together"), [("USR1", 2), ("TERM", 1), ("KILL", 1), ("DOWN", 1)])
def test_runs_go_on_where_their_allocation_was_taken_away_or_killed(
    slurm: Path, planned: Plan, tmp_path: Path, in_process: Any, together: int, signal: str
) -> None:
    store, undisturbed = Store(tmp_path / "results"), Store(tmp_path / "undisturbed")

    def disturb() -> None:
        _wait_for(lambda: list(store.folder.glob("runs/*/history.csv")), slurm)
        if signal == "DOWN":
            _take_node_away()
            return
        for job in _told("squeue", "--noheader", "--array", "--states=RUNNING", "--format=%i").split():
            for process in _workers(job) if signal == "KILL" else ():
                os.kill(process, 9)
            if signal != "KILL":
                subprocess.run(["scancel", f"--signal={signal}", job], check=True)

    thread = threading.Thread(target=disturb, daemon=True)
    thread.start()
    outcome = _sweep(planned, store, together=together)
    thread.join(60)
    assert not outcome.lost
    assert {record["status"] for record in outcome.ended.values()} == {"ok"}
    run_plan(planned, undisturbed, in_process, Settings("cpu", threads=1), Display(quiet=True))
    for run in planned.runs:
        disturbed, whole = store.record(run.key), undisturbed.record(run.key)
        assert disturbed is not None
        assert whole is not None
        assert disturbed["metrics"] == whole["metrics"]


def _take_node_away() -> None:
    """For Slurm the node has died: it kills what ran there and queues it again; then the node is back."""
    change = ["scontrol", "update", "nodename=localhost"]
    subprocess.run([*change, "state=down", "reason=test"], check=True)
    time.sleep(3)
    subprocess.run([*change, "state=resume"], check=True)


def _workers(job: str) -> list[int]:
    """The processes of an allocation that submitit started: with them the whole step dies, as with its node."""
    return [
        int(process.name)
        for process in Path("/proc").glob("[0-9]*")
        if b"submitit.core._submit" in _command_of(process) and job.encode() in _environment_of(process)
    ]


def _command_of(process: Path) -> bytes:
    try:
        return (process / "cmdline").read_bytes()
    except OSError:
        return b""


def _environment_of(process: Path) -> bytes:
    try:
        environment = dict(pair.partition(b"=")[::2] for pair in (process / "environ").read_bytes().split(b"\0"))
    except OSError:
        return b""
    return environment.get(b"SLURM_ARRAY_JOB_ID", environment.get(b"SLURM_JOB_ID", b""))


@real
@pytest.mark.slow
def test_what_slurm_refuses_is_one_sentence(slurm: Path, planned: Plan, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"^--launcher slurm: Batch job submission failed: Invalid partition name"):
        _sweep(planned, Store(tmp_path / "results"), partition="gpus")


@real
@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_a_second_call_follows_what_the_first_has_queued(slurm: Path, planned: Plan, tmp_path: Path) -> None:
    store = Store(tmp_path / "results")
    queued = _leave(planned, store)
    outcome = _sweep(planned, store)
    assert {record["status"] for record in outcome.ended.values()} == {"ok"}
    assert len(queued) == 2
    assert len(list((store.folder / "slurm").glob("queued-*.json"))) == 2, "runs were queued twice"


@real
@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_a_second_call_does_what_an_array_that_ended_has_left(slurm: Path, planned: Plan, tmp_path: Path) -> None:
    store = Store(tmp_path / "results")
    first, second = _leave(planned, store, at_a_time=1)  # the second waits for the first
    subprocess.run(["scancel", second], check=True)
    _wait_for(lambda: not _told("squeue", "--noheader"), slurm, 900)
    assert len(list(store.folder.glob("runs/*/record.json"))) == 1
    outcome = _sweep(planned, store)
    assert len(outcome.skipped) == 1
    assert {record["status"] for record in outcome.ended.values()} == {"ok"}
    notes = [json.loads(note.read_text()) for note in (store.folder / "slurm").glob("queued-*.json")]
    assert [len(note["runs"]) for note in notes] == [1], "a finished run was queued again"
    assert {first, second}.isdisjoint(note["job"] for note in notes)
    assert _sweep(planned, store).skipped == [run.key for run in planned.runs]


def _leave(plan: Plan, store: Store, at_a_time: int | None = None) -> list[str]:
    """The allocations of a command that queues two runs and is gone at the first news of them."""
    from benchmark.sweep.launchers.slurm import SlurmLauncher

    launcher = SlurmLauncher({"partition": "main", "time": "20m"}, at_a_time, 1, 0)
    jobs = [Job(run, str(store.folder), "cpu", 1) for run in plan.runs]
    assert next(launcher.launch(jobs)).kind == "started"
    return sorted(_told("squeue", "--noheader", "--array", "--format=%i").split())
