"""Whatever is wrong with what somebody wrote is said in the project's own words, and shown as it was written."""

import re
from typing import Any

import pytest
from pydantic import BaseModel

from benchmark.mistakes import checked
from benchmark.records.settings import PriorTraining, Training
from benchmark.report.declarations import PaperTable, PlotByAxis, PlotOf, PlotOfTable, TableByAxis, TableOf
from benchmark.report.paper import PaperFile
from benchmark.suite.choices import Choices
from benchmark.suite.schema import Generation, Grid, SuiteFile, Tuning
from methods.core.usage import UsageError

MODELS = (
    SuiteFile,
    Training,
    Grid,
    Tuning,
    Generation,
    PriorTraining,
    Choices,
    PaperFile,
    PaperTable,
    TableOf,
    TableByAxis,
    PlotOf,
    PlotByAxis,
    PlotOfTable,
)
ODD: tuple[Any, ...] = (
    None,
    True,
    -1,
    0,
    1.5,
    10**30,
    -1e300,
    "",
    "mony",
    [],
    [None],
    [1, 1],
    {},
    {"x": None},
    {"name": 1},
    {"arm": "a b", "method": "fsq"},
    [{"arm": "a b", "method": "fsq"}],
    "x" * 100,
    ["x"] * 50,
)
FOREIGN = re.compile(
    r"[Ii]nput|validat|valid |[Ff]ield|dict|NoneType|None|True|False|integer|string|boolean|[0-9] items?|\{'"
)


def _refused(model: type[BaseModel], data: Any) -> UsageError | None:
    try:
        checked(model, data)
    except UsageError as error:
        return error
    return None


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_no_sentence_is_pydantics_or_pythons(model: type[BaseModel]) -> None:
    found = [_refused(model, {name: value}) for name in model.model_fields for value in ODD]
    refused = [error for error in found if error is not None]
    assert len(refused) > 10
    assert [str(error) for error in refused if FOREIGN.search(str(error)) or "\n" in str(error)] == []


@pytest.mark.parametrize(
    ("model", "data", "sentence", "key"),
    [
        (Training, {"steps": 0}, "`steps` must be at least 1, not 0", ("steps",)),
        (Training, {"steps": 2 * 10**9}, "`steps` must be at most 1,000,000,000, not 2000000000", ("steps",)),
        (Training, {"learning_rate": 0.0}, "`learning_rate` must be greater than 0, not 0.0", ("learning_rate",)),
        (Training, {"learning_rate": "10"}, "`learning_rate` must be a number, not '10'", ("learning_rate",)),
        (
            Training,
            {"learning_rate": float("inf")},
            "`learning_rate` must be a finite number, not inf",
            ("learning_rate",),
        ),
        (Training, {"layerwise": None}, "`layerwise` must be true or false, not null", ("layerwise",)),
        (Training, {"betas": [0.9]}, "`betas` must have at least 2 entries, not 1", ("betas",)),
        (Training, {"betas": [0.9] * 3}, "`betas` must have at most 2 entries, not 3", ("betas",)),
        (
            Training,
            {"schedule": "cosin"},
            "`schedule` must be `constant`, `cosine`, `linear` or `plateau`, not 'cosin' (did you mean `cosine`?)",
            ("schedule",),
        ),
        (Training, {"steps": 5, "warmup_steps": 9}, "warmup_steps (9) must not exceed steps (5)", ()),
        (
            Generation,
            {"training": {"steps": 2}, "second": {"prior": "pixelcnn", "training": {"stepz": 1}}},
            "the key `second.training.steps` is missing",
            ("second", "training", "steps"),
        ),
        (
            Generation,
            {"training": {"steps": 2}, "spread": {"arms": ["fsq"], "seed": 3}},
            "unknown key `spread.seed` (did you mean `seeds`?); here are known: arms, seeds",
            ("spread", "seed"),
        ),
        (PaperFile, {"tables": [[1]]}, "`tables.0` must be text or a mapping, not [1]", ("tables", 0)),
        (
            PaperFile,
            {"style": {"width": {"a": True}}},
            "`style.width` must be a number, not {a: true}",
            ("style", "width"),
        ),
        (PaperFile, {"style": ["x" * 80]}, "`style` must be a mapping, not a list", ("style",)),
        (PaperFile, None, "this must be a mapping, not null", ()),
    ],
)
def test_a_sentence_says_what_would_be_right(
    model: type[BaseModel], data: Any, sentence: str, key: tuple[str | int, ...]
) -> None:
    with pytest.raises(UsageError) as caught:
        checked(model, data)
    assert (str(caught.value), caught.value.key) == (sentence, key)


def test_what_is_right_is_what_was_written() -> None:
    assert checked(Training, {"steps": 7}).steps == 7
