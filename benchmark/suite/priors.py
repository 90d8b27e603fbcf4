"""The second stage of a suite: a prior for every tokenizer that has codes, and why the others have none."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from benchmark.data import datasets
from benchmark.metrics.parts.features import EXTRACTORS
from benchmark.priors import PRIORS, is_native, resolve
from benchmark.priors.joint_codes import JointCodes
from benchmark.records.run import Run, run_key
from benchmark.suite.cell import Cell
from benchmark.suite.definition import Suite
from benchmark.suite.memory import digits, sizes
from benchmark.suite.schema import Generation, SecondPrior
from methods.core.base import Quantizer
from methods.core.registry import get
from methods.core.usage import UsageError, check_choice, did_you_mean

FIRST = 0
"""Seed of the tokenizers and of the priors that every arm has."""


@dataclass(frozen=True)
class PriorCell(Cell):
    """A prior of an arm's tokenizer at a point of the grid and a seed, or why there is none.

    ``prior_seed``: of the prior itself; ``spread`` asks for more than the first.
    """

    prior_seed: int = FIRST


@dataclass(frozen=True)
class Stage:
    """What all priors of a suite share: ``config`` is theirs without tokenizer and seed.

    ``seeds``: of the arms that ``spread`` names, priors on the first tokenizer. ``second``: of the further prior that
    every tokenizer has; None where the suite wants none.
    """

    config: dict[str, Any]
    timeout: float | None
    seeds: dict[str, int] = field(default_factory=dict)
    second: "Stage | None" = None


def generation_of(suite: Suite) -> Stage | None:
    """What the suite says of its priors, checked; None where it says nothing.

    Raises:
        UsageError: it can't be had.
    """
    wanted = suite.file.generation
    if wanted is None:
        return None
    with suite.document.at("generation"):
        first = _checked(suite, wanted)
    if wanted.second is None:
        return first
    with suite.document.at("generation", "second"):
        return replace(first, second=_second(wanted.second, first))


def _checked(suite: Suite, wanted: Generation) -> Stage:
    file = suite.file
    name, modality = file.dataset.name, datasets.trait(file.dataset.name, "modality")
    if modality != "image":
        raise UsageError(f"generation is for images, but `{name}` holds `{modality}`; leave out `generation`")
    classes = len(datasets.trait(name, "classes"))
    if wanted.conditional and not classes:
        raise UsageError(
            f"data set `{name}` has no labels that a prior could be told; leave out `conditional`, and it is told none"
        )
    features = wanted.features or suite.settings(suite.points[0])["evaluation"].get("features")
    if features is not None:
        check_choice("generation: `features`", features, tuple(EXTRACTORS))
    spread = wanted.spread
    for arm in spread.arms if spread else []:
        if arm not in suite.arms:
            raise UsageError(f"`spread` names no arm: `{arm}`{did_you_mean(arm, suite.arms)}")
    _check_of_classes(wanted, told := wanted.conditional is not False and bool(classes), features)
    config = {
        "prior": resolve(wanted.prior.name, wanted.prior.options),
        "classes": classes if told else 0,
        "training": wanted.training.scientific,
        "sampling": wanted.sampling.model_dump(),
        "features": features,
    }
    # Younger than some records, whose keys know nothing of them.
    younger = {"guidance": wanted.guidance, "classifier": wanted.classifier}
    config |= {name: settings.model_dump() for name, settings in younger.items() if settings is not None}
    return Stage(config, wanted.training.timeout, dict.fromkeys(spread.arms, spread.seeds) if spread else {})


def _second(wanted: SecondPrior, first: Stage) -> Stage:
    """The second prior of a suite, with all that it shares with the ``first``."""
    config = {name: value for name, value in first.config.items() if name not in ("guidance", "classifier")}
    config["prior"] = resolve(wanted.prior.name, wanted.prior.options)
    timeout = first.timeout
    if wanted.training is not None:
        config["training"], timeout = wanted.training.scientific, wanted.training.timeout
    if all(config[name] == first.config[name] for name in ("prior", "training")):
        raise UsageError(
            f"`second` is the first prior again, `{wanted.prior.name}` trained the same way; name another of "
            f"{', '.join(PRIORS)}, or leave it out"
        )
    if is_native(config["prior"]) != is_native(first.config["prior"]):
        raise UsageError(
            "`second` must have one softmax for all codes where the first prior has, and else one for each digit "
            "(`native`); nothing compares the two"
        )
    return Stage(config, timeout)


def _check_of_classes(wanted: Generation, told: bool, features: str | None) -> None:
    """Raise a `UsageError` where something is wanted that needs classes, or features, and there are none."""
    for name in ("guidance", "classifier"):
        if getattr(wanted, name) is not None and not told:
            raise UsageError(f"`{name}` needs classes that the prior is told, and here it is told none; leave it out")
    if wanted.guidance is not None and features is None:
        raise UsageError("`guidance` is chosen by a distance of features; name a network as `features`")


def keeping(run: Run) -> Run:
    """``run`` with its weights kept, which a prior needs."""
    return replace(run, keep="weights")


def priors_of(cell: Cell, stage: Stage) -> list[PriorCell]:
    """The priors on the tokenizer of ``cell``, one but where ``spread`` asks for more."""
    count = stage.seeds.get(cell.arm, 1) if cell.seed == FIRST else 1
    return [_prior(cell, stage, FIRST + number) for number in range(count)]


def _prior(cell: Cell, stage: Stage, prior_seed: int) -> PriorCell:
    def there(run: Run | None, unavailable: str | None = None) -> PriorCell:
        return PriorCell(
            cell.arm, cell.codebook_size, cell.seed, run, unavailable, cell.point, cell.lacks_weights, prior_seed
        )

    if cell.run is None:
        return there(None, cell.unavailable)
    named = cell.run.config
    try:
        joint_codes(get(named["method"]), cell.codebook_size, named["params"], native=is_native(stage.config["prior"]))
    except UsageError as error:
        return there(None, str(error))
    config = {**stage.config, "seed": prior_seed, "tokenizer": named}
    run = replace(
        cell.run,
        key=run_key(config),
        config=config,
        timeout=stage.timeout,
        devices=1,
        keep=None,
        pretrained=None,
        init_from=None,
        tokenizer=cell.run.key,
    )
    return there(run)


def joint_codes(method: type[Quantizer], codebook_size: int, params: dict[str, Any], *, native: bool) -> JointCodes:
    """Those that a prior of the method models, before it is built.

    Raises:
        UsageError: it has none, or more than a softmax can hold.
    """
    if method.has_codes and not method.bounded:
        raise UsageError(
            "a prior needs a number of codes, and this method's have no bound; leave its arm out of `generation`"
        )
    levels = sizes(method, codebook_size, params) if method.has_codes else ()
    return JointCodes(levels, digits(method, codebook_size, params) if native and levels else None)


def left_out(priors: Iterable[PriorCell]) -> list[str]:
    """One sentence for each reason for which tokenizers have no prior, with their arms."""
    reasons: dict[str, dict[str, None]] = {}
    for prior in priors:
        if prior.run is None:
            reasons.setdefault(prior.unavailable or "", {})[prior.arm] = None
    return [
        f"{len(arms)} {'arm has' if len(arms) == 1 else 'arms have'} no prior: {', '.join(arms)} ({reason})"
        for reason, arms in reasons.items()
    ]
