"""What a suite may say of its tables and plots beside a name."""

import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from benchmark.report.columns import column
from methods.core.usage import UsageError, did_you_mean

_SPECIFICATION = re.compile(r",?(\.[0-9]{1,2})?[fd%]")


class _Declared(BaseModel):
    """No unknown key, no silent conversion, as everywhere in a suite."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class ByAxis(_Declared):
    """Metrics along the grid: a block, or a panel, each."""

    name: str
    metrics: list[str] = Field(min_length=1)


class PublishedRows(_Declared):
    """Where published figures for a table are found in ``results/published/published.csv``.

    ``where``: values of columns; ``{dataset.shift:.1f}`` stands for an axis of the grid. ``methods``: what the paper
    calls an arm. ``metrics``: what the file calls a metric.
    """

    paper: str
    where: dict[str, str] = Field(default_factory=dict)
    methods: dict[str, str] = Field(min_length=1)
    metrics: dict[str, str] = Field(min_length=1)


class PaperTable(_Declared):
    """Arms by metrics, a block a place of the grid, published figures in columns of their own.

    ``rows``: arms, all where left out. ``formats``: how metrics are printed (``.3f``) where the catalogue's way does
    not suit. ``relative_to``: an arm that the others' distortion is set in relation to, in a column more.
    ``footnote``: what sets published figures apart: data, length, definitions.
    """

    name: str
    title: str
    columns: list[str] = Field(min_length=1)
    rows: list[str] | None = None
    formats: dict[str, str] = Field(default_factory=dict)
    published: PublishedRows | None = None
    relative_to: str | None = None
    footnote: str | None = None


class PlotOfTable(_Declared):
    """The metrics of a paper table along the grid, with its published figures."""

    name: str
    table: str


Declaration = str | dict[str, Any]
TableDeclaration = str | ByAxis | PaperTable
PlotDeclaration = str | ByAxis | PlotOfTable


def tables_of(declarations: Sequence[Declaration], known: Mapping[str, object]) -> list[TableDeclaration]:
    """The tables of a suite.

    Raises:
        UsageError: one sentence about the first that can't be built.
    """
    return [_parsed("table", declaration, known, (PaperTable, ByAxis)) for declaration in declarations]


def plots_of(
    declarations: Sequence[Declaration], known: Mapping[str, object], tables: Sequence[TableDeclaration]
) -> list[PlotDeclaration]:
    """The plots of a suite; one may refer to one of its ``tables``.

    Raises:
        UsageError: as `tables_of`.
    """
    papers = [table.name for table in tables if isinstance(table, PaperTable)]
    plots = [_parsed("plot", declaration, known, (PlotOfTable, ByAxis)) for declaration in declarations]
    for plot in plots:
        if isinstance(plot, PlotOfTable) and plot.table not in papers:
            raise UsageError(f"the plot `{plot.name}` is of a table `{plot.table}` that is not declared")
    return plots


def _parsed(kind: str, declaration: Declaration, known: Mapping[str, object], models: tuple[type[Any], ...]) -> Any:
    if isinstance(declaration, str):
        if declaration not in known:
            hint = did_you_mean(declaration, known)
            raise UsageError(f"unknown {kind} `{declaration}`{hint}; there are: {', '.join(known)}")
        return declaration
    # The first key that only one of them has says what is meant.
    model = next((m for m in models if (set(m.model_fields) - {"name", "metrics"}) & set(declaration)), models[-1])
    try:
        parsed = model.model_validate(declaration)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(map(str, first["loc"]))
        forms = "{name: ..., metrics: [...]}" + (" or {name: ..., columns: [...], ...}" if kind == "table" else "")
        raise UsageError(f"a {kind} is a name or {forms}: `{key}` {first['msg'].lower()}, in {declaration}") from error
    if not parsed.name.isidentifier():
        raise UsageError(f"the name of a {kind} must be a word, not `{parsed.name}`")
    if parsed.name in known:
        raise UsageError(f"the {kind} `{parsed.name}` is there already; give yours another name")
    _check_metrics(parsed)
    return parsed


def _check_metrics(parsed: ByAxis | PaperTable | PlotOfTable) -> None:
    if isinstance(parsed, PlotOfTable):
        return
    metrics = parsed.metrics if isinstance(parsed, ByAxis) else parsed.columns
    for metric in metrics:
        column(metric)
    if isinstance(parsed, ByAxis):
        return
    for metric, specification in parsed.formats.items():
        if metric not in metrics:
            raise UsageError(f"table `{parsed.name}`: `formats` names `{metric}`, which is no column of it")
        if not _SPECIFICATION.fullmatch(specification):
            raise UsageError(f"table `{parsed.name}`: the format `{specification}` is not like `.3f` or `,d`")
    if parsed.published is not None:
        for metric in parsed.published.metrics:
            if metric not in metrics:
                raise UsageError(
                    f"table `{parsed.name}`: `published.metrics` names `{metric}`, which is no column of it"
                )


def check_arms(table: PaperTable, arms: Collection[str]) -> None:
    """Raise a `UsageError` where ``table`` speaks of an arm that its suite does not have."""
    spoken = {
        "rows": table.rows or [],
        "relative_to": [table.relative_to] if table.relative_to else [],
        "published.methods": list(table.published.methods) if table.published else [],
    }
    for key, names in spoken.items():
        for name in names:
            if name not in arms:
                raise UsageError(f"table `{table.name}`: `{key}` names no arm: `{name}`{did_you_mean(name, arms)}")
