"""Everything that a suite can say, described from the code: what a name is, its options with defaults, one example."""

import inspect
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any

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
from benchmark.option_types import parts, type_in_words, type_of_option
from benchmark.priors import PRIORS
from benchmark.priors import options as prior_options
from benchmark.records.settings import PriorTraining, Training
from benchmark.report.declarations import (
    PaperTable,
    PlotByAxis,
    PlotOf,
    PlotOfTable,
    PublishedRows,
    Style,
    TableByAxis,
    TableOf,
)
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
from benchmark.values import written
from methods import available, get
from methods.core.registry import card_of
from methods.core.usage import UsageError

REQUIRED = "required"


@dataclass(frozen=True)
class Option:
    """One option: ``default`` as a suite would write it, or `REQUIRED`; ``meaning``: unit and more, if said."""

    name: str
    default: str
    type: str
    meaning: str = ""

    @property
    def about(self) -> str:
        """Type and meaning."""
        return "; ".join(filter(None, [self.type, self.meaning]))


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
_PUBLISHED = (
    'published: {paper: "SimVQ (arXiv 2411.02038, ICCV 2025)", methods: {simvq: SimVQ}, metrics: {usage: usage_pct}}'
)
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
    "table_by_axis": (TableByAxis, "tables: [{name: mine, metrics: [usage, psnr], arms: [simvq, vq_vae]}]"),
    "published": (PublishedRows, f"tables: [{{name: mine, title: Ours and theirs, columns: [usage], {_PUBLISHED}}}]"),
    "plot": (PlotByAxis, "plots: [{name: mine, metrics: [usage, psnr], sizes: [256, 1024]}]"),
    "plot_of": (PlotOf, "plots: [{name: mine, of: usage, arms: [simvq, vq_vae], style: {column: single}}]"),
    "plot_of_table": (
        PlotOfTable,
        "tables: [{name: mine, title: Usage, columns: [usage]}]\nplots: [{name: drawn, table: mine}]",
    ),
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


_PLAIN: dict[str, tuple[type[BaseModel], str]] = {
    "question": (SuiteFile, "question: Which is best?"),
    "needs": (SuiteFile, "needs: a GPU with 80 GB"),
    "dataset": (SuiteFile, "dataset: {name: photos, test_items: 1000}"),
    "model": (SuiteFile, "model: {name: conv, width: 64}"),
    "objective": (SuiteFile, "objective: squared_error"),
    "evaluation": (SuiteFile, "evaluation: {training_codes: true}"),
    "seeds": (SuiteFile, "seeds: 5"),
    "tuned": (SuiteFile, "tuned: tuned/codebook_scaling.yaml"),
    "tables": (SuiteFile, "tables: [main, usage_by_size]"),
    "plots": (SuiteFile, "plots: [usage, training]"),
    "prior": (Generation, "generation: {prior: pixelcnn, training: {steps: 16000}}"),
}
"""Keys that are no sections of their own, each with what has it."""
_CHOSEN = {
    "dataset": "data sets",
    "model": "models",
    "objective": "objectives",
    "evaluation": "evaluation by modality",
    "tables": "tables",
    "plots": "plots",
    "prior": "priors",
}
"""Keys whose value is one of a kind, or has the options of one."""


def _keys(kind: str) -> list[Entry]:
    sections = [
        Entry(kind, name, inspect.getdoc(model) or "", tuple(_fields(model)), example)
        for name, (model, example) in _SECTIONS.items()
    ]
    return sections + [_plain(kind, name, model, example) for name, (model, example) in _PLAIN.items()]


def _plain(kind: str, name: str, model: type[BaseModel], example: str) -> Entry:
    [option] = [option for option in _fields(model) if option.name == name]
    text = f"{option.meaning[0].upper()}{option.meaning[1:]}."
    if name in _CHOSEN:
        names = ", ".join(f"`{entry.name}`" for entry in entries([_CHOSEN[name]]))
        text += f"\n\nThere are: {names}; `python -m benchmark show NAME` says more of each."
    return Entry(kind, name, text, (option,), example)


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
        needed = field.default is PydanticUndefined and field.default_factory is None
        annotation = Annotated[field.annotation, *field.metadata] if field.metadata else field.annotation
        see = [f"see `{section}`" for section, (own, _) in _SECTIONS.items() if own in parts(annotation)]
        meaning = "; ".join(filter(None, [field.description or "", *see]))
        yield Option(name, REQUIRED if needed else _default(field.default), type_in_words(annotation), meaning)


def _signature(options: Mapping[str, inspect.Parameter], of: str = "") -> tuple[Option, ...]:
    return tuple(
        Option(
            name,
            REQUIRED if option.default is inspect.Parameter.empty else _default(option.default),
            type_of_option(option),
            meaning(of, name) if of else "",
        )
        for name, option in options.items()
    )


def _default(value: Any) -> str:
    """As a suite would write it, what is chosen by name as its name."""
    return getattr(value, "name", "{}") if isinstance(value, BaseModel) else written(value)


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
