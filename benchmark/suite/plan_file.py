"""``plan.json``: what a results folder should hold, so that tables need nothing but the folder."""

import json
from pathlib import Path
from typing import Any, Literal

from benchmark.data import datasets
from benchmark.records.files import write_atomic, writing
from benchmark.records.plan import RESPONSE, SCHEMA, BadPlanError, locked, read_plan
from benchmark.records.store import Store
from benchmark.suite.choices import Choice
from benchmark.suite.plan import Plan
from benchmark.suite.priors import PriorCell
from benchmark.suite.schema import Arm
from methods import Card, get
from methods.core.plugins import plugged
from methods.core.registry import card_of


def write_plan(plan: Plan, store: Store) -> None:
    """Write the plan; finished cells of an earlier call under the same settings stay in it.

    Called before and after the runs, so that what two people do in one folder at once stands in one plan.
    """
    _write_response(plan, store)
    content = json.loads(json.dumps(_content(plan)))
    path = store.folder / "plan.json"
    with locked(store.folder):
        old = _read(path)
        if old is not None and old.get("protocol") == content["protocol"]:
            _keep_finished(content, old, store, plan)
        if content != old:
            write_atomic(path, json.dumps(content, indent=1) + "\n")


def _write_response(plan: Plan, store: Store) -> None:
    """Copy the trials behind the choices beside the plan, so that tables and plots need nothing but the folder."""
    path = store.folder / RESPONSE
    source = plan.suite.response
    text = source.read_text(encoding="utf-8") if source and source.is_file() else None
    with writing(path):
        if text is None:
            path.unlink(missing_ok=True)
        else:
            write_atomic(path, text)


def _content(plan: Plan) -> dict[str, Any]:
    suite, file = plan.suite, plan.suite.file
    return {
        "schema": SCHEMA,
        "suite": suite.name,
        "question": file.question,
        "dataset": file.dataset.name,
        "tuned": suite.choices.sentence if suite.choices else False,
        "protocol": suite.protocol,
        "arms": [
            {
                "arm": arm.arm,
                "method": arm.method,
                "params": arm.params,
                **({"at": [variant.model_dump() for variant in arm.at]} if arm.at else {}),
                "verified": bool(card_of(arm.method).evidence),
                "tuned": _tuned(plan, arm),
                **({"at_end": ends} if (ends := _ends(plan, arm)) else {}),
                **({} if _is_whole(arm) else {"ranked": False}),
                **({"reference": True} if get(arm.method).reference else {}),
                **({"not_promised": words} if (words := _not_promised(plan, arm)) else {}),
                **({"not_as_published": word} if (word := get(arm.method).not_as_published(**arm.params)) else {}),
            }
            for arm in plan.arms
        ],
        "codebook_sizes": list(file.grid.codebook_size),
        **({"axes": file.grid.axes} if file.grid.axes else {}),
        "seeds": plan.seeds,
        "cells": [
            {
                "arm": cell.arm,
                "codebook_size": cell.codebook_size,
                "seed": cell.seed,
                "key": cell.run.key if cell.run else None,
                "unavailable": cell.unavailable,
                **({"point": cell.point} if cell.point else {}),
            }
            for cell in plan.cells
        ],
        **_stage(plan, plan.priors),
        **({"second": _stage(plan, plan.second)} if plan.second else {}),
        "tables": file.tables,
        "plots": file.plots,
        # An edited plot makes another report; all that apply are drawn where a suite names none.
        **({"plot_plugins": sources} if (sources := plugged("plot", _drawn(file.plots) or None)) else {}),
    }


def _stage(plan: Plan, priors: list[PriorCell]) -> dict[str, Any]:
    """What all ``priors`` share, and where each stands; nothing where there are none."""
    if not priors:
        return {}
    shared = next((prior.run.config for prior in priors if prior.run), {})
    return {
        "generation": {
            **{name: value for name, value in shared.items() if name not in ("seed", "tokenizer")},
            "class_names": list(datasets.trait(plan.suite.file.dataset.name, "classes"))
            if shared.get("classes")
            else [],
        },
        "priors": [
            {
                "arm": prior.arm,
                "codebook_size": prior.codebook_size,
                "seed": prior.seed,
                "prior_seed": prior.prior_seed,
                "key": prior.run.key if prior.run else None,
                "tokenizer": prior.run.tokenizer if prior.run else None,
                "unavailable": prior.unavailable,
                **({"point": prior.point} if prior.point else {}),
            }
            for prior in priors
        ],
    }


def _drawn(plots: list[str | dict[str, Any]]) -> list[str]:
    """The registered plots among those that a suite lists, some of them under names of their own."""
    return [plot if isinstance(plot, str) else str(plot.get("of", plot["name"])) for plot in plots]


def _read(path: Path) -> dict[str, Any] | None:
    try:
        return read_plan(path)
    except (FileNotFoundError, BadPlanError):
        return None


def _tuned(plan: Plan, arm: Arm) -> dict[str, Any] | Literal[False]:
    """The settings of an arm that are as tuning chose them; what the suite says explicitly stands over its choice.

    A setting is given by size where tuning had several, whether or not all of them have a choice.
    """
    explicit = _explicit(plan, arm)
    found: dict[str, dict[str, Any]] = {}
    for choice in _chosen(plan, arm):
        for name, value in {"learning_rate": choice.learning_rate, **choice.params}.items():
            if name not in explicit:
                found.setdefault(name, {})[f"K = {choice.codebook_size:,}"] = value
    if plan.suite.choices and len(plan.suite.choices.codebook_sizes) > 1:
        return dict(found) or False
    return {name: next(iter(values.values())) for name, values in found.items()} or False


def _ends(plan: Plan, arm: Arm) -> list[str]:
    """Chosen settings beyond which nothing was tried; with the sizes where that is not so at all of them."""
    chosen, explicit = _chosen(plan, arm), _explicit(plan, arm)
    sizes: dict[str, list[str]] = {}
    for choice in chosen:
        for name in choice.at_end:
            if name not in explicit:
                sizes.setdefault(name, []).append(f"{choice.codebook_size:,}")
    return [
        name if len(found) == len(chosen) else f"{name} (K = {' and '.join(found)})" for name, found in sizes.items()
    ]


def _chosen(plan: Plan, arm: Arm) -> list[Choice]:
    """What tuning chose for an arm that is trained."""
    return plan.suite.chosen(arm.arm) if arm.pretrained is None else []


def _explicit(plan: Plan, arm: Arm) -> dict[str, Any]:
    """What the suite says itself of an arm."""
    own = plan.suite.arm(arm.arm)
    return {**own.training, **own.params}


def _is_whole(arm: Arm) -> bool:
    """Whether it is all of its method's paper: of a method that is one layer there, a stack of them is."""
    return get(arm.method).ranked or bool(arm.training.get("layerwise"))


def _not_promised(plan: Plan, arm: Arm) -> list[str]:
    """What an arm says it does not keep; of several processes where its runs have several."""
    words = list(dict.fromkeys(get(arm.method).not_promised(**arm.params).values()))
    several = any(cell.run is not None and cell.run.devices > 1 for cell in plan.cells if cell.arm == arm.arm)
    distributed = card_of(arm.method).distributed
    return [*words, *([distributed] if several and distributed not in ("", Card.SAME_AS_ONE) else [])]


def _keep_finished(content: dict[str, Any], old: dict[str, Any], store: Store, plan: Plan) -> None:
    """Add the cells of ``old`` that are finished and that ``content`` does not cover.

    Of an arm that both have, only those that the suite as it now is would run again with the same key: an arm whose
    settings changed must not be averaged over both.
    """
    if list(old.get("axes", {})) != list(content.get("axes", {})):
        return
    covered = {_place(cell) for cell in content["cells"]}
    keys = {cell["key"] for cell in content["cells"]}
    planned = {arm.arm for arm in plan.arms}

    def is_still_so(cell: dict[str, Any]) -> bool:
        if cell["arm"] not in planned:
            return cell["key"] not in keys
        point = cell.get("point", {})
        return plan.key_at(cell["arm"], point, cell["codebook_size"], cell["seed"]) == cell["key"]

    kept = [
        cell
        for cell in old["cells"]
        if cell["key"] is not None
        and _place(cell) not in covered
        and is_still_so(cell)
        and store.record(cell["key"]) is not None
    ]
    arms = {arm["arm"]: arm for arm in [*old["arms"], *content["arms"]]}
    wanted = {cell["arm"] for cell in kept} | {arm["arm"] for arm in content["arms"]}
    first = [arm["arm"] for arm in content["arms"]]
    content["arms"] = [arms[name] for name in [*first, *(name for name in arms if name in wanted - set(first))]]
    content["codebook_sizes"] = sorted({*content["codebook_sizes"], *(cell["codebook_size"] for cell in kept)})
    for name, values in content.get("axes", {}).items():
        content["axes"][name] = list(dict.fromkeys([*values, *(cell["point"][name] for cell in kept)]))
    content["seeds"] = sorted({*content["seeds"], *(cell["seed"] for cell in kept)})
    content["cells"] += kept
    tokenizers = {cell["key"] for cell in content["cells"]}
    _keep_priors(content, old, tokenizers, store)
    if "second" in content:
        _keep_priors(content["second"], old.get("second", {}), tokenizers, store)


def _keep_priors(content: dict[str, Any], old: dict[str, Any], tokenizers: set[str], store: Store) -> None:
    """Add the finished priors of ``old``, of the same settings, on ``tokenizers`` that ``content`` has no such for."""
    if old.get("generation") != content.get("generation"):
        return
    covered = {(_place(prior), prior["prior_seed"]) for prior in content.get("priors", [])}
    kept = [
        prior
        for prior in old.get("priors", [])
        if prior["key"] is not None
        and prior["tokenizer"] in tokenizers
        and (_place(prior), prior["prior_seed"]) not in covered
        and store.record(prior["key"]) is not None
    ]
    if kept:
        content["priors"] = [*content.get("priors", []), *kept]


def _place(cell: dict[str, Any]) -> tuple[Any, ...]:
    return (cell["arm"], cell["codebook_size"], cell["seed"], *cell.get("point", {}).values())
