"""The passes of a training step through encoder, quantizer and decoder, compiled where a run asks for it."""

import os
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from benchmark.training.system import System
from methods import Quantized
from methods.core.cache import cache_folder

Map = Callable[[Tensor], Tensor]
_OWN_RANDOM: dict[str, str | int | bool | Callable[..., Any]] = {"fallback_random": True}
"""PyTorch's random numbers and not the compiler's: what a method draws is what it draws where nothing is compiled."""


class Passes:
    """``encode``, ``quantize`` and ``decode`` of a system in training; with ``compiled``, by `torch.compile`.

    On a GPU encoder and decoder are then CUDA graphs, which may only hold what no later step reads; a quantizer may
    remember a batch, so it is compiled without. It stays as it is where its step is no one graph
    (`Quantizer.is_one_graph`), and for the first quantized step of a process, in which a start waits for values.
    """

    def __init__(self, system: System, compiled: bool, device: torch.device) -> None:
        self._system = system
        self.encode: Map = system.encode
        self.decode: Map = system.decode
        self.quantize: Callable[[Tensor], Quantized] = system.quantize
        self._graphs = compiled and device.type == "cuda"
        if compiled:
            os.environ.setdefault("TORCHINDUCTOR_CACHE_DIR", str(cache_folder() / "inductor"))
            mode = "reduce-overhead" if self._graphs else None
            self.encode = torch.compile(system.encode, mode=mode)
            self.decode = torch.compile(system.decode, mode=mode)
            if system.quantizer.is_one_graph():
                self.quantize = self._first_quantized

    def begin(self) -> None:
        """A training step begins: what CUDA graphs of the one before hold is no longer needed."""
        if self._graphs:
            torch.compiler.cudagraph_mark_step_begin()

    def _first_quantized(self, latents: Tensor) -> Quantized:
        if not self._system.continuous:
            self.quantize = torch.compile(self._system.quantize, options=_OWN_RANDOM)
        return self._system.quantize(latents)
