"""What the commands do that plan and train: each takes the parsed options, prints, and returns the exit code."""

import argparse
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import torch

from benchmark.hints import command
from benchmark.machine import find_device
from benchmark.records.files import read_rows
from benchmark.records.plain import one_line, printable
from benchmark.records.record import STATUSES
from benchmark.records.run import Run, label_of
from benchmark.records.store import Store
from benchmark.report.mark import is_whole
from benchmark.report.write import write_reports
from benchmark.suite.cell import check_any, without_run
from benchmark.suite.choices import chosen_before, write_choices
from benchmark.suite.plan import Cell, Plan, plan_suite
from benchmark.suite.plan_file import write_plan
from benchmark.suite.tuning import Tuner, choices_path, known_errors, write_response
from benchmark.sweep.display import Display, duration
from benchmark.sweep.launchers import LocalLauncher
from benchmark.sweep.launching import jobs_and_threads, launch
from benchmark.sweep.time_limit import seconds_of
from benchmark.sweep.verify import find_record, verify_run
from methods import UsageError
from methods.core.usage import check_count, did_you_mean


def run(options: argparse.Namespace) -> int:
    """Train what is left of a suite, then write tables and plots."""
    _check_options(options)
    device = _device(options.device, options.launcher)
    plan = _plan(options, device)
    check_any(plan.suite.name, plan.cells)
    store = Store(Path(options.results) / plan.suite.name)
    write_plan(plan, store)
    print(one_line(f"{plan.suite.name}: {plan.suite.file.question}"), file=sys.stderr)
    for sentence in [*plan.unavailable, *plan.untuned, *plan.without_prior]:
        print(one_line(sentence), file=sys.stderr)
    outcome = launch(plan, store, options, device)
    write_plan(plan, store)  # with what others finished here in the meantime
    if is_whole(store.folder):
        print(f"nothing new; tables and plots are in {store.folder}")
    elif outcome.ended:
        write_reports([store.folder])
    if outcome.failed:
        print(f"{len(outcome.failed)} runs did not end well: {', '.join(outcome.failed[:5])}", file=sys.stderr)
        print(f"reasons and tracebacks: {command('status', options.suite, options)}", file=sys.stderr)
    for key, reason in outcome.lost.items():
        print(one_line(f"{key}: {reason}; the same command goes on with it"), file=sys.stderr)
    return 130 if outcome.interrupted else int(bool(outcome.failed or outcome.lost or plan.lacks_weights))


def tune(options: argparse.Namespace) -> int:
    """Spend the same trials on every arm and write the choices by validation error."""
    _check_options(options)
    device = _device(options.device, options.launcher)
    path = choices_path(options.suite, options.set)
    known = {} if STATUSES[0] in options.retry else known_errors(read_rows(path.with_suffix(".csv")))
    tuner = Tuner(options.suite, options.set, options.methods, torch.device(device).type, known)
    others = chosen_before(path, tuner.empty_choices()) if options.methods else {}
    store = Store(Path(options.results) / f"{tuner.name}@tuning")
    while (trials := tuner.next_plan()) is not None:
        interrupted = launch(trials, store, options, device).interrupted
        tuner.learn(store)
        choices = tuner.choices()
        write_response(path.with_suffix(".csv"), tuner.rows(choices))  # also half-way: none is run a second time
        if interrupted:
            return 130
    for sentence in without_run(tuner.without):
        print(one_line(sentence), file=sys.stderr)
    choices = tuner.choices()
    write_choices(path, choices.model_copy(update={"arms": {**others, **choices.arms}}))
    for arm, choice in ((arm, choice) for arm, found in choices.arms.items() for choice in found):
        settings = ", ".join(f"{key} {value}" for key, value in choice.params.items())
        end = f"  (nothing tried beyond this {' and '.join(choice.at_end)})" if choice.at_end else ""
        error = f"error {choice.validation_error:.4f}"
        print(f"{arm:<20} K = {choice.codebook_size:>7,}  rate {choice.learning_rate:.3g} {settings}  {error}{end}")
    print(f"{path} ({choices.sentence}); a suite refers to it as `tuned: tuned/{path.name}`")
    for arm, size in (untuned := tuner.without_choice(choices)):
        no_choice = f"{arm} at K = {size:,}: no setting ended well, so it has no choice"
        print(f"{no_choice}; records are in {store.folder}", file=sys.stderr)
    return int(bool(untuned))


def plan(options: argparse.Namespace) -> int:
    """Say what is done, failed and left, and how long it may take."""
    device = _device(options.device)
    planned = _plan(options, device)
    store = _existing(options, planned)
    print(one_line(f"{planned.suite.name}: {planned.suite.file.question}"))
    if planned.suite.file.needs:
        print(one_line(f"needs {planned.suite.file.needs}"))
    runs: dict[str, Run] = {}
    seen: set[str] = set()
    for (arm, size, point), cells in _by_place(planned).items():
        reasons = {cell.unavailable for cell in cells if cell.unavailable}
        states: Counter[str] = Counter()
        for run in (cell.run for cell in cells if cell.run is not None):
            record = store.record(run.key) if store else None
            if not run.is_finished(record):
                runs[run.key] = run
                record = None
            # A run without a codebook stands at every size.
            states[(record["status"] if record else "left") + " (counted above)" * (run.key in seen)] += 1
            seen.add(run.key)
        text = f"unavailable: {reasons.pop()}" if reasons else ", ".join(f"{n} {s}" for s, n in states.items())
        where = "".join(f"{name} = {value}  " for name, value in point)
        print(f"  {arm:<20} K = {size:>7,}  {one_line(f'{where}{text}')}")
    for sentence in planned.untuned:
        print(f"  {sentence}")
    runs |= {run.key: run for run in _priors_left(planned, store)}
    print(f"{len(planned.runs) - len(runs)} of {len(planned.runs)} runs done, {len(runs)} left")
    if runs:
        # The whole training, which other commands needn't wait for.
        from benchmark.sweep.estimate import estimate_seconds

        jobs, threads = jobs_and_threads(planned, store, device)
        torch.set_num_threads(threads)
        seconds, basis = estimate_seconds(planned, list(runs.values()), store, torch.device(device))
        print(f"about {duration(seconds / jobs)} on {device} with {jobs} at a time ({basis})")
    return int(planned.lacks_weights or not planned.runs)


def _priors_left(planned: Plan, store: Store | None) -> list[Run]:
    """The priors of ``planned`` that are not finished; says how many are, and which arms have none."""
    found = []
    for name, cells in (("priors", planned.priors), ("second priors", planned.second)):
        priors = {prior.run.key: prior.run for prior in cells if prior.run is not None}
        left = [run for key, run in priors.items() if not run.is_finished(store.record(key) if store else None)]
        found += left
        if cells:
            print(f"  {name}: {len(priors) - len(left)} of {len(priors)} done")
    for sentence in planned.without_prior:
        print(f"  {sentence}")
    return found


def _by_place(planned: Plan) -> dict[tuple[Any, ...], list[Cell]]:
    """The cells of each arm at each point of the grid, one a seed."""
    places: dict[tuple[Any, ...], list[Cell]] = {}
    for cell in planned.cells:
        places.setdefault((cell.arm, cell.codebook_size, tuple(cell.point.items())), []).append(cell)
    return places


def status(options: argparse.Namespace) -> int:
    """Show every run that did not end well, with its reason."""
    planned = _plan(options, _device(options.device))
    store = _existing(options, planned)
    keys = [run.key for run in planned.runs]
    records, problems = store.survey(keys) if store else ({}, [])
    counts = Counter(_state(key, records, store) for key in keys)
    print(f"{planned.suite.name}: " + (", ".join(f"{count} {state}" for state, count in counts.items()) or "no runs"))
    for sentence in planned.unavailable:
        print(f"  {one_line(sentence)}")
    for problem in problems:
        print(f"  {one_line(problem)}; the run will be done again")
    bad = {key: record for key, record in records.items() if record["status"] != "ok"}
    for key, record in bad.items():
        label = label_of(key, record["arm"], record["config"])
        print()
        print(one_line(f"{label}: {record['status']}: {record['reason']}"))
        if record["traceback"]:
            print(printable("    " + record["traceback"].rstrip().replace("\n", "\n    ")))
    return int(bool(bad))


def _state(key: str, records: dict[str, dict[str, Any]], store: Store | None) -> str:
    if key in records:
        return str(records[key]["status"])
    return "running" if store and store.is_claimed(key) else "left"


def verify(options: argparse.Namespace) -> int:
    """Run a record's configuration again and compare every number."""
    path = find_record(options.run, Path(options.results))
    data = {name.removeprefix("dataset."): value for name, value in options.set.items()}
    device = None if options.device == "auto" else _device(options.device)
    plugins = [str(Path(plugin).resolve()) for plugin in options.plugin]
    result = verify_run(path, LocalLauncher(1), Display(), device, data, plugins)
    for name, recorded, again in result.surroundings:
        print(one_line(f"{name}: recorded with {recorded}, now {again}"))
    if not result.differences:
        print(f"{result.record['key']}: all {result.compared} numbers are the same to the last digit")
        return 0
    for name, recorded, again in result.differences[:20]:
        print(one_line(f"{name}: recorded {recorded}, now {again}"))
    print(f"{result.record['key']}: {len(result.differences)} of {result.compared} numbers differ")
    return 1


def sensitivity(options: argparse.Namespace) -> int:
    """Write a table of what known changes of images do to every metric."""
    from benchmark.sensitivity import write_sensitivity  # the reports, which other commands needn't wait for

    for path in write_sensitivity(Path(options.results)):
        print(path)
    return 0


def _check_options(options: argparse.Namespace) -> None:
    """What can be said before a suite is read."""
    if options.time_limit is not None:
        seconds_of(options.time_limit)
    for name in options.retry:
        if name not in STATUSES:
            raise UsageError(f"--retry takes a status: {', '.join(STATUSES)}{did_you_mean(name, STATUSES)}")


def _plan(options: argparse.Namespace, device: str) -> Plan:
    if options.seeds:
        from benchmark.suite.schema import MOST_SEEDS

        check_count("--seeds", options.seeds, MOST_SEEDS)
    seeds = list(range(options.seeds)) if options.seeds else None
    kind = torch.device(device).type
    return plan_suite(
        options.suite,
        overrides=options.set,
        methods=options.methods,
        seeds=seeds,
        device=kind,
        results=Path(options.results),
    )


def _existing(options: argparse.Namespace, planned: Plan) -> Store | None:
    folder = Path(options.results) / planned.suite.name
    return Store(folder, read_only=True) if (folder / "runs").is_dir() else None


def _device(name: str, launcher: str = "local") -> str:
    if launcher != "local" and name == "cuda":  # the cluster's, not this machine's
        return name
    return str(find_device(name))
