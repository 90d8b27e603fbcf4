"""Everything that a suite can say, described from the code: what a name is, its options with defaults, one example."""

import inspect
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, get_args, get_origin

from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from benchmark.components import Components
from benchmark.data import datasets
from benchmark.document import Document
from benchmark.metrics import extra_metrics, metrics
from benchmark.metrics.catalogue import METRICS, Metric
from benchmark.metrics.parts.speech import measures
from benchmark.models import models
from benchmark.objectives import objectives
from benchmark.option_meanings import meaning
from benchmark.priors import PRIORS
from benchmark.priors import options as prior_options
from benchmark.records.settings import PriorTraining, Training
from benchmark.report.declarations import PaperTable, PlotOf, Style, TableOf
from benchmark.report.paper import PaperFile
from benchmark.report.plots import PLOTS
from benchmark.report.tables import TABLES
from benchmark.suite.file import available_suites, find_suite, validate
from benchmark.suite.schema import (
    Arm,
    Generation,
    Grid,
    Guidance,
    SampleClassifier,
    Sampling,
    SecondPrior,
    Spread,
    SuiteFile,
    Tuning,
    Variant,
)
from methods import available, get
from methods.core.registry import card_of
from methods.core.usage import UsageError

REQUIRED = "required"


@dataclass(frozen=True)
class Option:
    """One option: ``default`` as a suite would write it, or `REQUIRED`; ``about``: type, unit and meaning, if said."""

    name: str
    default: str
    about: str = ""


@dataclass(frozen=True)
class Entry:
    """What stands behind a name of one ``kind``; ``example`` is YAML of a suite, or a command."""

    kind: str
    name: str
    text: str
    options: tuple[Option, ...] = ()
    example: str = ""

    @property
    def sentence(self) -> str:
        """The first of the text, without its full stop."""
        return " ".join(self.text.split("\n\n")[0].split()).split(". ")[0].rstrip(".")


def entries(kinds: Iterable[str] | None = None) -> list[Entry]:
    """All that can be named, or that of some ``kinds``, by kind and then by name."""
    return [entry for kind, make in KINDS.items() if kinds is None or kind in kinds for entry in make(kind)]


def _methods(kind: str) -> list[Entry]:
    return [method_entry(name, {}, kind) for name in available()]


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
        options = _signature(method.options(params))
    except UsageError as error:  # of another library, which is not here
        if params:
            raise
        options, text = (), f"{text}\n\n{error}"
    first = [f"params: {{{option.name}: {option.default}}}" for option in options[:1]]
    return Entry(kind, name, text, options, f"methods: [{{{', '.join([f'method: {name}', *first])}}}]")


def _components(section: str, components: Components[Any]) -> Callable[[str], list[Entry]]:
    def make(kind: str) -> list[Entry]:
        found = []
        for name in components.available():
            options = _signature(components.parameters(name), of=name)
            needed = {option.name: "..." for option in options if option.default == REQUIRED}
            chosen = "{" + ", ".join(f"{key}: {value}" for key, value in {"name": name, **needed}.items()) + "}"
            example = section.format(name=name, choice=chosen if needed else name)
            found.append(Entry(kind, name, components.documentation(name), options, example))
        return found

    return make


def _metrics(kind: str) -> list[Entry]:
    return [
        Entry(kind, name, _metric(metric), (), f"plots: [{{name: mine, metrics: [{name}]}}]")
        for name, metric in METRICS.items()
    ]


def _metric(metric: Metric) -> str:
    better = {"lower": "lower is better", "higher": "higher is better", "none": "no direction, never marked best"}
    shown = {"%": "printed in per cent"}.get(metric.format[-1], metric.unit if metric.unit != "codes" else "")
    facts = "; ".join(filter(None, [f"heading `{metric.label}`", shown, better[metric.direction]]))
    return f"{metric.description[0].upper()}{metric.description[1:]}.\n\n{facts}."


def _tables(kind: str) -> list[Entry]:
    return [Entry(kind, name, inspect.getdoc(build) or "", (), f"tables: [{name}]") for name, build in TABLES.items()]


def _plots(kind: str) -> list[Entry]:
    return [Entry(kind, name, inspect.getdoc(plot) or "", (), f"plots: [{name}]") for name, plot in PLOTS.all().items()]


def _suites(kind: str) -> list[Entry]:
    return [_suite(kind, name) for name in available_suites()]


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


_SUITE = """\
question: Which is best?
dataset: photos
training: {steps: 1000}
grid: {codebook_size: [256]}
methods: [vq_vae, simvq]"""
_PAPER = """\
suite: remedies
style: {column: single}
footnotes: short
tables:
  - {name: headline, title: At eight bits, suites: [quickstart, remedies], columns: [usage, psnr], sizes: [256]}
plots:
  - {name: some, of: usage, arms: [simvq, vq_vae]}"""
_SECTIONS: dict[str, tuple[type[BaseModel], str]] = {
    "suite": (SuiteFile, _SUITE),
    "training": (Training, "training: {steps: 16000, batch_size: 32, learning_rate: 3.0e-3, schedule: cosine}"),
    "grid": (Grid, "grid: {codebook_size: [256, 1024], training.steps: [1000, 4000]}"),
    "methods": (Arm, "methods: [simvq, {arm: vq_vae_kmeans, method: vq_vae, params: {init: kmeans}}]"),
    "at": (Variant, "methods: [{method: vq_vae, at: [{dataset.shift: 4, params: {init: normal}}]}]"),
    "table": (PaperTable, "tables: [{name: mine, title: Usage, columns: [usage, perplexity], arms: [simvq, vq_vae]}]"),
    "table_of": (TableOf, "tables: [{name: mine, of: main, arms: [simvq, vq_vae], footnotes: short}]"),
    "plot_of": (PlotOf, "plots: [{name: mine, of: usage, arms: [simvq, vq_vae], style: {column: single}}]"),
    "style": (Style, "plots: [{name: mine, of: usage, style: {width: 3.25, font_size: 7}}]"),
    "tuning": (Tuning, "tuning: {codebook_sizes: [1024], steps: [500, 4000]}"),
    "generation": (Generation, "generation: {prior: transformer, training: {steps: 16000}}"),
    "generation_training": (PriorTraining, "generation: {training: {steps: 16000, batch_size: 64}}"),
    "generation_sampling": (Sampling, "generation: {training: {steps: 16000}, sampling: {images: 10000}}"),
    "generation_guidance": (Guidance, "generation: {training: {steps: 16000}, guidance: {dropped: 0.1}}"),
    "generation_classifier": (SampleClassifier, "generation: {training: {steps: 16000}, classifier: {steps: 1000}}"),
    "generation_spread": (Spread, "generation: {training: {steps: 16000}, spread: {arms: [simvq], seeds: 3}}"),
    "generation_second": (SecondPrior, "generation: {training: {steps: 16000}, second: {prior: pixelcnn}}"),
}


def _keys(kind: str) -> list[Entry]:
    return [
        Entry(kind, name, inspect.getdoc(model) or "", tuple(_fields(model)), example)
        for name, (model, example) in _SECTIONS.items()
    ]


def _priors(kind: str) -> list[Entry]:
    return [
        Entry(
            kind,
            name,
            inspect.getdoc(prior) or "",
            _signature(prior_options(name)),
            f"generation: {{prior: {name}, training: {{steps: 16000}}}}",
        )
        for name, prior in PRIORS.items()
    ]


def _paper(kind: str) -> list[Entry]:
    return [Entry(kind, "paper", inspect.getdoc(PaperFile) or "", tuple(_fields(PaperFile)), _PAPER)]


def _fields(model: type[BaseModel]) -> Iterable[Option]:
    for name, field in model.model_fields.items():
        default = (
            REQUIRED
            if field.default is PydanticUndefined and field.default_factory is None
            else _written(field.default)
        )
        about = "; ".join(filter(None, [_type(field.annotation), field.description or ""]))
        yield Option(name, default, about)


def _type(annotation: Any) -> str:
    """``int or null``, ``constant, cosine or linear``; nothing where a class of ours says more than its name."""
    origin, inner = get_origin(annotation), get_args(annotation)
    if annotation in (int, float, str, bool):
        return {int: "whole number", float: "number", str: "text", bool: "true or false"}[annotation]
    if annotation is type(None):
        return "null"
    if origin is list:
        return f"list of {_type(inner[0])}s" if _type(inner[0]) else "list"
    if origin is dict:
        return "mapping"
    if inner and all(isinstance(value, str) for value in inner):
        return " or ".join([", ".join(inner[:-1]), inner[-1]] if len(inner) > 1 else inner)
    if inner and origin is not None:
        return " or ".join(filter(None, map(_type, inner[:1] if hasattr(annotation, "__metadata__") else inner)))
    return ""


def _signature(options: Mapping[str, inspect.Parameter], of: str = "") -> tuple[Option, ...]:
    found = []
    for name, option in options.items():
        needed = option.default is inspect.Parameter.empty
        found.append(Option(name, REQUIRED if needed else _written(option.default), meaning(of, name) if of else ""))
    return tuple(found)


def _written(value: Any) -> str:
    """As a suite would write it."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_written, value)) + "]"
    if isinstance(value, BaseModel):
        return getattr(value, "name", None) or "{}"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {_written(inner)}" for key, inner in value.items()) + "}"
    return str(value)


KINDS: dict[str, Callable[[str], list[Entry]]] = {
    "keys of a suite": _keys,
    "a file for a paper": _paper,
    "suites": _suites,
    "methods": _methods,
    "data sets": _components("dataset: {choice}", datasets),
    "models": _components("model: {choice}", models),
    "objectives": _components("objective: {choice}", objectives),
    "priors": _priors,
    "evaluation by modality": _components("evaluation: {{}}", metrics),
    "further metrics": _components("evaluation: {{extra: [{choice}]}}", extra_metrics),
    "measures of speech": _components("evaluation: {{speech: [{name}]}}", measures),
    "metrics": _metrics,
    "tables": _tables,
    "plots": _plots,
}
"""What can be named, each kind with what makes its entries."""
