"""How long the runs that are left may take: from finished runs, or from a few timed steps."""

import itertools
import time
from dataclasses import dataclass
from statistics import mean

import torch
from tqdm import tqdm

from benchmark.data import datasets
from benchmark.machine import memory
from benchmark.records.run import Run, tokenizer_of
from benchmark.records.store import Store
from benchmark.suite.memory import bytes_needed
from benchmark.suite.plan import Plan
from benchmark.sweep.room import shape
from benchmark.training.batches import DeviceSplit
from benchmark.training.evaluation import quality_metrics
from benchmark.training.layerwise import trainer_of
from benchmark.training.loop import HISTORY_POINTS, SLOW_STEP, wait_for
from benchmark.training.trainer import Trainer
from benchmark.worker.verdict import is_out_of_memory
from methods import get

_WARM_UP, _TIMED = 2, 3  # steps; of slow ones fewer
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
    timer = Timer(device)
    # Shown on a terminal: of a large model with many sizes each takes some seconds.
    for run in tqdm(left, desc="timing a few steps", unit="run", leave=False, disable=None):
        if run.pretrained is not None:
            continue  # its evaluation alone, which nothing here foretells
        place = shape(run)
        if place in known:
            seconds += known[place]
            continue
        if place not in costs:
            costs[place] = timer.cost(run)
            timed += costs[place] is not None
        if (cost := costs[place]) is None:
            untimed += 1
            continue
        seconds += cost.step * run.steps + cost.fixed
    basis = f"{timed} timed for a few steps each" if timed else "from finished runs"
    return seconds, f"{basis}; without {untimed} that may need more memory than there is" if untimed else basis


def _finished(plan: Plan, store: Store | None) -> dict[str, float]:
    totals: dict[str, list[float]] = {}
    for run in plan.runs:
        record = store.record(run.key) if store else None
        if record is not None and record["status"] == "ok":
            totals.setdefault(shape(run), []).append(record["timings"]["total_seconds"])
    return {place: mean(values) for place, values in totals.items()}


class Timer:
    """Times runs one after another on ``device``; the data and metrics of the last are kept for the next."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._start = time.process_time()  # what a process takes until it can train, as this one
        self._measured: tuple[object, Measured] | None = None

    def cost(self, run: Run) -> Cost | None:
        """A few steps and two batches of the evaluation, timed, and the start of a process, which this one had too.

        None where weights, gradients and moments might not fit, or do not: the run's own process will find out.
        """
        try:
            return self._timed(run)
        except Exception as error:
            if not is_out_of_memory(error):
                raise
            return None

    def _timed(self, run: Run) -> Cost | None:
        if run.tokenizer is not None:
            return _prior_cost(run, self._device, self._start)
        config = run.config
        method, size, dim = get(config["method"]), config["codebook_size"] or 1, config["model"].get("latent_dim", 1)
        needed, there = bytes_needed(method, size, dim, config["params"]), memory(self._device.type)
        if needed is not None and there is not None and 4 * needed > _SHARE * there:
            return None
        measured = self._measured_as(run)
        begun = time.monotonic()
        trainer = trainer_of(config, measured.dataset, self._device)
        made = time.monotonic() - begun + measured.made
        evaluation = measured.evaluation_seconds(trainer)
        return Cost(trainer.seconds_a_step(_WARM_UP, _TIMED), self._start + made + evaluation)

    def _measured_as(self, run: Run) -> "Measured":
        """The data and metrics of ``run``, made anew where the last run had others: one of each is in memory."""
        key = (run.config["dataset"], run.dataset_options, run.config["evaluation"])
        if self._measured is None or self._measured[0] != key:
            self._measured = None
            self._measured = (key, Measured(run, self._device))
        return self._measured[1]


class Measured:
    """A data set and the metrics of its reconstructions: what they take is the same for every model and method."""

    def __init__(self, run: Run, device: torch.device) -> None:
        self._device = device
        self.dataset = datasets.create(run.config["dataset"]["name"], run.dataset_options)
        begun = time.monotonic()
        self._quality = quality_metrics(self.dataset, run.config["evaluation"], device)
        self.made = time.monotonic() - begun
        """Seconds that the metrics took to be made."""
        self._seconds: float | None = None

    @torch.no_grad()
    def evaluation_seconds(self, trainer: Trainer) -> float:
        """Of all metrics over the test set and of what else is seen without a gradient.

        By the second of two batches, or by the first where a model needs more than `SLOW_STEP` for it.
        """
        system, dataset, known = trainer.trained.eval(), self.dataset, self._seconds is not None
        batches = DeviceSplit(dataset.test, dataset.to_input, self._device).batches(dataset.evaluation_batch)
        seen = 0.0
        for originals in itertools.islice(batches, 2):
            begun = time.monotonic()
            reconstructions, _, _ = system(originals)
            wait_for(self._device)
            seen, begun = (time.monotonic() - begun) / len(originals), time.monotonic()
            if not known:
                self._quality.update(originals, reconstructions)
                wait_for(self._device)
                self._seconds = (time.monotonic() - begun) / len(originals)
            elif seen * len(originals) > SLOW_STEP:
                break
        others = len(dataset.validation) + HISTORY_POINTS * len(trainer.probe)
        if trainer.config["evaluation"].get("training_codes"):
            others += len(dataset.train)
        return len(dataset.test) * (seen + (self._seconds or 0.0)) + others * seen


def _prior_cost(run: Run, device: torch.device, start: float) -> Cost:
    """As `Timer.cost`, of a prior on the codes of a tokenizer that is not trained yet: some codes, some samples."""
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
