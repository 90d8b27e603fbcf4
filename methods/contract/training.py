"""How a method trains: gradients, parameters, repeatability, and state that goes on where it stopped."""

import io
from typing import Any

import torch
from torch import Tensor, nn

from methods.contract.promises import check, require, require_same_output, require_same_state, snapshot
from methods.contract.subject import Subject, evaluate
from methods.core.base import Quantizer


@check("gradient")
def gradient(subject: Subject) -> None:
    """In training the decoder's gradient reaches the latents, finite and not zero."""
    latents = subject.latents().requires_grad_()
    result = subject.build().train()(latents)
    require(result.latents.requires_grad, "the output does not depend on the latents: no straight-through estimator?")
    direction = torch.randn(latents.shape, generator=torch.Generator().manual_seed(3))
    (found,) = torch.autograd.grad(result.latents, latents, direction, allow_unused=True)
    require(found is not None, "no gradient of the output reaches the latents")
    require(bool(found.isfinite().all()), "the gradient of the output with respect to the latents is not finite")
    require(bool(found.any()), "the gradient of the output with respect to the latents is zero")


@check("parameters")
def parameters(subject: Subject) -> None:
    """Each trainable parameter gets finite gradients and is in one optimiser group, or the method trains it itself."""
    quantizer = subject.build()
    owned = {id(parameter): name for name, parameter in quantizer.named_parameters()}
    grouped = [parameter for group in quantizer.parameter_groups(1e-2) for parameter in group["params"]]
    require(all(id(parameter) in owned for parameter in grouped), "a group holds a tensor that is not its parameter")
    names = [owned[id(parameter)] for parameter in grouped]
    require(len(set(names)) == len(names), f"a parameter is in two groups: {sorted(names)}")
    before, seen = snapshot(quantizer), set()
    for step in range(3):
        subject.train_step(quantizer, step)
        for name, parameter in quantizer.named_parameters():
            if parameter.grad is not None:
                require(bool(parameter.grad.isfinite().all()), f"the gradient of `{name}` is not finite")
                seen.add(name)
    silent = sorted(set(names) - seen)
    require(not silent, f"no gradient reaches these trainable parameters: {', '.join(silent)}")
    trainable = {name for name, parameter in quantizer.named_parameters() if parameter.requires_grad}
    after = snapshot(quantizer)
    idle = sorted(name for name in trainable - set(names) if torch.equal(before[name], after[name]))
    require(not idle, f"in no optimiser group, and not changed by the method either: {', '.join(idle)}")


@check("latents_without_gradient")
def latents_without_gradient(subject: Subject) -> None:
    """It also trains on latents that need no gradient (no encoder)."""
    quantizer, latents = subject.build().train(), subject.latents()
    result = quantizer(latents)
    total = subject.objective(quantizer, result, latents)
    if total.requires_grad:
        total.backward()
    quantizer.after_step()


@check("deterministic")
def deterministic(subject: Subject) -> None:
    """The same seed gives the same quantizer and the same training."""
    quantizer, course = subject.build(), subject.course
    require_same_state(subject.built.state_dict(), quantizer.state_dict(), "built twice from one seed, these differ")
    for step in range(2):
        result = subject.train_step(quantizer, step)
        require_same_output(course.results[step], result, f"trained twice from one seed, step {step + 1}")
    require_same_state(course.state, quantizer.eval().state_dict(), "trained twice from one seed, these differ")


@check("resume")
def resume(subject: Subject) -> None:
    """State saved and loaded into a new quantizer goes on exactly as if it had never stopped."""
    resumed, course, latents = _resumed(subject), subject.course, subject.latents()
    require_same_state(course.state, resumed.state_dict(), "after loading and `initialise`, these differ")
    story = "after loading, evaluation is another"
    require_same_output(evaluate(subject.settled, latents), evaluate(resumed, latents), story)
    result = subject.train_step(resumed, 2)
    require_same_output(course.results[2], result, "after loading, the next training step is another")
    story = "after loading and one training step, these differ: something that it needs is not in state_dict"
    require_same_state(course.quantizer.state_dict(), resumed.state_dict(), story)


@check("nothing_outside_state")
def nothing_outside_state(subject: Subject) -> None:
    """Nothing that training changes is outside state_dict: after loading and a step every attribute is the same too."""
    resumed = _resumed(subject)
    subject.train_step(resumed, 2)
    story = "after loading and one training step these differ, and are in no state_dict; keep them in buffers"
    require_same_state(_attributes(subject.course.quantizer), _attributes(resumed), story)


@check("registered_tensors")
def registered_tensors(subject: Subject) -> None:
    """Every tensor it is built with is a parameter or a buffer, so that it moves to the device and is saved."""
    for path, module in subject.built.named_modules():
        plain = [key for key, value in vars(module).items() if isinstance(value, Tensor)]
        require(not plain, f"plain tensors in `{path or subject.cls.__name__}`: {', '.join(plain)}; register buffers")


def _resumed(subject: Subject) -> Quantizer:
    """A new quantizer with the state of another after two steps."""
    file = io.BytesIO()
    torch.save(subject.course.state, file)
    file.seek(0)
    resumed = subject.create(seed=7)
    resumed.load_state_dict(torch.load(file, weights_only=True))
    resumed.initialise(subject.batches(subject.latents(seed=99)))
    return resumed


def _attributes(quantizer: Quantizer) -> dict[str, Any]:
    """What its modules hold beside parameters: buffers that are not saved, numbers, words, and lists of them."""
    saved, of_torch = set(quantizer.state_dict()), set(vars(nn.Module()))
    found: dict[str, Any] = {name: value for name, value in quantizer.named_buffers() if name not in saved}
    for path, module in quantizer.named_modules():
        held = {name: value for name, value in vars(module).items() if name not in of_torch}
        for name, value in held.items():
            found |= _leaves(f"{path}.{name}" if path else name, value)
    return found


def _leaves(name: str, value: Any) -> dict[str, Any]:
    """The tensors, numbers and words in ``value``, by where they stand in it."""
    if value is None or isinstance(value, Tensor | bool | int | float | str):
        return {name: value}
    entries = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list | tuple) else ()
    return {where: leaf for key, inner in entries for where, leaf in _leaves(f"{name}[{key!r}]", inner).items()}
