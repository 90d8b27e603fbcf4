"""The file of tuned choices: what `tune` writes and suites refer to."""

import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml
from pydantic import Field

from benchmark.document import Document
from benchmark.mistakes import checked
from benchmark.records.files import write_atomic
from benchmark.suite.schema import Arm, Strict
from methods import UsageError, get


class Choice(Strict):
    """What an arm was given at a codebook size, and the mean validation error that chose it.

    ``at_end``: settings beyond which nothing was tried.
    """

    codebook_size: int
    learning_rate: float
    params: dict[str, Any] = Field(default_factory=dict)
    validation_error: float
    at_end: list[str] = Field(default_factory=list)


class Choices(Strict):
    """The choices for one suite, and the budget that made them, the same for every arm."""

    suite: str
    dataset: str
    schedule: str
    codebook_sizes: list[int]
    steps: list[int] = Field(min_length=2, max_length=3, description="of a short trial, a long one and one in full")
    trials: list[int] = Field(min_length=2, max_length=3, description="of every arm at every size, by their length")
    seeds: list[int] = Field(description="of the longer trials; the first is that of the short ones")
    arms: dict[str, list[Choice]]

    @property
    def sentence(self) -> str:
        """For under a table."""
        sizes = " and ".join(f"{size:,}" for size in self.codebook_sizes)
        short, long, *in_full = self.trials
        sentence = (
            f"{short} trials of {self.steps[0]:,} steps an arm on {self.dataset} at K = {sizes} with the schedule "
            f"{self.schedule}, the best again for {self.steps[1]:,} steps ({long} trials, {len(self.seeds)} seeds), "
        )
        for trials in in_full:
            sentence += f"the best of these and half a decade below its rate for {self.steps[2]:,} ({trials} trials), "
        return sentence + "seeds of their own, chosen by validation error"

    def at(self, arm: str, codebook_size: int) -> Choice | None:
        """The choice for ``arm`` at the tuned size nearest to ``codebook_size`` by ratio, the smaller of two."""
        choices = self.arms.get(arm, [])
        return min(
            choices,
            key=lambda choice: (abs(math.log(choice.codebook_size / codebook_size)), choice.codebook_size),
            default=None,
        )


def read_choices(path: Path, dataset: str | None = None) -> Choices:
    """The choices in ``path``, made on ``dataset`` where that is given.

    Raises:
        UsageError: it is missing, not what `tune` writes, or made on another data set.
    """
    if not path.is_file():
        raise UsageError(f"the file of tuned choices {path} is missing; `python -m benchmark tune` writes it")
    document = Document(path)
    try:
        choices = checked(Choices, document.data)
    except UsageError as error:
        raise UsageError(f"{document.where(error.key)}: {error}; write it anew with `tune`") from error
    if dataset is not None and choices.dataset != dataset:
        raise UsageError(
            f"{path} was chosen on the data set {choices.dataset}, and the suite trains on {dataset}: what is best for "
            "one is not for the other; write it anew with `tune`, or leave it out with --set tuned=null"
        )
    return choices


def lacking(path: Path, choices: Choices, arms: Iterable[Arm]) -> list[str]:
    """One sentence where the ``choices`` in ``path`` have none for some of ``arms``, which set no rate themselves."""
    names = [
        arm.arm
        for arm in arms
        if arm.arm not in choices.arms
        and arm.pretrained is None
        and "learning_rate" not in arm.training
        and not get(arm.method).reference
    ]
    if not names:
        return []
    these, them = ("these arms are", "them") if len(names) > 1 else ("this arm is", "it")
    return [
        f"{path} has no choice for {', '.join(names)}: {these} untuned and not ranked; `python -m benchmark tune "
        f"{choices.suite} --methods {','.join(names)}` chooses for {them}"
    ]


def chosen_before(path: Path, budget: Choices) -> dict[str, list[Choice]]:
    """The choices already in ``path``, beside which more of the same ``budget`` may stand.

    Raises:
        UsageError: they were chosen with another budget.
    """
    if not path.is_file():
        return {}
    before = read_choices(path)
    if before.model_copy(update={"arms": {}}) != budget.model_copy(update={"arms": {}}):
        raise UsageError(
            f"{path} holds choices of another budget ({before.sentence}); tune all arms at once, or move it away"
        )
    return before.arms


def write_choices(path: Path, choices: Choices) -> None:
    """Write the file, with a heading that says where it comes from."""
    heading = f"# Written by `python -m benchmark tune {choices.suite}`: {choices.sentence}.\n"
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(path, heading + yaml.safe_dump(choices.model_dump(), sort_keys=False))


def check_schedule(path: Path, choices: Choices, schedule: str) -> None:
    """UsageError unless the ``choices`` in ``path`` were made with the ``schedule`` of the arm that takes one."""
    if choices.schedule != schedule:
        raise UsageError(
            f"{path} was chosen with the schedule {choices.schedule}, and the arm trains with {schedule}: what is best "
            "for one is not for the other; write it anew with `tune`, leave it out with --set tuned=null, or give the "
            "arm its settings itself"
        )


def apply_choice(arm: Arm, choices: Choices, codebook_size: int) -> Arm:
    """``arm`` at a size with its tuned settings under whatever the suite says of it explicitly.

    The same ``arm`` where nothing of it is as tuning chose.
    """
    choice = choices.at(arm.arm, codebook_size)
    if choice is None or arm.pretrained is not None:
        return arm
    knob = get(arm.method).knob
    params = {name: value for name, value in choice.params.items() if knob is not None and name == knob.parameter}
    training = {"learning_rate": choice.learning_rate}
    if arm.params.keys() >= params.keys() and arm.training.keys() >= training.keys():
        return arm
    return arm.model_copy(update={"params": {**params, **arm.params}, "training": {**training, **arm.training}})
