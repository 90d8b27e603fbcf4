"""All that an evaluation measures: the metrics of a modality and the extra ones that a suite names."""

from collections.abc import Mapping
from typing import Any

from benchmark.components import Components, sources_of
from benchmark.metrics import extra_metrics, metrics
from benchmark.metrics.base import ReconstructionMetrics, Together
from methods.core.usage import UsageError


def evaluation_options(modality: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """The options of an evaluation that belong in a run's key; of extra metrics all options with their values.

    Raises:
        UsageError: there is no such modality, option or metric, or a value is unfit.
    """
    found = metrics.identity(modality, options)
    if "extra" in found:
        found["extra"] = [
            {"name": name, **extra_metrics.identity(name, own)} for name, own in _extra(modality, found["extra"])
        ]
    return found


def sources(modality: str, options: Mapping[str, Any]) -> dict[str, str]:
    """Of all that ``options``, from `evaluation_options`, take from plug-ins: the source by kind and name."""
    named: list[tuple[Components[Any], str]] = [(metrics, modality)]
    named += [(extra_metrics, entry["name"]) for entry in options.get("extra", [])]
    for option, components in metrics.trait(modality, "named").items():
        named += [(components, name) for name in options.get(option, [])]
    return sources_of(named)


def create_metrics(modality: str, options: Mapping[str, Any], **supplied: Any) -> ReconstructionMetrics:
    """Everything that ``options`` ask for, ready to be fed.

    Raises:
        UsageError: as `evaluation_options`; weights that can't be had, items that a metric can't measure.
    """
    main = metrics.create(modality, options, **supplied)
    further = _extra(modality, options.get("extra", []))
    return Together([main, *(extra_metrics.create(name, own, **supplied) for name, own in further)])


def _extra(modality: str, entries: object) -> list[tuple[str, dict[str, Any]]]:
    """Names and options of the extra metrics."""
    if not isinstance(entries, list):
        raise UsageError(f"`extra` must be a list of metrics, not {entries!r}")
    found: dict[str, dict[str, Any]] = {}
    for entry in entries:
        named = {"name": entry} if isinstance(entry, str) else entry
        if not isinstance(named, dict) or not isinstance(named.get("name"), str):
            raise UsageError(f"`extra` lists metrics by name or as {{name: ..., option: ...}}, not {entry!r}")
        name = named["name"]
        if name in found:
            raise UsageError(f"`extra` lists `{name}` twice")
        made_for = extra_metrics.trait(name, "modality")
        if made_for not in ("", modality):
            raise UsageError(f"`extra`: `{name}` is for `{made_for}` data, not `{modality}`")
        found[name] = {option: value for option, value in named.items() if option != "name"}
    return list(found.items())
