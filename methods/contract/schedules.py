"""What a method changes over a run: by the share of it that is over, whatever its length."""

import math

from methods.contract.promises import check, require
from methods.contract.subject import Subject
from methods.core.base import Quantizer

_SHORT, _TIMES = 101, 10
"""Steps of a short run, and how many times as long the other is, from the first step to the last."""
_COMPARED = (0, 1, 5, 10, 25, 50, 75, 90, 95, 99, 100)
"""Steps of the short run that are compared with the other."""


@check("shares_of_the_run")
def shares_of_the_run(subject: Subject) -> None:
    """What `anneal` sets depends on the share of the run that is over, not on a number of steps."""
    if subject.cls.anneal is Quantizer.anneal:
        return
    steps = (_SHORT - 1) * _TIMES + 1
    # A step of the short run spans many of the other, and methods differ in where within it they stand.
    windows = {step: range(max(0, (step - 1) * _TIMES), min(steps, (step + 1) * _TIMES + 1)) for step in _COMPARED}
    short = _annealed(subject, _SHORT, set(windows))
    long = _annealed(subject, steps, {step for window in windows.values() for step in window})
    for step, window in windows.items():
        for name, value in short[step].items():
            others = [long[other][name] for other in window if name in long[other]]
            low, high = min(others, default=value), max(others, default=value)
            require(
                low <= value <= high or _close(value, low) or _close(value, high),
                f"in step {step} of {_SHORT} `{name}` is {value:.4g}, at the same share of {steps:,} steps it is from "
                f"{low:.4g} to {high:.4g}: let it depend on step / total_steps",
            )


@check("run_of_one_step")
def run_of_one_step(subject: Subject) -> None:
    """A run of one step works: `anneal(0, 1)`, and the training step after it."""
    quantizer, latents = subject.build().train(), subject.latents().requires_grad_()
    quantizer.anneal(0, 1)
    result = quantizer(latents)
    subject.objective(quantizer, result, latents).backward()
    quantizer.after_step()
    for what, value in (("output", result.latents), ("loss", result.loss), ("gradient of the latents", latents.grad)):
        require(value is None or bool(value.isfinite().all()), f"in a run of one step the {what} is not finite")


def _annealed(subject: Subject, total_steps: int, wanted: set[int]) -> dict[int, dict[str, float]]:
    """What a run's `anneal` alone leaves in the steps that are wanted."""
    quantizer = subject.build()
    states = {}
    for step in range(total_steps):
        quantizer.anneal(step, total_steps)
        if step in wanted:
            states[step] = _scalars(quantizer)
    return states


def _scalars(quantizer: Quantizer) -> dict[str, float]:
    """Public attributes and buffers of all modules that are one real number, or a yes or no."""
    found: dict[str, float] = {}
    for path, module in quantizer.named_modules():
        held = {name: float(value) for name, value in vars(module).items() if isinstance(value, (float, bool))}
        held |= {
            name: float(buffer)
            for name, buffer in module.named_buffers(recurse=False)
            if buffer.numel() == 1 and buffer.is_floating_point()
        }
        prefix = f"{path}." if path else ""
        found |= {prefix + name: value for name, value in held.items() if not name.startswith("_")}
    return found


def _close(one: float, other: float) -> bool:
    """Equal but for the rounding of a thousand steps in fp32."""
    return math.isclose(one, other, rel_tol=1e-3, abs_tol=1e-9)
