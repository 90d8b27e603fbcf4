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


class _Arm(_Open):
    arm: _Name
    method: str
    params: dict[str, Any] = {}
    verified: bool = False
    tuned: dict[str, Any] | Literal[False] = False
    at_end: list[str] = []
    ranked: bool = True
    reference: bool = False
    measured: bool = False  # elsewhere, and not trained by the suite


class _Cell(_Open):
    arm: _Name
    codebook_size: _Whole
    seed: _Whole
    key: Annotated[str, Field(pattern=rf"^{KEY.pattern}$")] | None
    unavailable: str | None = None
    point: dict[str, _Value] = {}


class _Plan(_Open):
    schema_version: Literal[1] = Field(alias="schema")
    suite: str
    question: str
    dataset: str
    tuned: str | bool
    protocol: dict[str, Any] = {}
    arms: list[_Arm]
    codebook_sizes: list[_Whole]
    axes: dict[str, list[_Value]] = {}
    seeds: list[_Whole]
    cells: list[_Cell]
    tables: list[str | dict[str, Any]]
    plots: list[str | dict[str, Any]]


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
        _Plan.model_validate(plan)
    except ValidationError as error:
        where = ".".join(str(part) for part in error.errors(include_input=False)[0]["loc"])
        raise BadPlanError(f"{path} has no valid `{where}`") from error
    arms, axes = {arm["arm"] for arm in plan["arms"]}, plan.get("axes", {})
    for cell in plan["cells"]:
        point = cell.get("point", {})
        if cell["arm"] not in arms or set(point) != set(axes):
            raise BadPlanError(f"{path} has a cell of no arm or axis of its own")
        on_grid = all(value in axes[name] for name, value in point.items())
        if cell["codebook_size"] not in plan["codebook_sizes"] or not on_grid:
            raise BadPlanError(f"{path} has a cell that is not on its grid")
    return plan
