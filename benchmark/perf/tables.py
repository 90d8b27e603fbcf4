"""The measurements as one Markdown page, and as CSV files."""

from pathlib import Path
from typing import Any

import pandas as pd

from benchmark.perf.cases import OURS, TRAINING_SHAPES, Group
from benchmark.perf.growth import growth
from benchmark.perf.report import Report
from benchmark.perf.trained import config_of
from benchmark.perf.training import BARE, HISTORY_POINT, TRAINING
from benchmark.report.escape import escape_csv
from benchmark.training.loop import HISTORY_POINTS

_NOTHING = "–"
_SECTIONS = {
    "search": "Search for the nearest codeword, random rows",
    "trained": "Search for the nearest codeword in trained codebooks",
    "step": "Quantizer step, random latents",
    "training": "Whole training step, from a trained model on",
}
_PREFACE = (
    "Every contender was timed in every round. Times are medians over rounds; a factor is the median over rounds of a "
    "contender's time over this project's in the same round: above 1 it is slower. Memory is the peak of one operation "
)
_TRAINED = (
    "Latents and codewords of successive steps of a training on Fashion-MNIST at its full learning rate: at every "
    "search the batch is another, and the optimiser has moved the codebook. What is kept from search to search is made "
    "anew, where it must be, within the time."
)
_MEMORY = {
    False: "in a process of its own above what its inputs took, and in brackets that of the whole process.",
    True: "above what its inputs took, and in brackets with them: what PyTorch allocated on the GPU.",
}
"""By whether it was on a GPU."""


def write_tables(
    frame: pd.DataFrame, groups: list[Group], report: Report, provenance: dict[str, Any], folder: Path
) -> None:
    """``measurements.csv``, ``growth.csv`` and ``perf.md`` in ``folder``."""
    exponents = growth(frame)
    escape_csv(frame).to_csv(folder / "measurements.csv", index=False, float_format="%.6g")
    escape_csv(exponents).to_csv(folder / "growth.csv", index=False, float_format="%.3f")
    parts = ["# Speed and memory beside peers", _measured_on(provenance), _PREFACE + _MEMORY[bool(provenance["cuda"])]]
    for kind, heading in _SECTIONS.items():
        chosen = [group for group in groups if group.kind == kind]
        part = frame[frame["group"].isin([group.name for group in chosen])]
        if part.empty:
            continue
        parts += [f"## {heading}", _TRAINED if kind == "trained" else ""]
        parts += [_times(part, chosen), _memory(part, chosen), _omissions(part)]
        parts += [_overhead(part[part["group"] == TRAINING.name])] if kind == "training" else []
    parts += ["## Growth", _growth(exponents, groups), "## Report", _report(report)]
    (folder / "perf.md").write_text("\n\n".join(part for part in parts if part) + "\n")


def _measured_on(provenance: dict[str, Any]) -> str:
    packages = ", ".join(f"{name} {version}" for name, version in provenance["packages"].items() if version)
    commit = (provenance["commit"] or "unknown")[:10] + (" with changes" if provenance["dirty"] else "")
    device = provenance["device"] if provenance["cuda"] else provenance["cpu"]
    return (
        f"Measured on {device}, {provenance['threads']} threads, Python {provenance['python']}, {packages}; "
        f"commit {commit}."
    )


def _times(part: pd.DataFrame, groups: list[Group]) -> str:
    rows = []
    for row, cells in _by_shape(part, groups):
        row[f"{OURS}, ms"] = f"{1e3 * cells[OURS]['seconds']:,.1f}"
        if part["search_share"].notna().any():
            row["of it search"] = _number(cells[OURS]["search_share"], "{:.0%}")
        for contender in _peers(groups):
            row[contender] = _number(cells.get(contender, {}).get("ratio"), "× {:.2f}")
        rows.append(row)
    return _markdown(rows)


def _memory(part: pd.DataFrame, groups: list[Group]) -> str:
    rows = []
    for row, cells in _by_shape(part[part["extra_mb"].notna()], groups):
        for contender in [OURS, *_peers(groups)]:
            cell = cells.get(contender)
            row[f"{contender}, MB"] = f"{cell['extra_mb']:,.0f} ({cell['process_mb']:,.0f})" if cell else _NOTHING
        rows.append(row)
    return _markdown(rows)


def _omissions(part: pd.DataFrame) -> str:
    lines = []
    for (contender, reason), cells in part[part["left_out"].notna()].groupby(["contender", "left_out"], sort=False):
        shapes = "; ".join(f"{c.group}: N = {c.rows:,}, K = {c.size:,}, D = {c.dim}" for c in cells.itertuples())
        everywhere = len(cells) == len(part[part["contender"] == contender])
        lines.append(f"- {contender} left out: {reason}" + ("" if everywhere else f" ({shapes})"))
    return "\n".join(lines)


def _overhead(part: pd.DataFrame) -> str:
    steps = config_of("simvq", TRAINING_SHAPES[0])["training"]["steps"]
    lines = []
    for (rows, size), cells in part.groupby(["rows", "size"], sort=False):
        seconds = cells.set_index("contender")["seconds"]
        ratio = cells.set_index("contender")["ratio"][BARE]
        history = HISTORY_POINTS * seconds[HISTORY_POINT] / (steps * seconds[BARE])
        lines.append(
            f"- Overhead of the harness at N = {rows:,}, K = {size:,}: {1 / ratio - 1:+.1%} a step "
            f"({1e3 * seconds[OURS]:,.1f} ms, bare loop {1e3 * seconds[BARE]:,.1f} ms), and {history:+.1%} for a "
            f"history of {HISTORY_POINTS} points ({1e3 * seconds[HISTORY_POINT]:,.0f} ms each) over {steps:,} steps."
        )
    return "\n".join(lines)


def _growth(exponents: pd.DataFrame, groups: list[Group]) -> str:
    titles = {group.name: group.title for group in groups}
    contenders = [name for name in exponents["contender"].unique() if name != HISTORY_POINT]
    rows = []
    for (group, axis, at, start, end), lines in exponents.groupby(["group", "in", "at", "from", "to"], sort=False):
        found = lines.set_index("contender")["exponent"]
        row = {"operation": titles[str(group)], "in": f"{axis} from {start:,} to {end:,}", "at": at}
        rows.append(row | {name: _number(found.get(name), f"{axis}^{{:.2f}}") for name in contenders})
    return _markdown(rows)


def _report(report: Report) -> str:
    """Of all threads together and without imports, so that another process beside it does not count."""
    seconds = {"reading": report.reading, "tables": report.tables, "plots": report.plots}
    row = {f"{part}, s of CPU": f"{time:.2f}" for part, time in seconds.items()}
    return _markdown([{"records": f"{report.records:,}", **row}])


def _peers(groups: list[Group]) -> list[str]:
    """Contenders of the groups in the order they come in, without this project's and without its history."""
    names = dict.fromkeys(contender.name for group in groups for contender in group.contenders)
    return [name for name in names if name not in (OURS, HISTORY_POINT)]


def _by_shape(part: pd.DataFrame, groups: list[Group]) -> list[tuple[dict[str, str], dict[str, dict[str, Any]]]]:
    """For each operation and shape the beginning of its row, and the measurements by contender."""
    titles = {group.name: group.title for group in groups}
    found = []
    for (group, rows, size, dim), cells in part.groupby(["group", "rows", "size", "dim"], sort=False):
        row = {"operation": titles[str(group)]} if len(groups) > 1 else {}
        row |= {"N": f"{rows:,}", "K": f"{size:,}", "D": f"{dim:,}"}
        found.append((row, {cell["contender"]: cell for cell in _records(cells)}))
    return found


def _records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    return [{str(name): value for name, value in row.items()} for row in frame.to_dict("records")]


def _number(value: float | None, form: str) -> str:
    return _NOTHING if value is None or pd.isna(value) else form.format(value)


def _markdown(rows: list[dict[str, Any]]) -> str:
    if not rows:
        return ""
    # A column that holds nothing says nothing: a contender that this device can't have.
    table = pd.DataFrame(rows)
    table = table.loc[:, (table != _NOTHING).any()]
    alignment = ["left" if name in ("operation", "in", "at") else "right" for name in table.columns]
    return table.to_markdown(index=False, disable_numparse=True, colalign=alignment)
