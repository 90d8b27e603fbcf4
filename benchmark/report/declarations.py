"""What a suite may say of its tables and plots beside a name."""

import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator
from pydantic_core import PydanticCustomError

from benchmark.document import must_be
from benchmark.report.columns import column
from methods.core.usage import UsageError, did_you_mean

_SPECIFICATION = re.compile(r",?(\.[0-9]{1,2})?[fd%]")


class _Declared(BaseModel):
    """No unknown key, no silent conversion, as everywhere in a suite."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    @field_validator("*")
    @classmethod
    def _named_once(cls, value: Any) -> Any:
        """A row, column or line twice is no comparison."""
        for index, entry in enumerate(value if isinstance(value, list) else ()):
            if entry in value[:index]:
                raise PydanticCustomError("twice", "names `{entry}` twice", {"entry": entry})
        return value


class Style(_Declared):
    """How a table or a plot is set in a paper."""

    font_size: float | None = Field(None, ge=4, le=24, description="points; of a plot with a width 8 where left out")
    width: float | None = Field(None, ge=1, le=50, description="inches: of a plot; of a table at most")
    column: Literal["single", "double"] | None = Field(None, description="of a page with two columns")


Footnotes = Literal["long", "short", "none"]
"""All notes; those without which numbers can't be read; none, and no marks."""


class _Shown(_Declared):
    """What tables and plots may say."""

    name: str = Field(description="of its files, a word")
    arms: list[str] | None = Field(None, min_length=1, description="what is shown, in this order; all where left out")
    sizes: list[int] | None = Field(None, min_length=1, description="codebook sizes that are shown")
    style: Style = Field(Style(), description="see `style`")


class _ShownTable(_Shown):
    """What tables may say."""

    footnotes: Footnotes | None = Field(None, description="short leaves out what is not needed to read the numbers")


class TableOf(_ShownTable):
    """One of the tables that there are, of some arms, at some sizes, under a title of its own."""

    of: str = Field(description="a table's name")
    title: str | None = Field(None, description="its own where left out")


class TableByAxis(_ShownTable):
    """Metrics along the grid, a block each."""

    metrics: list[str] = Field(min_length=1, description="as `show metrics` has them")


class PublishedRows(_Declared):
    """Where published figures for a table are found in ``results/published/published.csv``.

    ``where``: values of columns; ``{dataset.shift:.1f}`` stands for an axis of the grid. ``methods``: what the paper
    calls an arm. ``metrics``: what the file calls a metric.
    """

    paper: str
    where: dict[str, str] = Field(default_factory=dict)
    methods: dict[str, str] = Field(min_length=1)
    metrics: dict[str, str] = Field(min_length=1)


class PaperTable(_ShownTable):
    """Arms by metrics, a block a place of the grid, published figures in columns of their own."""

    title: str = Field(description="its caption")
    columns: list[str] = Field(min_length=1, description="metrics, in this order")
    formats: dict[str, str] = Field({}, description="how metrics are printed where the usual way does not suit: `.3f`")
    published: PublishedRows | None = Field(None, description="rows of `results/published/published.csv`")
    relative_to: str | None = Field(None, description="arm over which the others' distortion is set, in a column more")
    footnote: str | None = Field(None, description="what sets published figures apart: data, length, definitions")


class PlotOf(_Shown):
    """One of the plots that there are, of some arms, at some sizes."""

    of: str = Field(description="a plot's name")


class PlotByAxis(_Shown):
    """Metrics along the grid, a panel each."""

    metrics: list[str] = Field(min_length=1)


class PlotOfTable(_Shown):
    """The metrics of a paper table along the grid, with its published figures; its arms where none are named."""

    table: str


Declaration = str | dict[str, Any]
TableDeclaration = str | TableOf | TableByAxis | PaperTable
PlotDeclaration = str | PlotOf | PlotByAxis | PlotOfTable
_TABLES = (TableOf, PaperTable, TableByAxis)
_PLOTS = (PlotOf, PlotOfTable, PlotByAxis)


def tables_of(declarations: Sequence[Declaration], known: Mapping[str, object]) -> list[TableDeclaration]:
    """The tables of a suite.

    Raises:
        UsageError: one sentence about the first that can't be built.
    """
    return _all_parsed("table", declarations, known, _TABLES)


def plots_of(
    declarations: Sequence[Declaration], known: Mapping[str, object], tables: Sequence[TableDeclaration]
) -> list[PlotDeclaration]:
    """The plots of a suite; one may refer to one of its ``tables``.

    Raises:
        UsageError: as `tables_of`.
    """
    papers = [table.name for table in tables if isinstance(table, PaperTable)]
    plots = _all_parsed("plot", declarations, known, _PLOTS)
    for plot in plots:
        if isinstance(plot, PlotOfTable) and plot.table not in papers:
            raise UsageError(f"the plot `{plot.name}` is of a table `{plot.table}` that is not declared")
    return plots


def _all_parsed(
    kind: str, declarations: Sequence[Declaration], known: Mapping[str, object], models: tuple[type[Any], ...]
) -> list[Any]:
    found = [_parsed(kind, declaration, known, models) for declaration in declarations]
    names = [declared if isinstance(declared, str) else declared.name for declared in found]
    if twice := [name for name in names if names.count(name) > 1]:
        raise UsageError(f"two {kind}s are called `{twice[0]}`; give one of them another name")
    return found


def _parsed(kind: str, declaration: Declaration, known: Mapping[str, object], models: tuple[type[Any], ...]) -> Any:
    if isinstance(declaration, str):
        if declaration not in known:
            hint = did_you_mean(declaration, known)
            raise UsageError(f"unknown {kind} `{declaration}`{hint}; there are: {', '.join(known)}")
        return declaration
    # The first key that only one of them requires says what is meant.
    model = next((m for m in models if _own_keys(m, models) & set(declaration)), models[-1])
    try:
        parsed = model.model_validate(declaration)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(map(str, first["loc"]))
        forms = " or ".join(f"{{name: ..., {min(_own_keys(m, models))}: ...}}" for m in models)
        raise UsageError(f"a {kind} is a name or {forms}: `{key}` {must_be(first)}, in {declaration}") from error
    if not parsed.name.isidentifier():
        raise UsageError(f"the name of a {kind} must be a word, not `{parsed.name}`")
    if parsed.name in known and getattr(parsed, "of", None) != parsed.name:
        raise UsageError(f"the {kind} `{parsed.name}` is there already; give yours another name")
    if isinstance(parsed, TableOf | PlotOf) and parsed.of not in known:
        hint = did_you_mean(parsed.of, known)
        raise UsageError(f"`{parsed.name}` is of an unknown {kind} `{parsed.of}`{hint}; there are: {', '.join(known)}")
    if kind == "table" and parsed.style.font_size and parsed.style.width:
        raise UsageError(
            f"table `{parsed.name}`: a table shrunk to a width has letters of no given size; leave out `width` or "
            "`font_size`"
        )
    _check_metrics(parsed)
    return parsed


def _own_keys(model: type[BaseModel], models: tuple[type[BaseModel], ...]) -> set[str]:
    """Keys that no other of ``models`` has."""
    return set(model.model_fields) - {name for other in models if other is not model for name in other.model_fields}


def _check_metrics(parsed: Any) -> None:
    metrics = getattr(parsed, "metrics", None) or getattr(parsed, "columns", [])
    for metric in metrics:
        column(metric)
    if not isinstance(parsed, PaperTable):
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


def check_arms(shown: TableDeclaration | PlotDeclaration, arms: Collection[str]) -> None:
    """Raise a `UsageError` where a table or plot speaks of an arm that its suite does not have."""
    if isinstance(shown, str):
        return
    spoken = {"arms": shown.arms or []}
    if isinstance(shown, PaperTable):
        spoken["relative_to"] = [shown.relative_to] if shown.relative_to else []
        spoken["published.methods"] = list(shown.published.methods) if shown.published else []
    kind = "table" if isinstance(shown, _ShownTable) else "plot"
    for key, names in spoken.items():
        for name in names:
            if name not in arms:
                raise UsageError(f"{kind} `{shown.name}`: `{key}` names no arm: `{name}`{did_you_mean(name, arms)}")
    if isinstance(shown, PaperTable) and shown.relative_to and shown.relative_to not in (shown.arms or arms):
        raise UsageError(f"table `{shown.name}`: `arms` leaves out `{shown.relative_to}`, which `relative_to` needs")


def check_sizes(shown: TableDeclaration | PlotDeclaration, sizes: Collection[int]) -> None:
    """Raise a `UsageError` where a table or plot names a codebook size that there is not."""
    if isinstance(shown, str):
        return
    for size in shown.sizes or []:
        if size not in sizes:
            there = ", ".join(f"{known:,}" for known in sorted(sizes))
            raise UsageError(f"`{shown.name}`: `sizes` has {size:,}, but there are: {there}")
