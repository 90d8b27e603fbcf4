"""The second stage: what priors learn of the codes of every arm, and samples beside what they could be."""

import math
from typing import Any

import pandas as pd

from benchmark.metrics.catalogue import find
from benchmark.report.columns import Column, column
from benchmark.report.grid import Grid
from benchmark.report.lengths import tau_text
from benchmark.report.notes import definition_note, measurement_note
from benchmark.report.places import Place
from benchmark.report.priors import Priors
from benchmark.report.statistics import LEVEL
from benchmark.report.table import Block, Cell, Table

MODELLED = (
    "code_length",
    "code_length_codes",
    "code_length_pixels",
    "nll",
    "single_entropy",
    "structure",
    "samples_fd",
    "samples_kid",
    "samples_class_told",
    "samples_trained_accuracy",
    "train_trained_accuracy",
    "guidance_strength",
    "guided_fd",
    "guided_kid",
    "guided_class_told",
    "samples_usage",
    "samples_perplexity",
    "samples_nearest_train",
    "test_nearest_train",
    "nll_train",
)
AGAINST = (
    "samples_fd",
    "samples_kid",
    *(f"samples_{share}" for share in ("precision", "recall", "density", "coverage", "trained_accuracy")),
)
USE, MODELLING = ("usage", "perplexity"), ("code_length", "samples_fd")
"""Of tokenizers and of their priors: whether the first tell the second."""
LEAST_ARMS = 5
"""Below, hardly an order of arms is beyond chance."""
NATIVE = "native"
"""The prior with a softmax for each level, digit or bit."""
SOURCES = {
    "reconstructions": "its reconstructions",
    "samples": "samples",
    "guided": "samples, guided",
    "single": "single codes",
    "uniform": "uniform codes",
    "train": "training images",
}
"""What stands against the test images, roughly from the nearest to the farthest; the last is the same for all arms."""


def generation_table(grid: Grid) -> Table | None:
    """Code length and its parts, what structure the prior found, and its samples; None where no prior ended well."""
    priors = Priors(grid)
    columns = [column(metric) for metric in priors.named(*MODELLED)] if priors else []
    if not columns:
        return None
    places = priors.places
    return Table(
        grid.results.plan["suite"],
        "generation",
        f"{grid.results.plan['question']} – what a prior learns of the codes",
        ["Arm", *(shown.heading for shown in columns), "n"],
        [Block(grid.title(place), _rows(priors, place, columns)) for place in places],
        _data(priors, places, columns),
        [
            *_reading(priors),
            *_predicted(priors),
            *_spread(priors, columns),
            *priors.left_out(),
            *measured_with(priors),
        ],
        [trained_how(priors), definition_note(columns)],
    )


def generation_anchors_table(grid: Grid) -> Table | None:
    """Distances of samples to the test images beside those of anchors, at best and at worst; None as `generation`."""
    priors = Priors(grid)
    names = [name.removeprefix("samples_") for name in (priors.named(*AGAINST) if priors else [])]
    if not names:
        return None
    columns = [anchor_column(name) for name in names]
    data = _anchors(priors, names)
    blocks = []
    for place in priors.places:
        here = data.loc[(data[list(grid.coordinates(place))] == pd.Series(grid.coordinates(place))).all(axis=1)]
        rows = [
            [Cell(f"`{row['arm']}`" if row["arm"] else ""), Cell(SOURCES[row["of"]])]
            + [Cell(shown.text(row[f"{name}_interval"])) for name, shown in zip(names, columns, strict=True)]
            for row in here.to_dict("records")
        ]
        blocks.append(Block(grid.title(place), rows))
    return Table(
        grid.results.plan["suite"],
        "generation_anchors",
        f"{grid.results.plan['question']} – samples beside what they could be at best and at worst",
        ["Arm", "Images", *(shown.heading for shown in columns)],
        blocks,
        data.drop(columns=[f"{name}_interval" for name in names]),
        [*_reading(priors), *measured_with(priors)],
        [trained_how(priors), definition_note(columns)],
    )


def anchor_column(name: str) -> Column:
    """Of a metric without what it is of: a distance, or a share as that of samples has it."""
    return column(name if find(name) else f"samples_{name}")


def _anchors(priors: Priors, names: list[str]) -> pd.DataFrame:
    """A row a place, an arm and what stands against the test images: mean and half-width of each of ``names``."""
    rows = []
    for place in priors.places:
        arms = [arm for arm in priors.grid.arms if len(priors.at(arm, place))]
        own = [of for of in list(SOURCES)[:-1] if any(name.startswith(f"{of}_") for name in priors.rows.columns)]
        for arm, of in [*((arm, of) for arm in arms for of in own), (arms[0], "train")]:
            row: dict[str, object] = {"arm": "" if of == "train" else arm, "of": of, **priors.grid.coordinates(place)}
            for name in names:
                interval = priors.interval(arm, place, f"{of}_{name}")
                row |= {name: interval.mean if interval else None, f"{name}_interval": interval}
                row[f"{name}_half_width"] = interval.half_width if interval else None
            rows.append(row)
    return pd.DataFrame(rows)


def _rows(priors: Priors, place: Place, columns: list[Column]) -> list[list[Cell]]:
    rows = []
    for arm in priors.grid.arms:
        if count := len(priors.at(arm, place)):
            cells = [Cell(shown.text(priors.interval(arm, place, shown.name))) for shown in columns]
            rows.append([Cell(f"`{arm}`"), *cells, Cell(str(count))])
    return rows


def _data(priors: Priors, places: list[Place], columns: list[Column]) -> pd.DataFrame:
    rows = []
    for place in places:
        for arm in priors.grid.arms:
            if not (count := len(priors.at(arm, place))):
                continue
            row: dict[str, object] = {"arm": arm, **priors.grid.coordinates(place), "n": count}
            for shown in columns:
                interval = priors.interval(arm, place, shown.name)
                row[shown.name] = interval.mean if interval else None
                row[f"{shown.name}_half_width"] = interval.half_width if interval else None
            rows.append(row)
    return pd.DataFrame(rows)


def _reading(priors: Priors) -> list[str]:
    found = priors.settings
    settings, sampling = found.get("prior", {}), found.get("sampling", {})
    most = int(priors.rows.groupby(["arm", "place"]).size().max())
    seeds = (
        "one prior a cell (n = 1), no interval"
        if most == 1
        else (f"mean ± half-width of the {100 * LEVEL:.0f} % Student-t interval over n tokenizers, a prior each")
    )
    told = "told the class" if found.get("classes") else "told no class"
    unguided = "nothing guided but the columns that say so" if "guidance" in found else "no guidance"
    notes = [
        f"All arms have the same prior ({named(priors)}), {told}; {seeds}.",
        f"{sampling.get('images', 0):,} samples at temperature {sampling.get('temperature', 1):g}, nothing cut off and "
        f"{unguided}. Nothing is marked best: a prior says how well codes are modelled, and not how good a method is.",
    ]
    if settings.get("name") == NATIVE:
        notes.append(
            "Native track: a softmax for each level, digit or bit of an arm's own codes, so that heads differ "
            "between arms, and single codes are single digits; not to be compared with priors that have one softmax."
        )
    if "guidance" in found:
        notes.append(_guidance(priors, found["guidance"]))
    if "classifier" in found:
        notes.append(
            "The classifiers trained on samples, reconstructions and real images start alike and see as many: "
            f"{found['classifier']['steps']:,} steps of {found['classifier']['batch_size']} images."
        )
    return notes


def named(priors: Priors) -> str:
    """Name and sizes of the prior, and its weights without those that depend on the number of codes."""
    settings = priors.settings.get("prior", {})
    sizes = [f"{name} {value}" for name, value in settings.items() if name not in ("name", "version")]
    return f"{settings.get('name', '')}: {', '.join([*sizes, *_weights(priors)])}"


def _weights(priors: Priors) -> list[str]:
    """One number where it is that of every arm, as it is on one grid of positions."""
    records = priors.grid.results.records
    details = (records[key]["details"].get("prior", {}) for key in priors.rows["key"])
    found = sorted({detail["apart_from_codes"] for detail in details if "apart_from_codes" in detail})
    if not found:
        return []
    number = " to ".join(f"{count:,}" for count in dict.fromkeys((found[0], found[-1])))
    return [f"{number} weights apart from embedding and head"]


def _guidance(priors: Priors, settings: dict[str, Any]) -> str:
    """How the strength of guidance was chosen, and how often it was the strongest."""
    strengths = settings["strengths"]
    at_end = int((priors.rows.get("guidance_strength", pd.Series(dtype=float)) == max(strengths)).sum())
    beyond = f"; {at_end} of {len(priors.rows)} have the strongest, and a better one may lie beyond" if at_end else ""
    return (
        f"Guidance: the class was not told of {100 * settings['dropped']:.0f} % of the training items; for every prior "
        f"the best of {', '.join(f'{strength:g}' for strength in strengths)} by {settings['images']:,} samples against "
        f"the validation images{beyond}."
    )


def _predicted(priors: Priors) -> list[str]:
    """Whether arms that use more of their codebook have codes that are modelled better; nothing of few arms."""
    sentences = []
    for place in priors.places:
        parts = [
            f"{column(use).label} with {column(judged).label} {text}"
            for judged in priors.named(*MODELLING)
            for use in USE
            if (text := _tau(priors, place, use, judged))
        ]
        if parts:
            sentences.append(f"{priors.grid.title(place)}: {', '.join(parts)}")
    if not sentences:
        return []
    return [
        "Does use of the codebook tell how well codes are modelled? Kendall's τ over arms, by their means; negative "
        f"where more use goes with a shorter code or nearer samples; two-sided p. {'; '.join(sentences)}."
    ]


def _tau(priors: Priors, place: Place, use: str, judged: str) -> str | None:
    """Kendall's τ, its p and how many arms it is of; None where they are few or all alike."""
    pairs = []
    for arm in priors.grid.arms:
        used, modelled = priors.grid.interval(arm, place, use), priors.interval(arm, place, judged)
        if used is not None and modelled is not None:
            pairs.append((used.mean, modelled.mean))
    if len(pairs) < LEAST_ARMS:
        return None
    from scipy.stats import kendalltau  # half a second, which reports without priors needn't wait for

    tau, p = kendalltau(*zip(*pairs, strict=True))
    return f"{tau_text(tau)} (p = {p:.3f}, {len(pairs)} arms)" if math.isfinite(tau) else None


def _spread(priors: Priors, columns: list[Column]) -> list[str]:
    sentences = []
    for shown in columns:
        if spread := priors.spread(shown.name):
            parts = (f"`{arm}` {shown.finer().number(deviation)} ({count})" for arm, deviation, count in spread)
            sentences.append(f"{shown.label} {', '.join(parts)}")
    if not sentences:
        return []
    return [f"Standard deviation over several priors on one tokenizer (how many): {'; '.join(sentences)}."]


def measured_with(priors: Priors) -> list[str]:
    """By which networks the samples were measured, or why not."""
    found: dict[str, None] = {}
    for key in priors.rows["key"]:
        for name, detail in priors.grid.results.records[key]["details"].items():
            if isinstance(detail, dict) and "extractor" in detail:
                found[measurement_note(column(name).label, detail)] = None
    return list(found)


def trained_how(priors: Priors) -> str:
    """How priors were trained, in one line."""
    settings = ", ".join(
        f"{name} {value:,}" if isinstance(value, int) else f"{name} {value}"
        for name, value in priors.settings.get("training", {}).items()
    )
    return f"Training of every prior: {settings}."
