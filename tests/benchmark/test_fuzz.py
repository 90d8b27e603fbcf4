"""Rubbish in, one sentence out: whatever a suite file, an override, a record or a plan holds, nothing is uncaught."""

import json
import math
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from benchmark.records.plan import BadPlanError, read_plan
from benchmark.records.record import BadRecordError, empty_record, read_record, seal
from benchmark.records.run import Run
from benchmark.records.store import Store
from benchmark.report.frame import read
from benchmark.suite.plan import Plan, plan_suite
from benchmark.training.checkpoint import BadCheckpointError, load_checkpoint, save_checkpoint
from benchmark.values import parse_value
from benchmark.worker.channel import Ending, Listener
from methods import UsageError

KEY = "vq_vae-K8-s0-0123abcd"
FAST = settings(
    max_examples=200, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
SLOW = settings(FAST, max_examples=10_000)

SUITE: dict[str, Any] = {
    "question": "Does it hold?",
    "dataset": "photos",
    "model": {"name": "conv", "latent_dim": 8},
    "objective": "squared_error",
    "training": {"steps": 10, "batch_size": 8, "learning_rate": 1e-3, "timeout": 60.0, "devices": 1},
    "evaluation": {"features": None, "lpips": []},
    "seeds": 2,
    "grid": {"codebook_size": [16, 64]},
    "methods": ["vq_vae", {"arm": "other", "method": "simvq", "params": {"beta": 0.5}, "training": {"steps": 5}}],
    "tables": ["main", {"name": "mine", "metrics": ["usage"]}],
    "plots": [],
}
PLAN: dict[str, Any] = {
    "schema": 1,
    "suite": "tiny",
    "question": "?",
    "dataset": "photos",
    "tuned": False,
    "protocol": {},
    "arms": [{"arm": "vq_vae", "method": "vq_vae", "params": {}, "verified": True, "tuned": False}],
    "codebook_sizes": [8],
    "seeds": [0],
    "cells": [{"arm": "vq_vae", "codebook_size": 8, "seed": 0, "key": KEY, "unavailable": None}],
    "tables": [],
    "plots": [],
}

words = st.sampled_from(
    ["vq_vae", "simvq", "photos", "conv", "../../etc/passwd", "/etc/passwd", "..", "", "\x00", "ok", "K", "é", "1e3"]
)
leaves = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-5, 5),
    st.sampled_from([2**31, 2**63, 10**30, -(10**400)]),
    st.floats(),
    st.text(max_size=8),
    words,
)
rubbish = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.one_of(words, st.text(max_size=5)), inner, max_size=3)
    ),
    max_leaves=8,
)


def paths(value: Any, so_far: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place in nested lists and dictionaries."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [so_far, *(place for key, child in inner for place in paths(child, (*so_far, key)))]


@st.composite
def mutated(draw: st.DrawFn, good: dict[str, Any]) -> Any:
    """``good`` with up to three places replaced, removed or added to."""
    value = json.loads(json.dumps(good))
    for _ in range(draw(st.integers(1, 3))):
        place = draw(st.sampled_from(paths(value)))
        if not place:
            continue
        holder = value
        for key in place[:-1]:
            holder = holder[key]
        match draw(st.sampled_from(["replace", "replace", "remove", "add"])):
            case "remove":
                del holder[place[-1]]
            case "add" if isinstance(holder, dict):
                holder[draw(st.text(max_size=6))] = draw(rubbish)
            case _:
                holder[place[-1]] = draw(rubbish)
    return value


def cut(text: str, draw: st.DrawFn) -> str:
    """Part of a text, perhaps with something in its middle."""
    end = draw(st.integers(0, len(text)))
    return text[:end] + draw(st.one_of(st.just(""), st.text(max_size=10))) + text[end + draw(st.integers(0, 20)) :]


@st.composite
def suite_texts(draw: st.DrawFn) -> str:
    kind = draw(st.sampled_from(["mutated", "mutated", "cut", "anything"]))
    if kind == "anything":
        return draw(st.one_of(st.text(), rubbish.map(lambda value: yaml.safe_dump(value, allow_unicode=True))))
    if kind == "cut":
        return cut(yaml.safe_dump(SUITE), draw)
    return yaml.safe_dump(draw(mutated(SUITE)), sort_keys=False)


@st.composite
def json_texts(draw: st.DrawFn, good: dict[str, Any]) -> bytes:
    kind = draw(st.sampled_from(["mutated", "mutated", "cut", "anything", "bytes"]))
    if kind == "bytes":
        return draw(st.binary())
    if kind == "anything":
        return json.dumps(draw(rubbish)).encode()
    if kind == "cut":
        return cut(json.dumps(good), draw).encode("utf-8", "surrogatepass")
    return json.dumps(draw(mutated(good))).encode()


def record(schema: int = 1) -> dict[str, Any]:
    made = empty_record(Run(KEY, "vq_vae", "tiny", {"method": "vq_vae", "codebook_size": 8, "seed": 0}, {}))
    content = {
        "schema": schema,
        "key": KEY,
        **made,
        "status": "ok",
        "metrics": {"usage": 0.5, "perplexity": 3.0},
        "level_sizes": [8],
        "timings": {"train_seconds": 1.0},
        "memory": {"peak_cuda_mb": None},
        "files": {},
    }
    return seal(content)


def answer(call: Callable[[], Any], error: type[Exception]) -> Any:
    """What ``call`` returns, or None where it raises ``error`` in one sentence; anything else is a failure."""
    try:
        return call()
    except error as caught:
        message = str(caught)
    assert message.strip()
    return None


def check_suite(text: str, folder: Path) -> None:
    file = folder / "tiny.yaml"
    file.write_text(text, encoding="utf-8", errors="surrogatepass")
    plan = answer(lambda: plan_suite(str(file)), UsageError)
    assert plan is None or (isinstance(plan, Plan) and all(run.key for run in plan.runs))


def check_record(content: bytes, folder: Path) -> None:
    """Read it as the runner does, then as the reports do."""
    path = folder / "runs" / KEY / "record.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    found = answer(lambda: read_record(path), BadRecordError)
    assert found is None or found["key"] == KEY
    records, problems = Store(folder, read_only=True).survey([KEY])
    assert len(records) + len(problems) == 1
    assert found is not None or not records
    (folder / "plan.json").write_text(json.dumps(PLAN))
    assert len(read(folder).runs) == len(records)


def check_plan(content: bytes, folder: Path) -> None:
    path = folder / "plan.json"
    path.write_bytes(content)
    plan = answer(lambda: read_plan(path), BadPlanError)
    if plan is None:
        return
    store = Store(folder, read_only=True)
    for cell in plan["cells"]:
        if cell["key"] is not None:
            assert store.record_path(cell["key"]).resolve().is_relative_to(folder.resolve())
    read(folder)


def with_model(**options: Any) -> str:
    return yaml.safe_dump({**SUITE, "model": {"name": "conv", **options}}, sort_keys=False)


@FAST
@given(text=suite_texts())
@example(text=with_model(latent_dim=2**31))
@example(text=with_model(latent_dim=2**63))
@example(text=yaml.safe_dump({**SUITE, "grid": {"codebook_size": [2**36]}}))
@example(text=yaml.safe_dump({**SUITE, "grid": {"codebook_size": [10**30]}}))
def test_suites(text: str, tmp_path: Path) -> None:
    check_suite(text, tmp_path)


@FAST
@given(content=st.one_of(json_texts(record()), json_texts(record(schema=2))))
def test_records(content: bytes, tmp_path: Path) -> None:
    check_record(content, tmp_path)


@FAST
@given(content=json_texts(PLAN))
@example(content=json.dumps({**PLAN, "codebook_sizes": []}).encode())
@example(content=json.dumps({**PLAN, "axes": {"dataset.shift": [[0]]}}).encode())
def test_plans(content: bytes, tmp_path: Path) -> None:
    check_plan(content, tmp_path)


@FAST
@given(key=st.sampled_from(["training.steps", "grid", "methods", "model", "x.y", "seeds", "."]), value=st.text())
def test_overrides(key: str, value: str, tmp_path: Path) -> None:
    file = tmp_path / "tiny.yaml"
    file.write_text(yaml.safe_dump(SUITE))
    answer(lambda: plan_suite(str(file), overrides={key: parse_value(value)}), UsageError)


@pytest.mark.slow
@SLOW
@given(text=suite_texts())
def test_ten_thousand_suites(text: str, tmp_path: Path) -> None:
    check_suite(text, tmp_path)


@pytest.mark.slow
@SLOW
@given(content=st.one_of(json_texts(record()), json_texts(record(schema=2))))
def test_ten_thousand_records(content: bytes, tmp_path: Path) -> None:
    check_record(content, tmp_path)


PROGRESS: dict[str, Any] = {"step": 3, "loss": 0.5, "usage": None}
ENDED: dict[str, Any] = {"ending": "stopped", "message": "x"}


@st.composite
def heard(draw: st.DrawFn) -> list[bytes]:
    """What may come over a worker's channel, in pieces cut anywhere."""
    lines = draw(st.lists(st.one_of(json_texts(PROGRESS), json_texts(ENDED), st.binary(max_size=50)), max_size=5))
    content = b"\n".join(lines)
    cuts = sorted(draw(st.lists(st.integers(0, len(content)), max_size=4)))
    return [content[start:end] for start, end in pairwise([0, *cuts, len(content)])]


def check_channel(pieces: list[bytes]) -> None:
    listener = Listener()
    for piece in [*pieces, b"\n" + json.dumps(PROGRESS).encode() + b"\n"]:
        said = list(listener.hear(piece))
        for progress in said:
            assert progress.keys() == PROGRESS.keys()
            assert 0 <= progress["step"] < math.inf
    assert said[-1] == PROGRESS, "whatever came before"
    assert listener.ending is None or listener.ending in Ending


@FAST
@given(pieces=heard())
def test_channels(pieces: list[bytes]) -> None:
    check_channel(pieces)


@pytest.mark.slow
@SLOW
@given(pieces=heard())
def test_ten_thousand_channels(pieces: list[bytes]) -> None:
    check_channel(pieces)


@pytest.mark.slow
@SLOW
@given(content=json_texts(PLAN))
def test_ten_thousand_plans(content: bytes, tmp_path: Path) -> None:
    check_plan(content, tmp_path)


@settings(FAST, max_examples=100)
@given(data=st.data())
def test_checkpoints(data: st.DataObject, tmp_path: Path) -> None:
    """A checkpoint cut short or with bytes changed is told apart, or still is the one that was written."""
    trainer = small_trainer()
    whole = tmp_path / "whole.pt"
    if not whole.exists():
        save_checkpoint(whole, trainer)
    content = bytearray(whole.read_bytes())
    if data.draw(st.booleans()):
        del content[data.draw(st.integers(0, len(content) - 1)) :]
    for _ in range(data.draw(st.integers(0, 3))):
        if content:
            content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path / "checkpoint.pt"
    path.write_bytes(content)
    answer(lambda: load_checkpoint(path, trainer), BadCheckpointError)


def small_trainer() -> Any:
    import torch

    from benchmark.data import Dataset
    from benchmark.training.trainer import Trainer

    images = torch.zeros(6, 3, 8, 8, dtype=torch.uint8)
    images[::2] = 255
    settings_ = {"steps": 2, "batch_size": 2, "learning_rate": 1e-3, "optimizer": "adam", "momentum": 0.9}
    training = {**settings_, "warmup_steps": 0, "clip_norm": None, "ema_decay": None, "precision": "fp32"}
    config = {
        "method": "vq_vae",
        "params": {},
        "codebook_size": 4,
        "model": {"name": "conv", "width": 8, "latent_dim": 2, "residual_blocks": 1, "residual_width": 4},
        "objective": {"name": "squared_error", "normalise": True},
        "training": training,
        "seed": 0,
    }
    return Trainer(config, Dataset(images, images, images), torch.device("cpu"))
