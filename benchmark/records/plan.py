"""``plan.json``: locked while it changes, read and checked, for what it names is looked for on disk. Needs no torch."""

import fcntl
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from benchmark.records.files import open_lock, read_file, writing
from benchmark.records.run import KEY

SCHEMA = 1
RESPONSE = "tuning.csv"
"""Beside the plan of a tuned suite: all trials, a row each."""
_Whole = Annotated[int, Field(ge=0, lt=2**63)]
_Value = bool | int | float | str
_Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9_]+$")]


class _Open(BaseModel):
    """A later version may say more."""

    model_config = ConfigDict(extra="allow", strict=True)


class Arm(_Open):
    """One row of the experiment."""

    arm: _Name = Field(description="its name")
    method: str = Field(description="the registered method")
    params: dict[str, Any] = Field({}, description="its parameters")
    verified: bool = Field(False, description="whether the method's card names evidence")
    tuned: dict[str, Any] | Literal[False] = Field(False, description="the settings that tuning chose")
    at_end: list[str] = Field([], description="chosen settings beyond which nothing was tried")
    ranked: bool = Field(True, description="whether it is the whole method of its paper")
    reference: bool = Field(False, description="whether it is a yardstick rather than a remedy")
    not_promised: list[str] = Field([], description="what of the contract of a quantizer it says it does not keep")
    not_as_published: str = Field("", description="what its parameters set otherwise than its authors, in words")
    measured: bool = Field(False, description="whether it was made elsewhere and only measured here")


class Cell(_Open):
    """Where a run stands."""

    arm: _Name = Field(description="one of the arms")
    codebook_size: _Whole = Field(description="K")
    seed: _Whole = Field(description="of the run")
    key: Annotated[str, Field(pattern=rf"^{KEY.pattern}$")] | None = Field(description="of the run; null where none is")
    unavailable: str | None = Field(None, description="why none is")
    point: dict[str, _Value] = Field({}, description="where it stands on the axes")


class PriorCell(_Open):
    """A prior on the codes of the run of a cell."""

    arm: _Name = Field(description="one of the arms")
    codebook_size: _Whole = Field(description="K of its tokenizer")
    seed: _Whole = Field(description="of its tokenizer")
    prior_seed: _Whole = Field(description="of the prior itself")
    key: Annotated[str, Field(pattern=rf"^{KEY.pattern}$")] | None = Field(description="of its run; null where none is")
    tokenizer: str | None = Field(None, description="key of the run whose codes it models")
    unavailable: str | None = Field(None, description="why there is none")
    point: dict[str, _Value] = Field({}, description="where it stands on the axes")


class Stage(_Open):
    """Priors of one kind."""

    generation: dict[str, Any] = Field({}, description="what all of them share")
    priors: list[PriorCell] = Field([], description="where each stands, as a prior of the plan")


class PlanFile(_Open):
    """What a results folder should hold."""

    schema_version: Literal[1] = Field(alias="schema", description="1")
    suite: str = Field(description="its name")
    question: str = Field(description="what it answers")
    dataset: str = Field(description="its name")
    tuned: str | bool = Field(description="how choices were made, in words; false where none were")
    protocol: dict[str, Any] = Field({}, description="data set, model, objective, training and evaluation of all arms")
    arms: list[Arm] = Field(description="rows of the experiment, below")
    codebook_sizes: list[_Whole] = Field(description="of the grid")
    axes: dict[str, list[_Value]] = Field({}, description="further axes of the grid and their values")
    seeds: list[_Whole] = Field(description="repetitions")
    cells: list[Cell] = Field(description="arm × size × axes × seed, below")
    generation: dict[str, Any] = Field({}, description="what all priors share; absent where the suite has none")
    priors: list[PriorCell] = Field([], description="priors on the codes of the cells' runs, below")
    second: Stage = Field(Stage(), description="`generation` and `priors` of the second prior, where the suite has one")
    tables: list[str | dict[str, Any]] = Field(description="as the suite has them")
    plots: list[str | dict[str, Any]] = Field(description="as the suite has them")
    plot_plugins: dict[str, str] = Field({}, description="source of each plot that is a plug-in's, by name")


class BadPlanError(ValueError):
    """A plan that is cut short, filled with rubbish, or not of this schema."""


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """One process at a time: what is read of the plan in ``folder`` must not change before it is written again."""
    with writing(folder), open_lock(folder / ".plan.lock") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def read_plan(path: Path) -> dict[str, Any]:
    """The plan in ``path``, checked.

    Raises:
        BadPlanError: it can't be trusted; the message says why.
        FileNotFoundError: there is none.
    """
    try:
        plan = json.loads(read_file(path).decode())
    except FileNotFoundError:
        raise
    except (OSError, ValueError, RecursionError) as error:
        raise BadPlanError(f"{path} can't be read: {error}") from error
    if not isinstance(plan, dict) or plan.get("schema") != SCHEMA:
        raise BadPlanError(f"{path} is not a plan of schema {SCHEMA}")
    try:
        PlanFile.model_validate(plan)
    except ValidationError as error:
        where = ".".join(str(part) for part in error.errors(include_input=False)[0]["loc"])
        raise BadPlanError(f"{path} has no valid `{where}`") from error
    arms, axes = {arm["arm"] for arm in plan["arms"]}, plan.get("axes", {})
    for cell in [*plan["cells"], *plan.get("priors", []), *plan.get("second", {}).get("priors", [])]:
        point = cell.get("point", {})
        if cell["arm"] not in arms or set(point) != set(axes):
            raise BadPlanError(f"{path} has a cell of no arm or axis of its own")
        on_grid = all(value in axes[name] for name, value in point.items())
        if cell["codebook_size"] not in plan["codebook_sizes"] or not on_grid:
            raise BadPlanError(f"{path} has a cell that is not on its grid")
    return plan
