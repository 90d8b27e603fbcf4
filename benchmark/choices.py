"""The file of tuned choices: what `tune` writes and suites refer to."""

from pathlib import Path
from typing import Any

import yaml
from pydantic import Field, ValidationError

from benchmark.config import Arm, Strict
from benchmark.records import write_atomic
from benchmark.suite_file import Document
from methods import UsageError, get


class Choice(Strict):
    """What an arm was given, and the validation error that chose it."""

    learning_rate: float
    params: dict[str, Any] = Field(default_factory=dict)
    validation_error: float


class Choices(Strict):
    """The choices for one suite, and the budget that made them."""

    suite: str
    dataset: str
    codebook_size: int
    steps: int
    trials: int = Field(description="of every arm")
    seed: int
    arms: dict[str, Choice]

    @property
    def sentence(self) -> str:
        """For under a table."""
        return (
            f"{self.trials} trials an arm on {self.dataset} at K = {self.codebook_size:,}, "
            f"{self.steps:,} steps, own seed, chosen by validation error"
        )


def read_choices(path: Path) -> Choices:
    """The choices in ``path``.

    Raises:
        UsageError: it is missing or not what `tune` writes.
    """
    if not path.is_file():
        raise UsageError(f"the file of tuned choices {path} is missing; `python -m benchmark tune` writes it")
    try:
        return Choices.model_validate(Document(path).data)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(map(str, first["loc"]))
        raise UsageError(f"{path}: `{key}` {first['msg'].lower()}; write it anew with `tune`") from error


def chosen_before(path: Path, budget: Choices) -> dict[str, Choice]:
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


def apply_choice(arm: Arm, choices: Choices) -> Arm:
    """``arm`` with its tuned settings under whatever the suite says of it explicitly."""
    choice = choices.arms.get(arm.arm)
    if choice is None:
        return arm
    knob = get(arm.method).knob
    params = {name: value for name, value in choice.params.items() if knob is not None and name == knob.parameter}
    training = {"learning_rate": choice.learning_rate}
    return arm.model_copy(update={"params": {**params, **arm.params}, "training": {**training, **arm.training}})
