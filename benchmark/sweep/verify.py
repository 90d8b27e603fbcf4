"""Does a record come out again? A recorded configuration is run once more and every number compared."""

import shutil
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import torch

from benchmark.data import datasets
from benchmark.priors import PRIORS
from benchmark.records.files import read_rows
from benchmark.records.record import BadRecordError
from benchmark.records.run import KEY, WEIGHTS, Run, run_key, tokenizer_of, why_not_trained
from benchmark.records.store import RECORD, Store, read_whole
from benchmark.sweep.display import Display
from benchmark.sweep.launchers import Launcher
from benchmark.worker.job import Job
from methods import UsageError, get
from methods.core.plugins import check_sources

NOT_COMPARED = ("seconds",)
"""Columns of the history that no two runs share."""


class Difference(NamedTuple):
    """A number that came out differently."""

    name: str
    recorded: Any
    again: Any


class Verification(NamedTuple):
    """How many numbers were compared, which differ, and what of the surroundings is not as it was."""

    record: dict[str, Any]
    compared: int
    differences: list[Difference]
    surroundings: list[Difference]


def find_record(run: str, results: Path) -> Path:
    """The record file of a run: a key, looked for in every suite's folder, or a path to the run's folder.

    Raises:
        UsageError: there is none, or more than one.
    """
    if not KEY.fullmatch(run):
        path = Path(run).expanduser()
        path = path if path.name == RECORD else path / RECORD
        if not path.is_file():
            raise UsageError(f"{run} is no key of a run (simvq-K1024-s0-1a2b3c4d) and no folder with a {RECORD}")
        return path.resolve()
    found = sorted(results.glob(f"*/runs/{run}/{RECORD}"))
    if not found:
        raise UsageError(f"there is no record of {run} in {results}; name another folder with --results")
    if len(found) > 1:
        raise UsageError(f"{run} is in {' and '.join(str(path.parent) for path in found)}; name one of these folders")
    return found[0].resolve()


def verify_run(
    path: Path, launcher: Launcher, display: Display, device: str | None, options: Mapping[str, Any], plugins: list[str]
) -> Verification:
    """Do the run of the record in ``path`` again, on as many threads and processes, and compare.

    A prior is trained again on the codes of its tokenizer: by the weights that this kept beside it, and where there are
    none the tokenizer is trained again first, of which ``surroundings`` tells.

    Args:
        path: the record file.
        launcher: where it runs.
        display: shows how far it is.
        device: ``cpu`` or ``cuda``; None for the kind that the record was made on.
        options: of the data set, for those that a record does not hold: a path.
        plugins: files with methods.

    Raises:
        UsageError: the record can't be verified here: it is not whole, did not end well, is of another version of
            its method, or the data are not those it was made from.
    """
    record = _verifiable(path)
    made_on = record["provenance"]
    kind = device or ("cpu" if made_on.get("device") == "cpu" else "cuda")
    if kind != "cpu" and not torch.cuda.is_available():
        raise UsageError(f"{record['key']} was made on {made_on.get('device')}, and PyTorch sees no CUDA device here")
    processes = int(made_on.get("processes", 1))
    run = Run(
        record["key"],
        record["arm"],
        record["suite"],
        record["config"],
        _dataset_options(record, options),
        devices=processes,
        deterministic=bool(made_on.get("deterministic", False)),
        tokenizer=made_on.get("tokenizer"),
    )
    threads = int(made_on.get("threads", 1)) * processes
    with tempfile.TemporaryDirectory(prefix="verify-") as folder:
        store = Store(Path(folder))

        def do(one: Run) -> dict[str, Any]:
            display.begin([one])
            for event in launcher.launch([Job(one, folder, kind, threads, plugins=tuple(plugins))]):
                display.show(event)
            display.close()
            found = store.record(one.key)
            if found is None or found["status"] != "ok":
                reason = found["reason"] if found else "ended from outside"
                raise UsageError(f"{one.key} ended well when it was recorded; now: {reason}")
            return found

        trained = [] if run.tokenizer is None else _with_tokenizer(run, path, store, do)
        again = do(run)
        compared = _numbers(record, path.parent)
        found = _numbers(again, store.run_folder(run.key))
    # Of what a shorter run began, the record has the rows that both lengths have.
    names = list(compared if "continued" in made_on else dict.fromkeys([*compared, *found]))
    pairs = [Difference(name, compared.get(name), found.get(name)) for name in names]
    differing = [pair for pair in pairs if pair.recorded != pair.again]
    return Verification(record, len(names), differing, [*trained, *_surroundings(made_on, again["provenance"])])


def _with_tokenizer(run: Run, path: Path, store: Store, do: Callable[[Run], dict[str, Any]]) -> list[Difference]:
    """Put the tokenizer of the prior ``run`` into ``store``, and say so where it had to be trained again."""
    assert run.tokenizer is not None
    config = tokenizer_of(run.config)
    beside = path.parents[1] / run.tokenizer
    try:
        kept = read_whole(beside)
    except (FileNotFoundError, BadRecordError):
        kept = None
    if kept is not None and kept["status"] == "ok" and kept["config"] == config and WEIGHTS in kept.get("files", {}):
        shutil.copytree(beside, store.run_folder(run.tokenizer), dirs_exist_ok=True)
        return []
    _check_trained(run.tokenizer, config, "its weights are not beside it, and ")
    do(replace(run, key=run.tokenizer, config=config, keep="weights", tokenizer=None))
    return [Difference("tokenizer", "the weights that it kept", "those of a new training")]


def _verifiable(path: Path) -> dict[str, Any]:
    try:
        record = read_whole(path.parent)
    except BadRecordError as error:
        raise UsageError(str(error)) from error
    config = record["config"]
    if record["status"] != "ok":
        raise UsageError(f"{record['key']} did not end well ({record['status']}); only a run that did can be verified")
    if record["key"] not in (run_key(config), run_key(config, long=True)):
        raise UsageError(f"{path}: its configuration is not the one that its key names")
    named = tokenizer_of(config)
    if named is config:
        _check_trained(record["key"], config)
    else:
        name = config["prior"]["name"]
        if name not in PRIORS:
            raise UsageError(f"{record['key']} is of the prior `{name}`, which is not here")
        _check_version(record["key"], name, config["prior"], PRIORS[name].version)
    _check_version(record["key"], named["method"], named, get(named["method"]).version)
    check_sources(named.get("plugins", {}))
    return record


def _check_version(key: str, name: str, recorded: dict[str, Any], here: int) -> None:
    if here != recorded.get("version"):
        raise UsageError(f"{key} is of version {recorded.get('version')} of `{name}`; here is version {here}")


def _check_trained(key: str, config: dict[str, Any], but: str = "") -> None:
    """Raise a `UsageError` unless the run was trained from the start; ``but``: what stands before why that matters."""
    if (why := why_not_trained(config)) is not None:
        which = "trained from the start" if "init_from" in config else "trained"
        raise UsageError(f"{key}: {but}{why}; only what was {which} can be verified")


def _dataset_options(record: dict[str, Any], options: Mapping[str, Any]) -> dict[str, Any]:
    """What the data set is opened with: as recorded, and a path from who asks, since records hold none."""
    recorded = tokenizer_of(record["config"])["dataset"]
    identity = {name: value for name, value in recorded.items() if name != "name"}
    name = recorded["name"]
    known = list(datasets.parameters(name))
    given = {**{option: value for option, value in identity.items() if option in known}, **options}
    try:
        found = datasets.identity(name, given)
    except UsageError as error:
        raise UsageError(f"{error}; a record holds no paths, name it with --set dataset.path=FOLDER") from error
    if found != identity:
        differing = [key for key in {**identity, **found} if identity.get(key) != found.get(key)]
        raise UsageError(f"the data are not those that {record['key']} was made from: other {', '.join(differing)}")
    return given


def _numbers(record: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Every metric, and every value of the history where there is one."""
    numbers = dict(record["metrics"])
    for row in read_rows(folder / "history.csv"):
        step = row.get("step", "")
        numbers |= {f"{name} at step {step}": value for name, value in row.items() if name not in NOT_COMPARED}
    return numbers


def _surroundings(before: dict[str, Any], now: dict[str, Any]) -> list[Difference]:
    old, new = _flat(before), _flat(now)
    return [Difference(name, old[name], new.get(name)) for name in old if old[name] != new.get(name)]


def _flat(provenance: dict[str, Any]) -> dict[str, Any]:
    """What can make numbers differ: versions, machine, and the test data by their hash, wherever they were found."""
    found = {name: value for name, value in provenance.items() if name not in ("packages", "platform", "dirty", "data")}
    data = {"test data": provenance["data"]["test_sha256"]} if "data" in provenance else {}
    return {**found, **provenance.get("packages", {}), **data}
