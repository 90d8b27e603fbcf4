"""The measurements as tables: one Markdown page, and a CSV file each."""

from pathlib import Path
from typing import Any

import pandas as pd

from benchmark.perf.cases import Group
from benchmark.perf.growth import growth
from benchmark.perf.training import BARE, HISTORY_POINT
from benchmark.training import HISTORY_POINTS

_KEYS = {"rows": "N", "size": "K", "dim": "D"}
_NOTHING = "–"
_STEPS = 5000
"""Steps over which the harness's history is spread: those of the suite `codebook_scaling`."""


def write_tables(frame: pd.DataFrame, groups: list[Group], provenance: dict[str, Any], folder: Path) -> None:
    """``measurements.csv``, ``growth.csv`` and ``perf.md`` in ``folder``."""
    frame.to_csv(folder / "measurements.csv", index=False, float_format="%.6g")
    exponents = growth(frame)
    exponents.to_csv(folder / "growth.csv", index=False, float_format="%.3f")
    parts = ["# Speed and memory beside peers", _heading(provenance)]
    for group in groups:
        part = frame[frame["group"] == group.name]
        parts += [f"## {group.title}", _time_table(part, group), _memory_table(part, group), _omissions(part)]
        if group.name == "training":
            parts.append(_overhead(part))
    parts += ["## Growth", _growth_table(exponents, groups)]
    (folder / "perf.md").write_text("\n\n".join(part for part in parts if part) + "\n")


def _heading(provenance: dict[str, Any]) -> str:
    packages = ", ".join(f"{name} {version}" for name, version in provenance["packages"].items() if version)
    commit = (provenance["commit"] or "unknown")[:10] + (" with changes" if provenance["dirty"] else "")
    device = provenance["device"] if provenance["cuda"] else provenance["cpu"]
    return (
        f"Measured on {device}, {provenance['threads']} threads, Python {provenance['python']}, {packages}; "
        f"commit {commit}.\n\n"
        "Every contender was timed in every round; times are medians over rounds, a factor is the median over rounds "
        "of its time over that of the first contender in the same round. Peak memory is that of one operation in a "
        "process of its own, above what its inputs took; in brackets that of the whole process."
    )


def _time_table(part: pd.DataFrame, group: Group) -> str:
    rows = []
    for shape, cells in _by_shape(part):
        row: dict[str, Any] = dict(shape)
        for contender in group.contenders:
            cell = cells[contender.name]
            if contender.name == group.reference:
                row[f"{contender.name}, ms"] = f"{1e3 * cell['seconds']:,.1f}"
            else:
                row[contender.name] = _number(cell["ratio"], "× {:.2f}")
            if contender.own:
                row["of it search"] = _number(cell["search_share"], "{:.0%}")
        rows.append(row)
    return _markdown(rows)


def _memory_table(part: pd.DataFrame, group: Group) -> str:
    rows = []
    for shape, cells in _by_shape(part):
        if all(pd.isna(cell["extra_mb"]) for cell in cells.values()):
            continue
        row: dict[str, Any] = dict(shape)
        for contender in group.contenders:
            cell = cells[contender.name]
            known = not pd.isna(cell["extra_mb"])
            row[f"{contender.name}, MB"] = f"{cell['extra_mb']:,.0f} ({cell['process_mb']:,.0f})" if known else _NOTHING
        rows.append(row)
    return _markdown(rows) if rows else ""


def _omissions(part: pd.DataFrame) -> str:
    lines = []
    for (contender, reason), cells in part[part["left_out"].notna()].groupby(["contender", "left_out"], sort=False):
        everywhere = len(cells) == len(part[part["contender"] == contender])
        shapes = "; ".join(f"N = {c.rows:,}, K = {c.size:,}, D = {c.dim}" for c in cells.itertuples())
        lines.append(f"- {contender} left out: {reason}" + ("" if everywhere else f" ({shapes})"))
    return "\n".join(lines)


def _overhead(part: pd.DataFrame) -> str:
    lines = []
    for shape, cells in _by_shape(part):
        harness, bare = (cell["seconds"] for cell in list(cells.values())[:2])
        assert list(cells)[1] == BARE
        step = 1 / cells[BARE]["ratio"] - 1
        history = HISTORY_POINTS * cells[HISTORY_POINT]["seconds"] / (_STEPS * bare)
        lines.append(
            f"- K = {shape['K']}: the harness's step takes {step:+.1%} of the bare loop's time more "
            f"({1e3 * harness:,.1f} and {1e3 * bare:,.1f} ms), and its history of {HISTORY_POINTS} points over "
            f"{_STEPS:,} steps {history:+.1%}."
        )
    return "\n".join(lines)


def _growth_table(exponents: pd.DataFrame, groups: list[Group]) -> str:
    titles = {group.name: group.title for group in groups}
    rows = [
        {
            "operation": titles[line["group"]],
            "contender": line["contender"],
            "in": line["in"],
            "from": f"{line['from']:,}",
            "to": f"{line['to']:,}",
            "at": line["at"],
            "time grows as": f"{line['in']}^{line['exponent']:.2f}",
        }
        for line in _records(exponents)
    ]
    return _markdown(rows)


def _by_shape(part: pd.DataFrame) -> list[tuple[dict[str, str], dict[str, dict[str, Any]]]]:
    """For each shape, as it is printed, the measurements by contender."""
    found: list[tuple[dict[str, str], dict[str, dict[str, Any]]]] = []
    for shape, cells in part.groupby(list(_KEYS), sort=False):
        printed = {label: f"{value:,}" for label, value in zip(_KEYS.values(), shape, strict=True)}
        found.append((printed, {cell.pop("contender"): cell for cell in _records(cells)}))
    return found


def _records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    return [{str(name): value for name, value in row.items()} for row in frame.to_dict("records")]


def _number(value: float, form: str) -> str:
    return _NOTHING if pd.isna(value) else form.format(value)


def _markdown(rows: list[dict[str, Any]]) -> str:
    table = pd.DataFrame(rows)
    return table.to_markdown(index=False, disable_numparse=True, colalign=["right"] * len(table.columns))
