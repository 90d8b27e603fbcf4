"""From what a person typed about machines (device, jobs, launcher, CPUs and GPUs a run) to a launcher and settings."""

import argparse
from pathlib import Path

import torch

from benchmark.data import datasets
from benchmark.machine import available_cores, thread_limit
from benchmark.records.store import Store
from benchmark.suite.plan import Plan
from benchmark.sweep.display import Display
from benchmark.sweep.launchers import Launcher, LocalLauncher
from benchmark.sweep.loggers import follow
from benchmark.sweep.room import free_on, jobs_that_fit, needs_of
from benchmark.sweep.runner import Outcome, Settings, run_plan
from benchmark.sweep.time_limit import seconds_of, stop_at
from benchmark.worker.memory import memory_free
from methods.core.usage import UsageError

TRIED = 8
"""Processes of a run that share fewer cores, to try what several devices do."""


def launch(plan: Plan, store: Store, options: argparse.Namespace, device: str) -> Outcome:
    """Do what is left of ``plan`` where the options say."""
    launcher, threads, beside = _launcher(plan, store, options, device)
    settings = Settings(
        "cuda" if options.launcher != "local" and device != "cpu" else device,  # a cluster says which GPUs a run sees
        threads=threads,
        plugins=tuple(str(Path(plugin).resolve()) for plugin in options.plugin),
        retry=tuple(options.retry),
        keep_checkpoints=options.keep_checkpoints,
        beside=beside,
        stop_at=stop_at(options.began, seconds_of(options.time_limit)) if options.time_limit else None,
    )
    display = Display()
    follower = follow(options.log, store, display.note)
    return run_plan(plan, store, launcher, settings, display, lambda: prepare(plan), follower)


def prepare(plan: Plan) -> None:
    """Once before the runs, so that a data set is fetched by one process, and what is wrong with it is said at once."""
    from benchmark.training.system import check_model  # and what is trained, which a check of options needn't wait for

    for given in {repr(run.dataset_options): run.dataset_options for run in plan.runs}.values():
        dataset = datasets.create(plan.suite.file.dataset.name, given)
        runs = [run for run in plan.runs if run.dataset_options == given]
        for model in {repr(run.config["model"]): run.config["model"] for run in runs if run.tokenizer is None}.values():
            check_model(model, dataset.item_shape)
        for prior in {run.config["prior"]["name"]: run for run in runs if run.tokenizer is not None}.values():
            from benchmark.priors.evaluation import check_data  # and metrics, which other suites needn't wait for

            check_data(prior.config, dataset)


def _launcher(plan: Plan, store: Store, options: argparse.Namespace, device: str) -> tuple[Launcher, int, int]:
    """The launcher, the threads of each run, and how many share a device."""
    processes = _processes(plan)
    for name, only in (("address", ("ray",)), ("gpus", ("ray", "slurm")), ("slurm", ("slurm",))):
        if getattr(options, name) not in (None, {}) and options.launcher not in only:
            raise UsageError(f"--{name} is for --launcher {' and '.join(only)}")
    _check_cpus(options.cpus, options.launcher)
    gpus = options.gpus if options.gpus is not None else float(processes if device != "cpu" else 0)
    if options.launcher == "slurm":
        if gpus != int(gpus):
            raise UsageError(f"--gpus takes a whole number, but for --launcher ray, not {gpus:g}")
        from benchmark.sweep.launchers.slurm import SlurmLauncher

        slurm = SlurmLauncher(options.slurm, options.jobs, options.cpus, gpus)
        return slurm, slurm.threads, slurm.together
    if options.launcher == "ray":
        from benchmark.sweep.launchers.ray import RayLauncher

        ray = RayLauncher(options.address, options.jobs, options.cpus, gpus)
        return ray, ray.threads, round(1 / gpus) if 0 < gpus < 1 else 1
    _check_devices(processes, device)
    jobs, threads = jobs_and_threads(plan, store, device, options.jobs)
    return LocalLauncher(jobs), int(options.cpus) if options.cpus else threads, jobs


def _check_cpus(cpus: float | None, launcher: str) -> None:
    if cpus is None or launcher == "ray":
        return
    if cpus != int(cpus):
        raise UsageError(f"--cpus takes a whole number, but for --launcher ray, not {cpus:g}")
    if launcher == "local" and cpus > (cores := available_cores()):
        raise UsageError(f"--cpus {cpus:g} is more than there are here: {cores} CPU{'s' if cores > 1 else ''}")


def jobs_and_threads(plan: Plan, store: Store | None, device: str, jobs: int | None = None) -> tuple[int, int]:
    """Runs at a time on this machine, ``jobs`` where that is given, and the CPU threads of each.

    ``OMP_NUM_THREADS`` is the most of these.
    """
    cores = available_cores()
    jobs = jobs or _room(plan, store, device, cores)
    return jobs, max(1, min(cores // jobs, thread_limit() or cores))


def _room(plan: Plan, store: Store | None, device: str, cores: int) -> int:
    """Of the runs of ``plan`` as many as fit; where each takes several GPUs, one."""
    processes, on_gpu = _processes(plan), device != "cpu"
    if len(plan.runs) < 2 or (on_gpu and processes > 1):
        return 1
    needs = needs_of(plan.runs, store, on_gpu=on_gpu)
    return jobs_that_fit(needs, max(1, cores // processes), memory_free(), free_on(device) if on_gpu else None)


def _processes(plan: Plan) -> int:
    """Of each run."""
    return max((run.devices for run in plan.runs), default=1)


def _check_devices(processes: int, device: str) -> None:
    if processes == 1:
        return
    if device == "cpu":
        if processes > max(available_cores(), TRIED):
            raise UsageError(f"training.devices is {processes:,}, but this machine has {available_cores()} cores")
        return
    if ":" in device:
        raise UsageError(f"training.devices is {processes}, but --device {device} is one; use --device cuda")
    if processes > torch.cuda.device_count():
        raise UsageError(f"training.devices is {processes}, but PyTorch sees {torch.cuda.device_count()} GPUs here")
