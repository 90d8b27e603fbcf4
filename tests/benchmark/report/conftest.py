"""A results folder made of invented numbers, in the layout that the runner leaves behind."""

import csv
import itertools
import json
import zlib
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from PIL import Image

TOKENS = 25_600
METHODS = (
    "vq_vae",
    "vq_vae_ema",
    "codebook_reset",
    "cvq_vae",
    "sq_vae",
    "residual_vq",
    "simvq",
    "no_quantization",
)
REFERENCES = ("no_quantization", "kmeans")
_EVEN = {"vq_vae": 0.06, "vq_vae_ema": 0.25, "codebook_reset": 0.85, "cvq_vae": 0.95, "sq_vae": 0.6, "simvq": 0.93}
"""How evenly an invented method uses its codebook, from 0 to 1."""


_KNOBS = (("", [""]), ("beta", ["0.25", "1.0"]), ("level", ['{"beta": 0.1}', '{"beta": 1}']))


class SyntheticResults:
    """Writes plan and records; every number is invented, and the same on every call."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.plan: dict[str, Any] = {}

    def record_path(self, arm: str, size: int, seed: int) -> Path:
        return self.folder / "runs" / self.key(arm, size, seed) / "record.json"

    def key(self, arm: str, size: int, seed: int) -> str:
        method = self.method(arm)
        place = "" if method == "no_quantization" else f"-K{size}"
        return f"{method}{place}-s{seed}-{zlib.crc32(f'{arm}{place}{seed}'.encode()):08x}"

    def method(self, arm: str) -> str:
        return next((entry["method"] for entry in self.plan["arms"] if entry["arm"] == arm), arm)

    def edit(self, arm: str, size: int, seed: int, **changes: Any) -> None:
        """Change fields of a record."""
        path = self.record_path(arm, size, seed)
        path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))

    def set_metric(self, arm: str, size: int, name: str, values: list[float | None]) -> None:
        """A metric of an arm at a size, one value a seed."""
        for seed, value in enumerate(values):
            record = json.loads(self.record_path(arm, size, seed).read_text())
            self.edit(arm, size, seed, metrics={**record["metrics"], name: value})

    def edit_plan(self, **changes: Any) -> None:
        """Change fields of the plan; with ``tuned`` all its arms become so, but for those that are given."""
        self.plan |= changes
        if "tuned" in changes and "arms" not in changes:
            chosen = {"learning_rate": 1e-3} if changes["tuned"] else False
            for arm in self.plan["arms"]:
                arm["tuned"] = False if arm.get("reference") else chosen
        (self.folder / "plan.json").write_text(json.dumps(self.plan))

    def write(
        self,
        arms: tuple[str | tuple[str, str], ...] = METHODS,
        sizes: tuple[int, ...] = (256, 1024, 4096),
        seeds: int = 3,
        *,
        artefacts: bool = True,
    ) -> "SyntheticResults":
        """Write a whole folder; an arm is a method or a pair (arm, method)."""
        pairs = [(arm, arm) if isinstance(arm, str) else arm for arm in arms]
        self.folder.mkdir(parents=True, exist_ok=True)
        self.plan = {
            "schema": 1,
            "suite": "invented_scaling",
            "question": "Who collapses as the invented codebook grows?",
            "dataset": "fashion_mnist",
            "tuned": False,
            "protocol": {
                "dataset": {"name": "fashion_mnist"},
                "model": {"name": "conv", "latent_dim": 64},
                "objective": {"name": "squared_error"},
                "training": {"steps": 1000, "batch_size": 128, "learning_rate": 1e-3},
                "evaluation": {"features": "efficientnet_lite0", "lpips": ["alex"]},
            },
            "arms": [
                {
                    "arm": arm,
                    "method": method,
                    "params": {},
                    "verified": method != "sq_vae",
                    "tuned": False,
                    **({"reference": True} if method in REFERENCES else {}),
                }
                for arm, method in pairs
            ],
            "codebook_sizes": list(sizes),
            "seeds": list(range(seeds)),
            "tables": [],
            "plots": [],
        }
        self.plan["cells"] = [
            {"arm": arm, "codebook_size": size, "seed": seed, "key": self.key(arm, size, seed), "unavailable": None}
            for arm, _ in pairs
            for size in sizes
            for seed in range(seeds)
        ]
        self.edit_plan()
        for cell in self.plan["cells"]:
            self._write_run(cell["arm"], cell["codebook_size"], cell["seed"], artefacts)
        if artefacts:
            self.write_tuning(sizes[:2])
        return self

    def write_history(self, arm: str, size: int, seed: int, errors: list[float], **others: list[float | str]) -> None:
        """Write curves of ``errors`` at as many steps up to 1,000."""
        steps = [1000 * (number + 1) // len(errors) for number in range(len(errors))]
        columns = {"step": steps, "validation_error": errors, **others}
        with open(self.record_path(arm, size, seed).parent / "history.csv", "w", newline="") as file:
            csv.writer(file).writerows([list(columns), *zip(*columns.values(), strict=True)])

    def write_tuning(self, sizes: tuple[int, ...], rates: tuple[float, ...] = (3e-4, 1e-3, 3e-3)) -> None:
        """Write the trials of all arms: every other one has a knob; the middle of the grid is chosen, longer."""
        rows: list[list[Any]] = []
        for (index, entry), size in itertools.product(enumerate(self.plan["arms"]), sizes):
            knob, values = _KNOBS[index % len(_KNOBS)]
            for rate, (number, value) in itertools.product(rates, enumerate(values)):
                error = 0.01 * (1 + index) * (1 + abs(np.log10(rate / 1e-3)) + number)
                chosen = int(rate == 1e-3 and number == 0)
                common = [rate, knob, value]
                rows.append([entry["arm"], size, 1, 500, 1000, *common, error, chosen])
                if chosen:
                    rows += [[entry["arm"], size, 2, 2000, seed, *common, error / 2, 1] for seed in (1000, 1001)]
        head = ["arm", "codebook_size", "rung", "steps", "seed", "learning_rate", "parameter", "value"]
        with open(self.folder / "tuning.csv", "w", newline="") as file:
            csv.writer(file).writerows([[*head, "validation_error", "chosen"], *rows])

    def make_unavailable(self, arm: str, size: int, reason: str) -> None:
        """Turn the cells of an arm at a size into explained gaps."""
        for cell in self.plan["cells"]:
            if cell["arm"] == arm and cell["codebook_size"] == size:
                self.record_path(arm, size, cell["seed"]).unlink()
                cell |= {"key": None, "unavailable": reason}
        self.edit_plan()

    def _write_run(self, arm: str, size: int, seed: int, artefacts: bool) -> None:
        path = self.record_path(arm, size, seed)
        if path.exists():
            return
        path.parent.mkdir(parents=True)
        rng = np.random.default_rng(zlib.crc32(path.parent.name.encode()))
        counts = _counts(arm, self.method(arm), size, rng)
        levels = _levels(self.method(arm), size)
        metrics = _metrics(counts, size, rng)
        record = {
            "schema": 1,
            "key": path.parent.name,
            "arm": arm,
            "suite": self.plan["suite"],
            "config": {
                "method": self.method(arm),
                "version": 1,
                "params": {},
                "codebook_size": size if levels else None,
                **self.plan["protocol"],
                "seed": seed,
            },
            "status": "ok",
            "reason": None,
            "traceback": None,
            "metrics": metrics,
            "details": {},
            "level_sizes": levels,
            "timings": {
                "train_seconds": 30 + size / 400 + rng.random(),
                "evaluate_seconds": 3.0,
                "total_seconds": 40.0,
                "steps_per_second": 30.0,
                "quantizer_share": 0.2,
            },
            "memory": {"peak_rss_mb": 700 + size / 50 + 10 * rng.random(), "peak_cuda_mb": None},
            "provenance": {"commit": "0" * 40, "device": "cpu", "cpu": "Invented CPU", "threads": 1},
        }
        path.write_text(json.dumps(record))
        if artefacts:
            _write_artefacts(path.parent, counts, levels, metrics, size, rng)


def _levels(method: str, size: int) -> list[int]:
    if method == "no_quantization":
        return []
    return [int(size**0.5)] * 2 if method == "residual_vq" else [size]


def _counts(arm: str, method: str, size: int, rng: np.random.Generator) -> np.ndarray | None:
    """Zipf-like draws: a share of the codebook is in reach, the more even the flatter."""
    if method in ("no_quantization", "sc_vae"):
        return None
    even = _EVEN.get(method, 0.2 + 0.6 * (zlib.crc32(arm.encode()) % 100) / 100)
    reach = max(2, int(size * min(1.0, even * (1.3 - 0.05 * np.log2(size)) + 0.02 * rng.random())))
    weights = np.arange(1, reach + 1) ** -(1.1 - even)
    reached = np.floor(TOKENS * np.cumsum(weights) / weights.sum() + rng.random())  # evenly spaced from one draw
    drawn = np.diff(np.minimum(reached, TOKENS), prepend=0).astype(np.int64)
    drawn[-1] += TOKENS - drawn.sum()
    return np.pad(drawn, (0, size - reach))


def _metrics(counts: np.ndarray | None, size: int, rng: np.random.Generator) -> dict[str, float | None]:
    codes: dict[str, float | None] = {}
    bits = 14.0
    if counts is not None:
        shares = counts[counts > 0] / counts.sum()
        bits = float(-(shares * np.log2(shares)).sum())
        codes = {
            "usage": len(shares) / size,
            "perplexity": 2**bits,
            "perplexity_ratio": 2**bits / size,
            "dead": size - len(shares),
            "tokens": TOKENS,
            "ceiling": 1 - (1 - 1 / size) ** TOKENS,
            "entropy_bits": bits,
            "bits_per_position": float(np.log2(size)),
            "effective_rank": 40 + rng.random(),
        }
    mse = 0.05 * 2 ** (-bits / 4) * (1 + 0.02 * rng.standard_normal())
    return {
        **codes,
        "quantization_error": None if counts is None else 2 ** (-bits / 5),
        "mse": mse,
        "psnr": float(10 * np.log10(4 / mse)),
        "ssim": 1 - 6 * mse,
        "lpips_alex_64px": 3 * mse,
        "fd_efficientnet_lite0": 600 * mse + rng.random(),
        "kid_efficientnet_lite0": 0.5 * mse,
        "n_images": 10_000,
    }


def _write_artefacts(
    folder: Path,
    counts: np.ndarray | None,
    levels: list[int],
    metrics: dict[str, float | None],
    size: int,
    rng: np.random.Generator,
) -> None:
    steps = np.linspace(0, 1000, 26).astype(int)
    lines = ["step,seconds,learning_rate,loss,reconstruction,quantizer,usage,perplexity,validation_error"]
    for step in steps:
        grown = 1 - np.exp(-step / 250)
        usage, perplexity = metrics.get("usage"), metrics.get("perplexity")
        codes = "," if usage is None or perplexity is None else f"{usage * grown},{1 + (perplexity - 1) * grown}"
        lines.append(f"{step},{step / 30:.3f},0.001,{0.5 * 0.99**step:.5f},,,{codes},{0.1 * (1.3 - grown):.5f}")
    (folder / "history.csv").write_text("\n".join(lines) + "\n")
    if counts is not None:
        if len(levels) == 1:
            histograms = [counts]
        else:
            histograms = [np.bincount(rng.integers(0, level, TOKENS), minlength=level) for level in levels]
        np.savez_compressed(folder / "counts.npz", **{f"level_{i}": h for i, h in enumerate(histograms, 1)})
        seen = {"steps": [0, 1, 1000], "codewords": rng.normal(0, 2, (3, 40, 2)), "latents": rng.normal(0, 1, (99, 2))}
        np.savez_compressed(folder / "snapshots.npz", **seen)
    (folder / "samples").mkdir()
    tone = 0.3 * np.sin(np.arange(2000) / 8000 * 2 * np.pi * 440)
    noise = (metrics["mse"] or 0) ** 0.5 * rng.standard_normal(2000)
    soundfile.write(folder / "samples" / "original_1.wav", tone, 8000)
    soundfile.write(folder / "samples" / "reconstruction_1.wav", np.clip(tone + noise, -1, 1), 8000)
    y, x = np.mgrid[0:28, 0:28] / 28
    tiles = [0.5 + 0.5 * np.sin(6 * (x * np.cos(k) + y * np.sin(k)) + k) for k in range(10)]
    noisy = [np.clip(tile + 3 * (metrics["mse"] or 0) ** 0.5 * rng.standard_normal(tile.shape), 0, 1) for tile in tiles]
    picture = (255 * np.vstack([np.hstack(tiles), np.hstack(noisy)])).astype(np.uint8)
    Image.fromarray(picture).convert("RGB").save(folder / "samples.png", compress_level=1)


@pytest.fixture(scope="session")
def shared_synthetic(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., SyntheticResults]:
    """The same for folders that tests only read: each is written once, and is to be left as it is."""

    @cache
    def make(*arguments: Any, **options: Any) -> SyntheticResults:
        return SyntheticResults(tmp_path_factory.mktemp("shared") / "results").write(*arguments, **options)

    return make


@pytest.fixture
def synthetic(tmp_path: Path) -> Callable[..., SyntheticResults]:
    """Factory of invented results folders."""

    def make(*arguments: Any, name: str = "results", **options: Any) -> SyntheticResults:
        return SyntheticResults(tmp_path / name).write(*arguments, **options)

    return make


@pytest.fixture(scope="module")
def synthetic_of_module(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., SyntheticResults]:
    """The same for a fixture of a module that changes a folder, which then no test may."""

    folder = tmp_path_factory.mktemp("module")

    def make(*arguments: Any, name: str = "results", **options: Any) -> SyntheticResults:
        return SyntheticResults(folder / name).write(*arguments, **options)

    return make
