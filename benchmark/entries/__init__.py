"""Everything that a suite can say, described from the code: what a name is, its options with defaults, one example."""

import inspect
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from benchmark.components import Components
from benchmark.data import datasets
from benchmark.document import Document
from benchmark.entries.entry import REQUIRED, Entry, Kind, Option, signature
from benchmark.entries.keys import KEYS, PAPER
from benchmark.metrics import extra_metrics, metrics
from benchmark.metrics.catalogue import METRICS, Metric
from benchmark.metrics.parts.speech import measures
from benchmark.models import models
from benchmark.objectives import objectives
from benchmark.priors import PRIORS
from benchmark.priors import options as prior_options
from benchmark.report.plots import PLOTS
from benchmark.report.tables import TABLES
from benchmark.suite.file import available_suites, find_suite, validate
from methods import available, get
from methods.core.registry import card_of
from methods.core.usage import UsageError

__all__ = ["KINDS", "REQUIRED", "Entry", "Option", "entries", "method_entry", "named", "names"]


def names(kinds: Iterable[str] | None = None) -> list[tuple[str, str]]:
    """Kind and name of all that can be named, or of some ``kinds``."""
    return [(kind, name) for kind in (KINDS if kinds is None else kinds) for name in KINDS[kind].names()]


def entries(kinds: Iterable[str] | None = None) -> list[Entry]:
    """What stands behind all of `names`."""
    return [KINDS[kind].entry(kind, name) for kind, name in names(kinds)]


def named(name: str) -> list[Entry]:
    """What stands behind one name: an entry of each kind that has it."""
    return [KINDS[kind].entry(kind, other) for kind, other in names() if other == name]


def method_entry(name: str, params: Mapping[str, Any], kind: str = "methods") -> Entry:
    """A method, with the parameters that go with ``params`` where one of them chooses what is built.

    Raises:
        UsageError: nothing can be built with ``params``.
    """
    method, card = get(name), card_of(name)
    rows = {
        "paper": card.paper,
        "authors' code": card.code,
        "trains": card.trains,
        "memory": card.memory,
        "several processes": card.distributed,
        "over a run": card.schedule or "nothing changes but the run's learning rate",
        "tuned beside the learning rate": f"{method.knob.parameter} in {list(method.knob.values)}"
        if method.knob
        else "",
        "version": str(method.version),
    }
    facts = "\n".join(f"{label}: {text}" for label, text in rows.items() if text)
    listed = [
        f"{title}:\n" + "\n".join(f"- {entry}" for entry in entries or (empty,))
        for title, entries, empty in (
            ("Differences from the authors' code", card.differences, "none known"),
            ("Evidence", card.evidence, "not verified"),
            ("Not promised, of what `check` asks", list(method.not_promised(**params).values()), ""),
        )
        if entries or empty
    ]
    text = "\n\n".join([f"{card.idea}.", facts, *listed, inspect.getdoc(method) or ""])
    try:
        options = signature(method.options(params))
    except UsageError as error:  # of another library, which is not here
        if params:
            raise
        options, text = (), f"{text}\n\n{error}"
    first = [f"params: {{{option.name}: {option.default}}}" for option in options[:1]]
    return Entry(kind, name, text, options, f"methods: [{{{', '.join([f'method: {name}', *first])}}}]")


def _components(section: str, components: Components[Any]) -> Kind:
    def entry(kind: str, name: str) -> Entry:
        options = signature(components.parameters(name), of=name)
        needed = {option.name: "..." for option in options if option.default == REQUIRED}
        chosen = "{" + ", ".join(f"{key}: {value}" for key, value in {"name": name, **needed}.items()) + "}"
        example = section.format(name=name, choice=chosen if needed else name)
        return Entry(kind, name, components.documentation(name), options, example)

    return Kind(components.available, entry)


def _documented(things: Callable[[], Mapping[str, Any]], example: str) -> Kind:
    """What has no options, and says what it is in its docstring."""

    def entry(kind: str, name: str) -> Entry:
        return Entry(kind, name, inspect.getdoc(things()[name]) or "", (), example.format(name=name))

    return Kind(lambda: list(things()), entry)


def _metric(kind: str, name: str) -> Entry:
    return Entry(kind, name, _about(METRICS[name]), (), f"plots: [{{name: mine, metrics: [{name}]}}]")


def _about(metric: Metric) -> str:
    better = {"lower": "lower is better", "higher": "higher is better", "none": "no direction, never marked best"}
    shown = {"%": "printed in per cent"}.get(metric.format[-1], metric.unit if metric.unit != "codes" else "")
    facts = "; ".join(filter(None, [f"heading `{metric.label}`", shown, better[metric.direction]]))
    return f"{metric.description[0].upper()}{metric.description[1:]}.\n\n{facts}."


def _suite(kind: str, name: str) -> Entry:
    file = validate(Document(find_suite(name)), {})
    axes = {"codebook_size": file.grid.codebook_size, **file.grid.axes}
    rows = {
        "data set": file.dataset.name,
        "model": file.model.name,
        "objective": file.objective.name,
        "steps": file.training.steps or "an axis of the grid",
        "seeds": file.seeds,
        **{axis: ", ".join(map(str, values)) for axis, values in axes.items()},
        "arms": ", ".join(arm.arm for arm in file.methods),
        "needs": file.needs,
    }
    text = "\n".join(f"{label}: {value}" for label, value in rows.items() if value)
    return Entry(kind, name, f"{file.question}\n\n{text}", (), f"make bench SUITE={name}")


def _prior(kind: str, name: str) -> Entry:
    example = f"generation: {{prior: {name}, training: {{steps: 16000}}}}"
    return Entry(kind, name, inspect.getdoc(PRIORS[name]) or "", signature(prior_options(name)), example)


KINDS: dict[str, Kind] = {
    "keys of a suite": KEYS,
    "a file for a paper": PAPER,
    "suites": Kind(available_suites, _suite),
    "methods": Kind(available, lambda kind, name: method_entry(name, {}, kind)),
    "data sets": _components("dataset: {choice}", datasets),
    "models": _components("model: {choice}", models),
    "objectives": _components("objective: {choice}", objectives),
    "priors": Kind(lambda: list(PRIORS), _prior),
    "evaluation by modality": _components("evaluation: {{}}", metrics),
    "further metrics": _components("evaluation: {{extra: [{choice}]}}", extra_metrics),
    "measures of speech": _components("evaluation: {{speech: [{name}]}}", measures),
    "metrics": Kind(lambda: list(METRICS), _metric),
    "tables": _documented(lambda: TABLES, "tables: [{name}]"),
    "plots": _documented(PLOTS.all, "plots: [{name}]"),
}
"""What can be named, by kind."""
