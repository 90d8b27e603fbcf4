"""Networks that guess the mean opinion score of a listener from 16 kHz speech alone: DNSMOS, DistillMOS, UTMOS."""

import contextlib
import hashlib
import io
import os
import warnings
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from benchmark.metrics.parts.speech import RATE, Clip, Judge, measures
from benchmark.metrics.parts.weights import package_file
from benchmark.records.files import checksum
from methods.core.usage import UsageError

UTMOS_VARIABLE = "CODEBOOK_BENCH_UTMOS_WEIGHTS"
UTMOS_HASH_VARIABLE = "CODEBOOK_BENCH_UTMOS_SHA256"
DNSMOS_PACKAGE = "speechmos==0.0.1.1"
DISTILLMOS_PACKAGES = "distillmos==0.9.1 xls-r-sqa==0.1.0"


def dnsmos_weights() -> Path:
    """The first of DNSMOS's two files, which lie side by side."""
    return package_file("speechmos", "dnsmos_models/sig_bak_ovr.onnx", DNSMOS_PACKAGE)


def distillmos_weights() -> Path:
    """The file of DistillMOS."""
    return package_file("distillmos", "weights/distill_mos_v7.pt", DISTILLMOS_PACKAGES)


def utmos_weights() -> Path:
    """The file that the environment names, if it is the one whose hash the environment says.

    A TorchScript file is a program: nothing of it may run that the person has not meant.

    Raises:
        UsageError: it names none, or not its hash, or the hash of another file.
    """
    named = os.environ.get(UTMOS_VARIABLE)
    path = Path(named).expanduser() if named else None
    if path is None or not path.is_file():
        there = f"it names {named}, which is not a file" if named else "it is not set"
        raise UsageError(
            f"UTMOS is measured only with weights of your own: {UTMOS_VARIABLE} must name a TorchScript file that "
            f"takes 16 kHz waveforms [B, T] and gives scores [B]; {there}"
        )
    _check_utmos(checksum(path), path)
    return path


def _check_utmos(found: str, path: Path) -> None:
    expected = os.environ.get(UTMOS_HASH_VARIABLE, "").strip().lower()
    if found != expected:
        there = f"it says {expected}" if expected else "it is not set"
        raise UsageError(
            f"{path} is a TorchScript file, a program that UTMOS would run: {UTMOS_HASH_VARIABLE} must be its SHA-256 "
            f"as whoever you have it from gives it; {there}, the file has {found}"
        )


def dnsmos(waveform: NDArray[np.float32]) -> float:
    """DNSMOS P.835, overall (Reddy et al., ICASSP 2022), of ``[T]``, which is clipped to [-1, 1].

    Repeated to 9 s where it is shorter, as the authors do.
    """
    return float(_dnsmos()(np.clip(waveform, -1, 1), RATE, False)["ovrl_mos"])


def distillmos(waveform: NDArray[np.float32]) -> float:
    """DistillMOS (Stahl & Gamper, ICASSP 2025) of ``[T]``."""
    with torch.no_grad():
        return float(_distillmos()(torch.from_numpy(np.ascontiguousarray(waveform))[None]).squeeze())


def utmos(waveform: NDArray[np.float32]) -> float:
    """UTMOS (Saeki et al., Interspeech 2022) of ``[T]`` by the weights that the environment names."""
    with torch.no_grad():
        return float(_utmos()(torch.from_numpy(np.ascontiguousarray(waveform))[None]).squeeze())


@cache
def _dnsmos() -> Any:
    import onnxruntime
    from speechmos import dnsmos as package

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    first = dnsmos_weights()
    second = first.with_name("model_v8.onnx")
    judge = package.DNSMOS(str(first), str(second))
    # The package's own sessions would take every core there is, each waiting actively for the next clip.
    judge.onnx_sess = onnxruntime.InferenceSession(str(first), options)
    judge.p808_onnx_sess = onnxruntime.InferenceSession(str(second), options)
    return judge


@cache
def _distillmos() -> nn.Module:
    distillmos_weights()
    with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # PyTorch's, about nested tensors
        import distillmos as package

        return package.ConvTransformerSQAModel().eval()


@cache
def _utmos() -> Any:
    path = utmos_weights()
    content = path.read_bytes()
    _check_utmos(hashlib.sha256(content).hexdigest(), path)  # of what is loaded, should the file have changed since
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # PyTorch's, that TorchScript is going out of use
        return torch.jit.load(io.BytesIO(content), map_location="cpu").eval()


@measures.register("dnsmos")
class Dnsmos(Judge):
    """`dnsmos`."""

    columns = ("dnsmos",)
    is_safe = True
    package = "speechmos"

    def weights(self) -> Path:
        """See `dnsmos_weights`."""
        return dnsmos_weights()

    def score(self, clip: Clip) -> float:
        """From 1 to 5."""
        return dnsmos(clip)


@measures.register("distillmos")
class Distillmos(Judge):
    """`distillmos`."""

    columns = ("distillmos",)
    is_safe = True
    package = "distillmos"

    def weights(self) -> Path:
        """See `distillmos_weights`."""
        return distillmos_weights()

    def score(self, clip: Clip) -> float:
        """From 1 to 5."""
        return distillmos(clip)


@measures.register("utmos")
class Utmos(Judge):
    """`utmos`."""

    columns = ("utmos",)
    is_safe = True

    def weights(self) -> Path:
        """See `utmos_weights`."""
        return utmos_weights()

    def score(self, clip: Clip) -> float:
        """From 1 to 5."""
        return utmos(clip)
