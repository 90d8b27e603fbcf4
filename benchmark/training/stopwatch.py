"""How much of a training step the quantizer takes, without making the device wait."""

import time
from typing import Any

import torch
from torch import Tensor

SAMPLE_EVERY = 16


class QuantizerStopwatch:
    """Times the quantizer's forward and backward pass and the whole step, every sixteenth step.

    On CUDA it records events and reads them at the end; on a CPU it reads the clock.
    """

    def __init__(self, device: torch.device) -> None:
        self._cuda = device.type == "cuda"
        self._samples: list[dict[str, Any]] = []
        self._current: dict[str, Any] | None = None
        self._quantizer_seconds = 0.0
        self._step_seconds = 0.0

    def begin(self, step: int) -> None:
        """A training step begins."""
        self._current = None if step % SAMPLE_EVERY else {"begin": self._now()}

    def enter(self, latents: Tensor) -> Tensor:
        """The latents to give to the quantizer; its time starts here and its backward pass ends here."""
        if self._current is None:
            return latents
        if latents.requires_grad:
            # A view of its own, whose gradient is complete when the quantizer's backward pass is.
            latents = latents.view_as(latents)
            self._mark_gradient(latents, "backward_end")
        self._current["enter"] = self._now()
        return latents

    def leave(self, quantized: Tensor) -> None:
        """The quantizer's forward pass is done; its backward pass will begin at ``quantized``."""
        if self._current is not None:
            self._current["leave"] = self._now()
            if quantized.requires_grad:
                self._mark_gradient(quantized, "backward_begin")

    def end(self) -> None:
        """The training step is done."""
        if self._current is not None:
            self._samples.append({**self._current, "end": self._now()})
            self._current = None

    def totals(self) -> list[float]:
        """Seconds in the quantizer and in whole steps over the sampled steps so far."""
        if self._cuda:
            torch.cuda.synchronize()
        for sample in self._samples:
            self._step_seconds += self._between(sample, "begin", "end")
            self._quantizer_seconds += self._between(sample, "enter", "leave")
            self._quantizer_seconds += self._between(sample, "backward_begin", "backward_end")
        self._samples = []
        return [self._quantizer_seconds, self._step_seconds]

    def restore(self, totals: list[float]) -> None:
        """Go on from saved totals."""
        self._quantizer_seconds, self._step_seconds = totals

    def share(self) -> float | None:
        """Part of the step's time spent in the quantizer, or None without a sample."""
        quantizer, step = self.totals()
        return quantizer / step if step else None

    def _now(self) -> Any:
        if not self._cuda:
            return time.perf_counter()
        event = torch.cuda.Event(enable_timing=True)
        event.record()
        return event

    def _mark_gradient(self, tensor: Tensor, name: str) -> None:
        sample = self._current
        assert sample is not None

        def mark(_: Tensor) -> None:
            sample[name] = self._now()

        tensor.register_hook(mark)

    def _between(self, sample: dict[str, Any], first: str, second: str) -> float:
        if first not in sample or second not in sample:
            return 0.0
        if self._cuda:
            return sample[first].elapsed_time(sample[second]) / 1000
        return sample[second] - sample[first]
