"""Networks that guess the mean opinion score of a listener from 16 kHz speech alone: DNSMOS, DistillMOS, UTMOS."""

import contextlib
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

from benchmark.metrics.weights import package_file
from methods.core.usage import UsageError

RATE = 16_000
UTMOS_VARIABLE = "CODEBOOK_BENCH_UTMOS_WEIGHTS"
DNSMOS_PACKAGE = "speechmos==0.0.1.1"
DISTILLMOS_PACKAGES = "distillmos==0.9.1 xls-r-sqa==0.1.0"
WEIGHTS = {
    "dnsmos": ("speechmos", "dnsmos_models/sig_bak_ovr.onnx", DNSMOS_PACKAGE),
    "distillmos": ("distillmos", "weights/distill_mos_v7.pt", DISTILLMOS_PACKAGES),
}


def weights_file(name: str) -> Path:
    """The weights behind ``dnsmos``, ``distillmos`` or ``utmos``.

    Raises:
        UsageError: they are not there; UTMOS's must be named by the environment variable.
    """
    if name != "utmos":
        return package_file(*WEIGHTS[name])
    named = os.environ.get(UTMOS_VARIABLE)
    if named and Path(named).expanduser().is_file():
        return Path(named).expanduser()
    there = f"it names {named}, which is not a file" if named else "it is not set"
    raise UsageError(
        f"UTMOS is measured only with weights of your own: {UTMOS_VARIABLE} must name a TorchScript file that takes "
        f"16 kHz waveforms [B, T] and gives scores [B]; {there}"
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
    first = weights_file("dnsmos")
    second = first.with_name("model_v8.onnx")
    judge = package.DNSMOS(str(first), str(second))
    # The package's own sessions would take every core there is, each waiting actively for the next clip.
    judge.onnx_sess = onnxruntime.InferenceSession(str(first), options)
    judge.p808_onnx_sess = onnxruntime.InferenceSession(str(second), options)
    return judge


@cache
def _distillmos() -> nn.Module:
    weights_file("distillmos")
    with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # PyTorch's, about nested tensors
        import distillmos as package

        return package.ConvTransformerSQAModel().eval()


@cache
def _utmos() -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # PyTorch's, that TorchScript is going out of use
        return torch.jit.load(str(weights_file("utmos")), map_location="cpu").eval()


JUDGES = {"dnsmos": dnsmos, "distillmos": distillmos, "utmos": utmos}
