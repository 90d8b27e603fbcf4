"""The keys of a suite and of a file for a paper: what a key holds, from the models that check it."""

import inspect
from collections.abc import Callable, Iterable, Sequence
from typing import Annotated

from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from benchmark.data import datasets
from benchmark.entries.entry import REQUIRED, Entry, Kind, Option, default_of
from benchmark.entries.option_types import parts, type_in_words
from benchmark.metrics import metrics
from benchmark.models import models
from benchmark.objectives import objectives
from benchmark.priors import PRIORS
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
_CHOSEN: dict[str, Callable[[], Sequence[str]]] = {
    "dataset": datasets.available,
    "model": models.available,
    "objective": objectives.available,
    "evaluation": metrics.available,
    "tables": lambda: list(TABLES),
    "plots": lambda: list(PLOTS.all()),
    "prior": lambda: list(PRIORS),
}
"""Keys whose value is one of these names, or has the options of one."""


def _key(kind: str, name: str) -> Entry:
    if name in _SECTIONS:
        model, example = _SECTIONS[name]
        return Entry(kind, name, inspect.getdoc(model) or "", tuple(_fields(model)), example)
    model, example = _PLAIN[name]
    [option] = [option for option in _fields(model) if option.name == name]
    text = f"{option.meaning[0].upper()}{option.meaning[1:]}."
    if name in _CHOSEN:
        names = ", ".join(f"`{choice}`" for choice in _CHOSEN[name]())
        text += f"\n\nThere are: {names}; `python -m benchmark show NAME` says more of each."
    return Entry(kind, name, text, (option,), example)


def _paper(kind: str, name: str) -> Entry:
    return Entry(kind, name, inspect.getdoc(PaperFile) or "", tuple(_fields(PaperFile)), _PAPER)


def _fields(model: type[BaseModel]) -> Iterable[Option]:
    for name, field in model.model_fields.items():
        needed = field.default is PydanticUndefined and field.default_factory is None
        annotation = Annotated[field.annotation, *field.metadata] if field.metadata else field.annotation
        see = [f"see `{section}`" for section, (own, _) in _SECTIONS.items() if own in parts(annotation)]
        meaning = "; ".join(filter(None, [field.description or "", *see]))
        yield Option(name, REQUIRED if needed else default_of(field.default), type_in_words(annotation), meaning)


KEYS = Kind(lambda: [*_SECTIONS, *_PLAIN], _key)
PAPER = Kind(lambda: ["paper"], _paper)
