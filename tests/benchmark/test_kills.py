"""Real runners and workers killed at random moments: nothing lost, nothing done twice, the same numbers exactly."""

import json
import os
import random
import signal
import subprocess
import sys
import time
import uuid
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from benchmark.records.store import Store
from benchmark.suite.plan import plan_suite

Write = Callable[[dict[str, object] | str], str]
KILLS = 100
PLUGIN = """
import os
import benchmark.training.loop, benchmark.records.store
from methods import register
from methods.vq_vae import VQVAE

benchmark.training.loop.CHECKPOINT_SECONDS = 0.5  # so that kills meet half-written checkpoints too

def note(what):
    with open(os.environ["KILLS_LOG"], "a") as file:
        file.write(f"{what} {os.getpid()}\\n")

commit = benchmark.records.store.Store.write_record

def write_record(self, key, record):
    commit(self, key, record)
    note(f"committed {key}")

benchmark.records.store.Store.write_record = write_record

@register("nothing")  # a plug-in has to register something
class Nothing(VQVAE):
    pass

note("began")
"""


class Sweep:
    """Two runners on one results folder, started again whenever one is gone before all is done."""

    def __init__(self, suite: str, plugin: Path, results: Path) -> None:
        self.log = results.with_suffix(".log")
        self.log.touch()
        self.mark = uuid.uuid4().hex
        self.results = results
        command = ["run", suite, "--results", str(results), "--plugin", str(plugin), "--device", "cpu"]
        # One thread a run: two runners on few cores would mostly wait for each other's threads.
        self._command = [sys.executable, "-m", "benchmark", *command, "--jobs", "1", "--cpus", "1"]
        self._environment = {**os.environ, "KILLS_LOG": str(self.log), "KILLS_MARK": self.mark, "OMP_NUM_THREADS": "1"}
        self._runners: list[subprocess.Popen[bytes]] = []
        self.errors = results.with_suffix(".errors")

    def keep_running(self, count: int) -> bool:
        """Start runners anew that were killed or lost a worker; False as soon as one has ended well: all is done."""
        if any(runner.poll() == 0 for runner in self._runners):
            return False
        self._runners = [runner for runner in self._runners if runner.poll() is None]
        while len(self._runners) < count:
            with self.errors.open("ab") as errors:
                self._runners.append(
                    subprocess.Popen(
                        self._command, env=self._environment, stdout=errors, stderr=errors, start_new_session=True
                    )
                )
        return True

    def finish(self) -> None:
        """One runner, undisturbed, to the end."""
        for runner in self._runners:
            runner.wait()
        while self.keep_running(1):
            time.sleep(0.2)

    def processes(self) -> list[int]:
        """Runners and workers of this sweep, orphans too."""
        found = []
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                if f"KILLS_MARK={self.mark}".encode() in (folder / "environ").read_bytes():
                    found.append(int(folder.name))
            except OSError:
                continue
        return found

    def lines(self) -> list[str]:
        """What workers noted."""
        return self.log.read_text().splitlines()


def kill_some(sweep: Sweep, chance: random.Random) -> int:
    """SIGKILL to one process, or to all at once; how many that were."""
    targets = sweep.processes()
    if not targets:
        return 0
    if chance.random() > 0.2:
        targets = [chance.choice(targets)]
    for target in targets:
        try:
            os.kill(target, signal.SIGKILL)
        except ProcessLookupError:
            continue
    return len(targets)


@pytest.mark.slow
def test_a_hundred_random_kills(tiny: dict[str, object], write_suite: Write, tmp_path: Path) -> None:
    plugin = tmp_path / "plugin.py"
    plugin.write_text(PLUGIN)
    tiny["training"] = {"steps": 200, "batch_size": 8, "learning_rate": 1e-3, "ema_decay": 0.99}
    suite = write_suite({**tiny, "seeds": 2, "methods": ["vq_vae_ema", "simvq"]})
    keys = {run.key for run in plan_suite(suite).runs}

    undisturbed = Sweep(suite, plugin, tmp_path / "undisturbed")
    undisturbed.finish()
    expected = metrics(undisturbed, keys)

    chance, kills, sweeps = random.Random(0), 0, 0
    while kills < KILLS:
        sweep = Sweep(suite, plugin, tmp_path / f"disturbed-{sweeps}")
        sweeps += 1
        seen = 0
        while kills < KILLS and sweep.keep_running(2):
            # Mostly some time after another worker began to train, so that there is something to lose; else any time.
            if len(sweep.lines()) > seen or chance.random() < 0.02:
                seen = len(sweep.lines())
                time.sleep(chance.uniform(0, 2))
                kills += kill_some(sweep, chance)
            time.sleep(0.1)
        sweep.finish()
        assert metrics(sweep, keys) == expected
        committed = Counter(line.split()[1] for line in sweep.lines() if line.startswith("committed"))
        assert set(committed.values()) <= {1}, "a run was done twice"
        assert not list(sweep.results.rglob("runs/*/.*.*"))
        assert "Traceback" not in sweep.errors.read_text(), sweep.errors.read_text()
    print(f"{kills} kills in {sweeps} sweeps of {len(keys)} runs")


def metrics(sweep: Sweep, keys: set[str]) -> dict[str, object]:
    """Of every run; no record is missing, none is not whole, none did not end well."""
    records, problems = Store(sweep.results / "tiny", read_only=True).survey(sorted(keys))
    assert not problems
    assert set(records) == keys
    assert {record["status"] for record in records.values()} == {"ok"}
    return {key: json.dumps(record["metrics"]) for key, record in records.items()}
