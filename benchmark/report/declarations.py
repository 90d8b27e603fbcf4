"""What a suite may say of its tables and plots beside a name."""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator
from pydantic_core import PydanticCustomError

from benchmark.document import below
from benchmark.mistakes import checked
from benchmark.report.columns import column
from methods.core.usage import UsageError, did_you_mean, put_before

_SPECIFICATION = re.compile(r",?(\.[0-9]{1,2})?[fd%]")


class Declared(BaseModel):
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


class Style(Declared):
    """How a table or a plot is set in a paper."""

    font_size: float | None = Field(None, ge=4, le=24, description="points; of a plot with a width 8 where left out")
    width: float | None = Field(None, ge=1, le=50, description="inches: of a plot; of a table at most")
    column: Literal["single", "double"] | None = Field(None, description="of a page with two columns")


Footnotes = Literal["long", "short", "none"]
"""All notes; those without which numbers can't be read; none, and no marks."""


class _Shown(Declared):
    """What tables and plots may say."""

    name: str = Field(description="of its files, a word")
    arms: list[str] | None = Field(None, min_length=1, description="what is shown, in this order; all where left out")
    sizes: list[int] | None = Field(None, min_length=1, description="codebook sizes that are shown")
    style: Style = Field(Style(), description="how it is set in a paper")


class _ShownTable(_Shown):
    """What tables may say."""

    footnotes: Footnotes | None = Field(None, description="short leaves out what is not needed to read the numbers")


class TableOf(_ShownTable):
    """One of the tables that there are, of some arms, at some sizes, under a title of its own."""

    of: str = Field(description="a table's name")
    title: str | None = Field(None, description="its own where left out")


class TableByAxis(_ShownTable):
    """Metrics along the grid, a block each."""

    metrics: list[str] = Field(min_length=1, description="in this order")


class PublishedRows(Declared):
    """Where published figures for a table are found in ``results/published/published.csv``.

    A figure stands in the row that has these values in these columns.
    """

    paper: str = Field(description="value of the column `paper`")
    where: dict[str, str] = Field({}, description="of further columns; `{dataset.shift:.1f}` is an axis of the grid")
    methods: dict[str, str] = Field(min_length=1, description="by arm, value of the column `method`")
    metrics: dict[str, str] = Field(min_length=1, description="by metric of the table, value of the column `metric`")


class PaperTable(_ShownTable):
    """Arms by metrics, a block a place of the grid, published figures in columns of their own.

    Other forms of a table are `table_of` and `table_by_axis`, or its name alone.
    """

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
    """Metrics along the grid, a panel each.

    Other forms of a plot are `plot_of` and `plot_of_table`, or its name alone.
    """

    metrics: list[str] = Field(min_length=1, description="in this order")


class PlotOfTable(_Shown):
    """The metrics of a table with `columns` over several places of the grid, with its published figures.

    Arms and sizes are the table's where none are named.
    """

    table: str = Field(description="name of a table with `columns` that is declared beside")


Declaration = str | dict[str, Any]
TableDeclaration = str | TableOf | TableByAxis | PaperTable
PlotDeclaration = str | PlotOf | PlotByAxis | PlotOfTable
Forms = Mapping[str, type[_Shown]]
"""By the key that no other form has, and that says what is shown."""
_TABLES: Forms = {"of": TableOf, "columns": PaperTable, "metrics": TableByAxis}
_PLOTS: Forms = {"of": PlotOf, "table": PlotOfTable, "metrics": PlotByAxis}


def tables_of(
    declarations: Sequence[Declaration], known: Mapping[str, object], beside: Collection[str] = ()
) -> list[TableDeclaration]:
    """The tables of a suite; ``beside``: keys that stood there too, and may have been mistyped.

    Raises:
        UsageError: one sentence about the first that can't be built, with its key.
    """
    return _all_parsed("table", declarations, known, _TABLES, beside)


def plots_of(
    declarations: Sequence[Declaration],
    known: Mapping[str, object],
    tables: Sequence[TableDeclaration],
    beside: Collection[str] = (),
) -> list[PlotDeclaration]:
    """The plots of a suite; one may refer to one of its ``tables``.

    Raises:
        UsageError: as `tables_of`.
    """
    papers = [table.name for table in tables if isinstance(table, PaperTable)]
    plots = _all_parsed("plot", declarations, known, _PLOTS, beside)
    for index, plot in enumerate(plots):
        if isinstance(plot, PlotOfTable) and plot.table not in papers:
            with below(index, "table"):
                hint = did_you_mean(plot.table, papers)
                raise UsageError(f"the plot `{plot.name}` is of a table `{plot.table}` that is not declared{hint}")
    return plots


def _all_parsed(
    kind: str,
    declarations: Sequence[Declaration],
    known: Mapping[str, object],
    forms: Forms,
    beside: Collection[str],
) -> list[Any]:
    found: list[Any] = []
    names: list[str] = []
    for index, declaration in enumerate(declarations):
        with below(index):
            parsed = (
                _known(kind, declaration, known)
                if isinstance(declaration, str)
                else _parsed(kind, declaration, known, forms, beside)
            )
            name = parsed if isinstance(parsed, str) else parsed.name
            if name in names:
                raise UsageError(f"two {kind}s are called `{name}`; give one of them another name")
        found.append(parsed)
        names.append(name)
    return found


def _known(what: str, name: str, known: Mapping[str, object]) -> str:
    if name not in known:
        raise UsageError(f"unknown {what} `{name}`{did_you_mean(name, known)}; there are: {', '.join(known)}")
    return name


def _parsed(
    kind: str, declaration: dict[str, Any], known: Mapping[str, object], forms: Forms, beside: Collection[str]
) -> _Shown:
    try:
        parsed = checked(forms[_mark(kind, declaration, forms, beside)], declaration)
        if isinstance(parsed, TableOf | PlotOf):
            with below("of"):
                _known(kind, parsed.of, known)
        _check_name(parsed, known)
        if kind == "table" and parsed.style.font_size and parsed.style.width:
            with below("style"):
                raise UsageError(
                    "what is shrunk to a width has letters of no given size; leave out `width` or `font_size`"
                )
        _check_metrics(parsed)
    except UsageError as error:
        name = declaration.get("name")
        put_before(error, f"{kind} `{name}`" if isinstance(name, str) else f"a {kind}")
        raise
    return parsed


def _mark(kind: str, declaration: Mapping[str, Any], forms: Forms, beside: Collection[str]) -> str:
    """The key of the form of a ``declaration``.

    Raises:
        UsageError: it has the keys of no form, or of several, or one that no form has.
    """
    marks = [mark for mark in forms if mark in declaration]
    if len(marks) > 1:
        with below(marks[1]):
            raise UsageError(f"`{marks[0]}` and `{marks[1]}` both say what is shown; leave out one")
    fields = {name: None for model in forms.values() for name in model.model_fields}
    own = [*(forms[marks[0]].model_fields if marks else fields), *beside]
    for key in declaration:
        if key in own:
            continue
        with below(key):
            hint = did_you_mean(key, own)
            if key in fields:
                others = " or ".join(f"`{mark}`" for mark, model in forms.items() if key in model.model_fields)
                raise UsageError(f"`{key}`{hint} goes with {others}, and here is `{marks[0]}`")
            raise UsageError(f"unknown key `{key}`{hint}; here are known: {', '.join(own)}")
    if not marks:
        some = ", ".join(f"`{mark}`" for mark in forms)
        raise UsageError(f"nothing says what it shows; a {kind} is a name, or has `name` and one of {some}")
    return marks[0]


def _check_name(parsed: _Shown, known: Mapping[str, object]) -> None:
    with below("name"):
        if not parsed.name.isidentifier():
            raise UsageError("the name must be a word of letters, digits and underscores")
        if parsed.name in known and getattr(parsed, "of", None) != parsed.name:
            raise UsageError("one of that name is there already; give yours another name")


def _check_metrics(parsed: _Shown) -> None:
    for key in {"columns", "metrics"} & set(type(parsed).model_fields):
        for index, metric in enumerate(getattr(parsed, key)):
            with below(key, index):
                column(metric)
    if not isinstance(parsed, PaperTable):
        return
    for metric, specification in parsed.formats.items():
        with below("formats", metric):
            _check_column("formats", metric, parsed.columns)
            if not _SPECIFICATION.fullmatch(specification):
                raise UsageError(f"the format `{specification}` is not like `.3f` or `,d`")
    for metric in parsed.published.metrics if parsed.published else ():
        with below("published", "metrics", metric):
            _check_column("published.metrics", metric, parsed.columns)


def _check_column(key: str, metric: str, columns: Sequence[str]) -> None:
    if metric not in columns:
        raise UsageError(f"`{key}` names `{metric}`, which is no column of it{did_you_mean(metric, columns)}")


def check_arms(shown: TableDeclaration | PlotDeclaration, arms: Collection[str]) -> None:
    """Raise a `UsageError` with its key where a table or plot speaks of an arm that its suite does not have."""
    if isinstance(shown, str):
        return
    kind = "table" if isinstance(shown, _ShownTable) else "plot"
    for key, part, name in _spoken(shown):
        if name not in arms:
            with below(*key.split("."), part):
                raise UsageError(f"{kind} `{shown.name}`: `{key}` names no arm: `{name}`{did_you_mean(name, arms)}")
    if isinstance(shown, PaperTable) and shown.relative_to and shown.relative_to not in (shown.arms or arms):
        with below("relative_to"):
            raise UsageError(
                f"table `{shown.name}`: `arms` leaves out `{shown.relative_to}`, which `relative_to` needs"
            )


def _spoken(shown: _Shown) -> Iterator[tuple[str, str | int, str]]:
    """The arms of which a table or plot speaks: the dotted key, where below it, the arm."""
    for index, arm in enumerate(shown.arms or ()):
        yield "arms", index, arm
    if isinstance(shown, PaperTable):
        if shown.relative_to:
            yield "relative_to", 0, shown.relative_to
        for arm in shown.published.methods if shown.published else ():
            yield "published.methods", arm, arm


def check_sizes(shown: TableDeclaration | PlotDeclaration, sizes: Collection[int]) -> None:
    """Raise a `UsageError` with its key where a table or plot names a codebook size that there is not."""
    if isinstance(shown, str):
        return
    for index, size in enumerate(shown.sizes or ()):
        if size not in sizes:
            there = ", ".join(f"{known:,}" for known in sorted(sizes))
            with below("sizes", index):
                raise UsageError(f"`{shown.name}`: `sizes` has {size:,}, but there are: {there}")
