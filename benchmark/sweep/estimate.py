"""How long the runs that are left may take: from finished runs, or from a few timed steps."""

import itertools
import time
from dataclasses import dataclass
from statistics import mean

import torch

from benchmark.data import Dataset, datasets
from benchmark.machine import memory
from benchmark.metrics.base import ReconstructionMetrics
from benchmark.records.run import Run, tokenizer_of
from benchmark.records.store import Store
from benchmark.suite.memory import bytes_needed
from benchmark.suite.plan import Plan
from benchmark.sweep.room import shape
from benchmark.training.batches import DeviceSplit
from benchmark.training.evaluation import quality_metrics
from benchmark.training.layerwise import trainer_of
from benchmark.training.loop import HISTORY_POINTS, wait_for
from benchmark.training.trainer import Trainer
from benchmark.worker.verdict import is_out_of_memory
from methods import get

_WARM_UP, _TIMED = 2, 3
_SHARE = 0.5  # of the memory there is, which a run that is timed may need


@dataclass(frozen=True)
class Cost:
    """What a run of some shape takes, in seconds: a step, and all that is no step."""

    step: float
    fixed: float


def estimate_seconds(plan: Plan, left: list[Run], store: Store | None, device: torch.device) -> tuple[float, str]:
    """Seconds that the runs ``left`` take, added up, and on what the figure rests."""
    known = _finished(plan, store)
    seconds, timed, untimed = 0.0, 0, 0
    costs: dict[str, Cost | None] = {}
    start = time.process_time()  # what a process takes until it can train, as this one
    for run in left:
        if run.pretrained is not None:
            continue  # its evaluation alone, which nothing here foretells
        place = shape(run)
        if place in known:
            seconds += known[place]
            continue
        if place not in costs:
            costs[place] = _cost(run, device, start)
            timed += costs[place] is not None
        if (cost := costs[place]) is None:
            untimed += 1
            continue
        seconds += cost.step * run.steps + cost.fixed
    basis = f"{timed} timed for {_TIMED} steps each" if timed else "from finished runs"
    return seconds, f"{basis}; without {untimed} that may need more memory than there is" if untimed else basis


def _finished(plan: Plan, store: Store | None) -> dict[str, float]:
    totals: dict[str, list[float]] = {}
    for run in plan.runs:
        record = store.record(run.key) if store else None
        if record is not None and record["status"] == "ok":
            totals.setdefault(shape(run), []).append(record["timings"]["total_seconds"])
    return {place: mean(values) for place, values in totals.items()}


def _cost(run: Run, device: torch.device, start: float) -> Cost | None:
    """A few steps and two batches of the evaluation, timed, and the start of a process, which this one had too.

    None where weights, gradients and moments might not fit, or do not: the run has a process of its own to find out.
    """
    try:
        return _timed(run, device, start)
    except Exception as error:
        if not is_out_of_memory(error):
            raise
        return None


def _timed(run: Run, device: torch.device, start: float) -> Cost | None:
    if run.tokenizer is not None:
        return _prior_cost(run, device, start)
    config = run.config
    method, size, dim = get(config["method"]), config["codebook_size"] or 1, config["model"].get("latent_dim", 1)
    needed, there = bytes_needed(method, size, dim, config["params"]), memory(device.type)
    if needed is not None and there is not None and 4 * needed > _SHARE * there:
        return None
    dataset = datasets.create(config["dataset"]["name"], run.dataset_options)
    begun = time.monotonic()
    trainer = trainer_of(config, dataset, device)
    quality = quality_metrics(dataset, config["evaluation"], device)
    made = time.monotonic() - begun
    evaluation = _evaluation_seconds(trainer, dataset, quality, device)
    return Cost(trainer.seconds_a_step(_WARM_UP, _TIMED), start + made + evaluation)


def _prior_cost(run: Run, device: torch.device, start: float) -> Cost:
    """As `_timed`, of a prior on the codes of a tokenizer that is not trained yet: some codes, some samples."""
    from benchmark.priors import is_native
    from benchmark.priors.sampling import BATCH, draw  # and metrics, which other plans needn't wait for
    from benchmark.priors.tokenizer import Tokenizer
    from benchmark.priors.training import Codes, PriorTrainer, Split

    config, named = run.config, tokenizer_of(run.config)
    dataset = datasets.create(named["dataset"]["name"], run.dataset_options)
    tokenizer = Tokenizer.of_run(named, None, dataset, device, native=is_native(config["prior"]))
    begun = time.monotonic()
    few = dataset.test[: dataset.evaluation_batch]
    index = tokenizer.encode(few)
    wait_for(device)
    encode = (time.monotonic() - begun) / len(few)
    labels = torch.zeros(len(index), dtype=torch.int64, device=device) if config["classes"] else None
    split = Split(index, labels)
    trainer = PriorTrainer(config, Codes(split, split, split), tokenizer.joint.digits, tokenizer.positions, device)
    step = trainer.seconds_a_step(_WARM_UP, _TIMED)
    begun = time.monotonic()
    draw(trainer.prior, BATCH, 0)
    wait_for(device)
    images = config["sampling"]["images"]
    if (guidance := config.get("guidance")) is not None:  # with a class and without: twice the work
        images += 2 * (images + len(guidance["strengths"]) * guidance["images"])
    sampling = (time.monotonic() - begun) / BATCH * images
    return Cost(step, start + encode * (len(dataset.train) + len(dataset.validation) + len(dataset.test)) + sampling)


@torch.no_grad()
def _evaluation_seconds(
    trainer: Trainer, dataset: Dataset, quality: ReconstructionMetrics, device: torch.device
) -> float:
    """Of all metrics over the test set, and of what else is seen without a gradient, by the second of two batches."""
    system, size = trainer.trained.eval(), dataset.evaluation_batch
    seen = metrics = 0.0
    for originals in itertools.islice(DeviceSplit(dataset.test, dataset.to_input, device).batches(size), 2):
        begun = time.monotonic()
        reconstructions, _, _ = system(originals)
        wait_for(device)
        seen, begun = (time.monotonic() - begun) / len(originals), time.monotonic()
        quality.update(originals, reconstructions)
        wait_for(device)
        metrics = (time.monotonic() - begun) / len(originals)
    others = len(dataset.validation) + HISTORY_POINTS * len(trainer.probe)
    if trainer.config["evaluation"].get("training_codes"):
        others += len(dataset.train)
    return len(dataset.test) * (seen + metrics) + others * seen
