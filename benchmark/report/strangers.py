"""Records in a results folder that belong to no cell of its plan: what sets them apart, said and never mixed in."""

from collections import Counter
from collections.abc import Iterable
from typing import Any

from benchmark.records.settings import Training
from benchmark.report.places import text

_ABSENT = {name: field.default for name, field in Training.model_fields.items()}
"""Settings of the training that a record may lack, because it is older than they are or has them at their default."""

Difference = tuple[str, Any, Any]
_UNTRAINED = ("measured", "pretrained")
"""Of these one stands in the configuration of what was measured, or published, and not trained here."""


def is_trained(config: dict[str, Any]) -> bool:
    """Whether a record's ``config`` is that of a training: there is one, and it was made here."""
    return bool(config) and config.keys().isdisjoint(_UNTRAINED)


def training_setting(config: dict[str, Any], name: str) -> Any:
    """A setting of the training in a record's ``config``, or in a plan's protocol; its default where it has none."""
    return _section(config, "training").get(name, _ABSENT.get(name))


def sentences(strangers: Iterable[dict[str, Any]], plan: dict[str, Any]) -> list[str]:
    """One sentence for each way in which the records ``strangers`` were made otherwise than the ``plan`` says."""
    found = [record["config"] for record in strangers]
    priors = sum(1 for config in found if "tokenizer" in config)
    kinds = Counter(_differences(config, plan) for config in found if "tokenizer" not in config)
    others = [f"{priors:,} priors are not those of plan.json: they are in no table"] if priors else []
    return others + [
        _sentence(kind, count) for kind, count in sorted(kinds.items(), key=lambda item: (-item[1], str(item[0])))
    ]


def _sentence(differences: tuple[Difference, ...], count: int) -> str:
    several = count > 1
    records = f"{count:,} records" if several else "1 record"
    rest = "they are in no table, and summary.csv marks them" if several else "it is in no table; summary.csv marks it"
    if not differences:
        return f"{records} {'belong' if several else 'belongs'} to no cell of plan.json: {rest}"
    shown = ", ".join(f"{name} {_text(theirs)} for {_text(ours)}" for name, theirs, ours in differences)
    return f"{records} {'were' if several else 'was'} made under another protocol ({shown}); {rest}"


def _differences(config: dict[str, Any], plan: dict[str, Any]) -> tuple[Difference, ...]:
    """(setting, theirs, the plan's) of what all arms share; settings of the training first and without their section.

    Axes of the grid are left out, and what an arm may have of its own: the learning rate, a method of a plug-in.
    """
    protocol, axes = plan.get("protocol", {}), plan.get("axes", {})
    found: list[Difference] = []
    for section in sorted(protocol, key=lambda name: name != "training"):
        theirs, ours = _section(config, section), _section(protocol, section)
        for name in sorted({*theirs, *ours}):
            own = f"{section}.{name}"
            if own in axes or own == "training.learning_rate" or own.startswith("plugins.method "):
                continue
            absent = _ABSENT.get(name) if section == "training" else None
            pair = theirs.get(name, absent), ours.get(name, absent)
            if pair[0] != pair[1]:
                found.append((name if section == "training" else own, *(_frozen(value) for value in pair)))
    return tuple(found)


def _section(config: dict[str, Any], name: str) -> dict[str, Any]:
    found = config.get(name)
    return found if isinstance(found, dict) else {}


def _frozen(value: Any) -> Any:
    return text(value) if isinstance(value, list | dict) else value


def _text(value: Any) -> str:
    return "none" if value is None else text(value)
