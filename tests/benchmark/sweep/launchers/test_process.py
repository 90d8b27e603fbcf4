"""Workers are forks of a server and end as processes of their own do, whatever becomes of the server."""

import errno
import os
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from benchmark.suite.plan import plan_suite
from benchmark.sweep.launchers import forked, process
from benchmark.sweep.launchers.forked import ForkedProcess
from benchmark.sweep.launchers.process import End, WorkerProcess
from benchmark.worker.channel import Ending
from benchmark.worker.job import Job
from methods import load_plugin
from methods.core.usage import UsageError

pytestmark = pytest.mark.usefixtures("own_registries")

PLUGIN = """
import os, sys, time
from methods import register
from methods.vq_vae import VQVAE

@register("says_where_it_is")
class SaysWhereItIs(VQVAE):
    def parameter_groups(self, lr):
        print(os.getppid(), os.getcwd(), sys.path[0], os.environ.get("PLANTED"), os.getsid(0) == os.getpid())
        sys.stderr.write("on standard error")
        sys.stdout.flush()
        os._exit(7)

@register("waits")
class Waits(VQVAE):
    def parameter_groups(self, lr):
        open(f"{os.getpid()}.waiting", "w").close()
        time.sleep(60)
"""


@pytest.fixture
def start(
    tiny: dict[str, object],
    write_suite: Callable[[dict[str, object] | str], str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Callable[..., WorkerProcess]:
    """The worker of a method on vectors."""
    del tiny["evaluation"]
    plugin = tmp_path / "plugin.py"
    plugin.write_text(PLUGIN)
    load_plugin(plugin)
    data = {"name": "planted", "kind": "clustered", "test_items": 64}
    suite = {**tiny, "dataset": data, "model": "identity", "methods": ["says_where_it_is", "waits"]}
    runs = {run.config["method"]: run for run in plan_suite(write_suite(suite)).runs}
    monkeypatch.chdir(tmp_path)

    def started(method: str, device: str = "cpu") -> WorkerProcess:
        return WorkerProcess(Job(runs[method], str(tmp_path / "results"), device, 1, (str(plugin),), held=True))

    return started


def _end(worker: WorkerProcess) -> End:
    for _ in worker.progress():
        pass
    return worker.end()


def test_workers_are_forks_of_one_server_and_end_as_processes_do(
    start: Callable[..., WorkerProcess], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of the server that other tests have started, if they have: an own one would import for three seconds."""
    servers = set()
    for number in range(2):
        folder = tmp_path / str(number)
        folder.mkdir()
        monkeypatch.chdir(folder)
        monkeypatch.setenv("PLANTED", f"at {number}")
        end = _end(start("says_where_it_is"))
        parent, told = end.message.split(maxsplit=1)
        assert told == f"{folder} {folder} at {number} True\non standard error"
        assert end.exit_code == 7
        servers.add(int(parent))
    (pid,) = servers
    assert pid != os.getpid()

    stopped, killed, last = (start("waits") for _ in range(3))
    while len(list(Path().glob("*.waiting"))) < 3:
        assert not last.wait(0.05)
    killed.kill()
    assert killed.wait(10)
    assert _end(killed).exit_code == -signal.SIGKILL
    killed.kill()  # which is gone
    os.kill(pid, signal.SIGTERM)  # as pkill may send it: the server has to tell how workers end
    stopped.ask_to_stop()
    assert _end(stopped) == End(1, "", False, Ending.STOPPED)

    monkeypatch.setattr(forked, "END_SECONDS", 0.0)
    server = forked._servers.pop(forked.key_of(process.environment_of(1)))  # others then start another
    server.close()
    assert not last.wait(0.0), "it goes on without its runner"
    last.ask_to_stop()
    assert _end(last).ending == Ending.STOPPED
    monkeypatch.setattr(forked, "END_SECONDS", 10.0)
    server.close()
    assert not Path("/proc", str(pid)).exists(), "and its server until then"


def test_what_a_dead_server_forked_is_ended() -> None:
    with subprocess.Popen(["sleep", "60"]) as process:
        told, tell = os.pipe()
        os.write(tell, b"%d\n" % process.pid)
        worker = ForkedProcess(told)
        assert worker.poll() is None
        with pytest.raises(subprocess.TimeoutExpired):
            worker.wait(0.01)
        os.close(tell)
        assert worker.wait() == worker.poll() == process.wait() == -signal.SIGKILL


class Dead:
    """A server that is gone."""

    def fork(self, *_: object) -> ForkedProcess:
        raise EOFError

    def close(self) -> None:
        pass


@pytest.mark.parametrize(("device", "module"), [("cpu", "benchmark.worker.forks"), ("cuda:0", "benchmark.worker")])
def test_a_process_of_its_own_where_there_is_a_device_or_the_server_is_dead(
    start: Callable[..., WorkerProcess], monkeypatch: pytest.MonkeyPatch, device: str, module: str
) -> None:
    """And a system that has no room for it says so."""
    commands = []

    def full(command: list[str], **_: object) -> None:
        commands.append(command)
        raise OSError(errno.EAGAIN, "Resource temporarily unavailable")

    monkeypatch.setattr(subprocess, "Popen", full)
    open_before = os.listdir("/proc/self/fd")
    for servers in ({}, {forked.key_of(process.environment_of(1)): Dead()}):
        monkeypatch.setattr(forked, "_servers", servers)
        with pytest.raises(UsageError, match="^no further process can be started: Resource .* try fewer --jobs$"):
            start("waits", device)
    assert os.listdir("/proc/self/fd") == open_before
    assert [command[2] for command in commands] == [module, "benchmark.worker"]
