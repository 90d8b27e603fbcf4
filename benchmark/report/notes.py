"""What stands under a table: how to read it, on what terms the arms met, and on which machines."""

from collections.abc import Sequence
from typing import Any

from benchmark.metrics.catalogue import find
from benchmark.report.columns import Column, column
from benchmark.report.frame import Results, device_of
from benchmark.report.grid import Grid
from benchmark.report.listed import Listed
from benchmark.report.places import Place
from benchmark.report.progress import ABOVE_BEST_DB
from benchmark.report.statistics import LEVEL
from benchmark.report.strangers import is_trained, training_setting

UNVERIFIED = "†"
ENDS_ABOVE = "‡"
AT_END = "§"
ELSEWHERE = "¶"
_MACHINES_SHOWN = 3
_MANY_ARMS = 4
"""Arms of one method from which on what most of them have in common is said once."""


def arm_marks(grid: Grid, arm: str, places: list[Place]) -> str:
    """Raised marks: † not verified, ‡ a run at one of ``places`` ended above its own best, § tuned to an end, ¶ made
    elsewhere."""
    if grid.results.is_measured(arm):
        return ELSEWHERE
    unverified = not grid.results.arm(arm)["verified"]
    above = any(grid.ends_above_best(arm, place) for place in places)
    at_end = bool(grid.results.arm(arm).get("at_end"))
    return (UNVERIFIED if unverified else "") + (ENDS_ABOVE if above else "") + (AT_END if at_end else "")


def mark_notes(grid: Grid) -> list[str]:
    """The meaning of †, ‡, § and ¶, where they occur, what is not ranked, not promised and not as published."""
    marks = "".join(arm_marks(grid, arm, grid.places) for arm in grid.arms)
    notes = []
    if grid.codeless:
        notes.append(
            f"Neither ranked nor marked best, since without codes nothing bounds its bits: {_names(grid.codeless)}."
        )
    if partial := [arm for arm in grid.partial if not grid.results.is_measured(arm)]:
        notes.append(
            "Neither ranked nor marked best, since what is here is not the whole method of its paper: "
            f"{_names(partial)}."
        )
    if untuned := [arm for arm in grid.untuned if not grid.results.is_measured(arm)]:
        notes.append(f"Neither ranked nor marked best, since they are untuned beside tuned arms: {_names(untuned)}.")
    if UNVERIFIED in marks:
        notes.append(f"{UNVERIFIED} not verified: the method's card names nothing it was compared with.")
    if ENDS_ABOVE in marks:
        notes.append(
            f"{ENDS_ABOVE} a run of the arm ends more than {ABOVE_BEST_DB:g} dB above its own best: above the lowest "
            "validation error of its history."
        )
    if AT_END in marks:
        ends = {arm: grid.results.arm(arm).get("at_end", []) for arm in grid.arms}
        named = "; ".join(f"`{arm}` {', '.join(settings)}" for arm, settings in ends.items() if settings)
        notes.append(f"{AT_END} the best of what was tried lies at its end, and a better one may lie beyond: {named}.")
    unkept = {arm: grid.results.arm(arm).get("not_promised", []) for arm in grid.arms}
    if named := "; ".join(f"`{arm}`: {', '.join(words)}" for arm, words in unkept.items() if words):
        notes.append(f"Not promised, as the method itself says: {named}.")
    notes += _not_as_published(grid)
    if ELSEWHERE in marks:
        notes.append(
            f"{ELSEWHERE} measured from codes or reconstructions made elsewhere: training, tuning and protocol are "
            f"unknown here, so none is ranked or marked best: {_measured(grid)}."
        )
    return notes


def _not_as_published(grid: Grid) -> list[str]:
    """What parameters of arms set otherwise than their authors, said once of those that have it in common."""
    arms: dict[str, list[str]] = {}
    for arm in grid.arms:
        arms.setdefault(grid.results.arm(arm).get("not_as_published", ""), []).append(arm)
    named = "; ".join(f"{_names(found)}: {words}" for words, found in arms.items() if words)
    return [f"Not as published: {named}."] if named else []


def selection_note(grid: Grid) -> list[str]:
    """How many arms of the suite somebody left out: what is best here is best of these."""
    left_out = grid.results.plan.get("left_out", 0)
    arms = "arm" if left_out == 1 else "arms"
    return [f"Left out: {left_out} more {arms} of the suite; what is compared is what is shown."] if left_out else []


def progress_note() -> str:
    """What a gain is, and is not."""
    return (
        "Gain: slope of the least-squares line through 10·log10(validation error) over log2(step) in the last 40 % of "
        "a run; positive where the error still falls. Under a schedule that ends at zero it includes the fall of the "
        "learning rate, and a small gain is no proof of convergence: what longer training really gains is measured by "
        "the suite `training_length`."
    )


def titled(results: Results, title: str) -> str:
    """``title``, with a word where the arms are untuned."""
    return f"{title} (untuned)" if results.is_untuned else title


def interval_note(grid: Grid) -> str:
    """What ± means here."""
    if grid.most_seeds == 1:
        return "One run a cell (n = 1): no interval, and nothing can be told from chance."
    return f"Mean ± half-width of the {100 * LEVEL:.0f} % Student-t interval over n runs (seeds); n = 1 has none."


def best_note(grid: Grid, columns: list[Column]) -> list[str]:
    """When a value is bold, where one could be."""
    if grid.most_seeds < 2 or grid.results.is_untuned or not any(column.direction for column in columns):
        return []
    return [
        "Bold: least validation error, and best beyond chance (moderated paired t-test over seeds against every other "
        f"arm, Holm-corrected over all pairs, p < {1 - LEVEL:.2f}); only distortion is marked, never usage."
    ]


def tuning_note(results: Results) -> str:
    """Whether the arms were tuned."""
    tuned = [f"`{arm['arm']}` {_pairs(arm['tuned'])}" for arm in results.plan["arms"] if arm["tuned"]]
    untuned = [arm["arm"] for arm in results.plan["arms"] if not arm["tuned"] and not results.is_measured(arm["arm"])]
    if not tuned:
        ranked = "; none is ranked" if results.is_untuned else ""
        return f"Untuned: every arm at the suite's settings and its method's defaults{ranked}."
    rest = f"; untuned: {_names(untuned)}" if untuned else ""
    return f"Tuned ({results.plan['tuned']}): {'; '.join(tuned)}{rest}."


def protocol_note(results: Results) -> str:
    """Data, model and training in one line."""
    protocol = results.plan.get("protocol", {})
    said = ((name, _settings(value)) for name, value in protocol.items() if value)
    return "Protocol: " + "; ".join(f"{name} {settings}" for name, settings in said if settings) + "."


def settings_note(grid: Grid) -> str | None:
    """What sets arms apart beside their method: parameters within a method, training against the protocol's."""
    arms = {arm: grid.results.arm(arm) for arm in grid.arms}
    families: dict[str, list[dict[str, Any]]] = {}
    for entry in arms.values():
        families.setdefault(entry["method"], []).append(entry["params"])
    usual = {method: _usual(family) for method, family in families.items()}
    found = []
    for arm, entry in arms.items():
        family, common = families[entry["method"]], usual[entry["method"]]
        own = {name: v for name, v in entry["params"].items() if any(other.get(name) != v for other in family)}
        own = {name: v for name, v in own.items() if (name, v) not in common.items()}
        own |= _own_training(grid, arm)
        own = {name: v for name, v in own.items() if name not in (entry["tuned"] or {})}
        base = f" is `{entry['method']}`" if entry["method"] != arm else ""
        settings = _pairs(own)
        variants = "".join(f" ({_variant(variant)})" for variant in entry.get("at", []))
        if base or settings or variants:
            found.append(f"`{arm}`{base}{' with ' if settings else ''}{settings}{variants}")
    found += [f"otherwise `{method}` has {_pairs(common)}" for method, common in usual.items() if common]
    return f"Arms: {'; '.join(found)}." if found else None


def _usual(family: list[dict[str, Any]]) -> dict[str, Any]:
    """Parameters that differ among many arms of a method, with the value that more than half of them have."""
    if len(family) < _MANY_ARMS:
        return {}
    usual = {}
    for name in family[0]:
        values = [params.get(name) for params in family]
        commonest = max(values, key=values.count)
        if len(family) / 2 < values.count(commonest) < len(family):
            usual[name] = commonest
    return usual


def _variant(variant: dict[str, Any]) -> str:
    """``at dataset.shift 8: learning_rate 3.0``."""
    changed = {**variant["params"], **variant["training"]}
    where = {name: value for name, value in variant.items() if name not in ("params", "training")}
    return f"at {_pairs(where)}: {_pairs(changed)}"


def _own_training(grid: Grid, arm: str) -> dict[str, Any]:
    """Training settings of an arm, from any record of it, where they are not the protocol's.

    Either may lack a setting, which then has its default there; what was not trained has those alone that it names.
    """
    keys = grid.results.cells.loc[grid.results.cells["arm"] == arm, "key"]
    found = (grid.results.records.get(key) for key in keys)
    config: dict[str, Any] = next((record["config"] for record in found if record), {})
    protocol, theirs = grid.results.plan.get("protocol", {}), config.get("training", {})
    names = dict.fromkeys([*theirs, *(protocol.get("training", {}) if is_trained(config) else ())])
    axes = {axis.name for axis in grid.axes}
    settings = {name: training_setting(config, name) for name in names if f"training.{name}" not in axes}
    return {name: value for name, value in settings.items() if value != training_setting(protocol, name)}


def definition_note(columns: Sequence[Column | Listed], of: str = "Columns") -> str:
    """What each column measures."""
    return f"{of}: " + "; ".join(f"{column.label}: {column.description}" for column in columns) + "."


def measurement_notes(results: Results) -> list[str]:
    """With which networks and weights columns were measured, and why one is withheld."""
    found: dict[str, None] = {}
    for key in results.ok["key"].unique():
        for name, detail in results.records[key]["details"].items():
            if name in results.runs and find(name) and isinstance(detail, dict):
                found[measurement_note(column(name).label, detail)] = None
    return list(found)


def left_out_note(names: list[str]) -> list[str]:
    """Which quantities were measured but do not suit the images, if any."""
    labels = " and ".join(column(name).label for name in names)
    return [f"Left to summary.csv: {labels}, for which these images had to be enlarged."] if names else []


def measurement_note(label: str, detail: dict[str, Any]) -> str:
    """With which network and weights a column was measured, from a record's ``details``; or why it is withheld."""
    if detail.get("withheld"):
        return f"{label} withheld: {detail['withheld']}."
    facts = [f"package `{detail['package']}`"] if "package" in detail else []
    facts += [f"weights `{detail['weights_sha256']}`"] if "weights_sha256" in detail else []
    facts += [f"input {detail['input']} px"] if "input" in detail else []
    facts += [f"{detail['images']:,} images"] if "images" in detail else []
    facts += [f"{detail['clips']:,} clips"] if "clips" in detail else []
    facts += [f"the originals themselves have {detail['originals']:.2f}"] if "originals" in detail else []
    return f"{label}: {', '.join(facts)}."


def credits_note(results: Results) -> list[str]:
    """Whose pictures the samples are, of data sets that say so, from left to right."""
    found: dict[str, None] = {}
    for key in results.ok["key"].unique():
        data = results.records[key]["provenance"].get("data") or {}
        if samples := data.get("samples"):
            found["; ".join(samples)] = None
    return [f"Pictures of originals, from left to right: {credits}." for credits in found]


def machine_note(results: Results) -> str | None:
    """On which machines the times and memory were measured."""
    records = [results.records[key] for key in results.ok["key"].unique()]
    machines = sorted({_machine(record) for record in records} - {""})
    if not machines:
        return None
    shown = "; ".join(machines[:_MACHINES_SHOWN])
    more = f"; and {len(machines) - _MACHINES_SHOWN} more" if len(machines) > _MACHINES_SHOWN else ""
    timed, alone = machines, ""
    if results.timed_on:
        timed = sorted({_machine(record) for record in records if device_of(record) == results.timed_on} - {""})
        name = "the CPU" if results.timed_on == "cpu" else results.timed_on
        alone = f" Times and memory are those on {name} alone."
    warning = " Times of different machines are not comparable." if len(timed) > 1 else ""
    return f"Measured on: {shown}{more}.{alone}{warning}"


def _machine(record: dict[str, Any]) -> str:
    device, cpu, threads = device_of(record), *(record["provenance"].get(name) for name in ("cpu", "threads"))
    name = cpu if device == "cpu" else device
    return f"{name}, CPU threads: {threads}" if name and threads else str(name or "")


def _settings(value: Any) -> str:
    if not isinstance(value, dict):
        return _value(value)
    options = ", ".join(
        f"{key} {_value(inner)}" for key, inner in value.items() if key != "name" and inner not in (None, [])
    )
    if "name" not in value:
        return options
    return f"`{value['name']}`" + (f" ({options})" if options else "")


def _pairs(settings: dict[str, Any]) -> str:
    return ", ".join(f"{name} {_value(value)}" for name, value in settings.items())


def _value(value: Any) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_value, value)) + "]"
    if isinstance(value, dict):
        return _pairs(value)
    if isinstance(value, float):
        return f"{value:.4g}"
    return str(value)


def _measured(grid: Grid) -> str:
    """The arms measured elsewhere, each with its own number of tokens and the ceiling that goes with it."""
    found = []
    for arm in filter(grid.results.is_measured, grid.arms):
        pairs = {
            pair
            for place in grid.places
            for pair in zip(grid.values(arm, place, "tokens"), grid.values(arm, place, "ceiling"), strict=True)
        }
        counted = [f"N = {int(tokens):,} tokens, ceiling {100 * ceiling:.1f} %" for tokens, ceiling in sorted(pairs)]
        found.append(f"`{arm}`" + (f" ({'; '.join(counted)})" if counted else ""))
    return ", ".join(found)


def _names(arms: list[str]) -> str:
    return ", ".join(f"`{arm}`" for arm in arms)
