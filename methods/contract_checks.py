"""The checks of the contract: one small function a promise, its first line the promise in words."""

import io
from collections.abc import Callable
from typing import TypeVar

import torch
from torch import Tensor

from methods.base import Quantizer
from methods.contract_subject import (
    PromiseError,
    Subject,
    evaluate,
    random_state,
    require,
    require_same_output,
    require_same_state,
    snapshot,
)
from methods.errors import UsageError
from methods.signature import options_of

Check = Callable[[Subject], None]
F = TypeVar("F", bound=Check)
CHECKS: dict[str, Check] = {}


def _check(name: str, *, needs_codes: bool = False) -> Callable[[F], F]:
    """Add a check under ``name``; one that needs codes is left out for a method without."""

    def add(check: F) -> F:
        check.needs_codes = needs_codes  # type: ignore[attr-defined]
        CHECKS[name] = check
        return check

    return add


# -- what it is ----------------------------------------------------------------------------------


@_check("builds")
def builds(subject: Subject) -> None:
    """It is built from a codebook size, a dimension and parameters that all have defaults."""
    needed = [
        option.name
        for option in options_of(subject.cls.__init__, ("codebook_size", "dim")).values()
        if option.default is option.empty and option.name not in subject.params
    ]
    require(not needed, f"these parameters have no default: {', '.join(needed)}")
    subject.build()


@_check("card")
def card(subject: Subject) -> None:
    """Its card says the idea, the paper, what is trained and how memory grows; its knob is a parameter."""
    held = getattr(subject.cls, "card", None)
    require(held is not None, 'the class has no `card = Card(idea=..., paper=..., trains=..., memory="N·D + K·D")`')
    empty = [part for part in ("idea", "paper", "trains", "memory") if not getattr(held, part).strip()]
    require(not empty, f"the card leaves these empty: {', '.join(empty)}")
    version = subject.cls.version
    require(isinstance(version, int) and version >= 1, f"version must be an integer from 1 on, not {version!r}")
    knob = subject.cls.knob
    options = options_of(subject.cls.__init__, ("codebook_size", "dim"))
    require(knob is None or knob.parameter in options, f"the knob `{knob and knob.parameter}` is no parameter")


@_check("sizes")
def sizes(subject: Subject) -> None:
    """The level sizes it has are those `resolve_size` gives before it is built; size 0 is a UsageError."""
    promised = subject.cls.resolve_size(subject.codebook_size, **subject.params)
    level_sizes = subject.create().level_sizes
    require(promised == level_sizes, f"resolve_size gives {promised}, the built quantizer has {level_sizes}")
    require(
        bool(level_sizes) == subject.cls.has_codes,
        f"has_codes is {subject.cls.has_codes}, yet the level sizes are {level_sizes}",
    )
    if subject.cls.has_codes:
        _usage_error_or_fine(lambda: subject.cls.resolve_size(0, **subject.params), must_fail="codebook size 0")


# -- what it returns -----------------------------------------------------------------------------


@_check("output")
def output(subject: Subject) -> None:
    """Quantized latents have the shape and dtype of the latents and are finite, in training and in eval mode."""
    latents = subject.latents()
    for mode in (True, False):
        result = subject.build().train(mode)(latents)
        where = "training" if mode else "eval"
        require(
            result.latents.shape == latents.shape and result.latents.dtype == latents.dtype,
            f"in {where} mode latents {_describe(latents)} become {_describe(result.latents)}",
        )
        require(bool(result.latents.isfinite().all()), f"in {where} mode quantized latents are not finite")


@_check("codes", needs_codes=True)
def codes(subject: Subject) -> None:
    """Codes are int64 [B, *positions, L], each at least 0 and below its level's size; -1 marks a dropped level."""
    latents = subject.latents()
    quantizer = subject.build()
    with_modes = {"training": quantizer.train()(latents).codes, "eval": evaluate(quantizer, latents).codes}
    with_modes["encode"] = quantizer.encode(latents)
    for where, found in with_modes.items():
        require(isinstance(found, Tensor), f"{where}: codes are {type(found).__name__}, not a tensor")
        assert found is not None
        expected = (*latents.shape[:-1], len(quantizer.level_sizes))
        require(found.shape == expected, f"{where}: codes have shape {tuple(found.shape)}, not {expected}")
        require(found.dtype == torch.int64, f"{where}: codes are {found.dtype}, not torch.int64")
        for level, size in enumerate(quantizer.level_sizes):
            low, high = int(found[..., level].min()), int(found[..., level].max())
            lowest = -1 if where == "training" else 0
            require(
                low >= lowest and high < size, f"{where}: level {level} of {size} codes has codes from {low} to {high}"
            )


@_check("no_codes")
def no_codes(subject: Subject) -> None:
    """A method that declares to have no codes returns None for them; any other returns codes."""
    found = evaluate(subject.build(), subject.latents()).codes
    require((found is not None) == subject.cls.has_codes, f"has_codes is {subject.cls.has_codes}; codes are {found}")


@_check("loss")
def loss(subject: Subject) -> None:
    """The loss is a finite scalar, and the log holds finite scalars without gradient."""
    latents = subject.latents()
    for mode in (True, False):
        result = subject.build().train(mode)(latents)
        value = result.loss
        require(isinstance(value, Tensor) and value.shape == (), f"the loss is {value!r}, not a scalar tensor")
        require(bool(value.isfinite()), f"the loss is {value.item()}")
        for name, entry in result.log.items():
            require(
                isinstance(entry, Tensor) and entry.numel() == 1 and bool(entry.isfinite().all()),
                f"log entry `{name}` is {entry!r}, not a finite scalar tensor",
            )
            require(not entry.requires_grad, f"log entry `{name}` holds on to the graph; detach it")


@_check("decode", needs_codes=True)
def decode(subject: Subject) -> None:
    """In eval mode the output is decode(encode(latents)), bit for bit, and its codes are encode(latents)."""
    quantizer, latents = subject.trained(), subject.latents()
    result = evaluate(quantizer, latents)
    with torch.no_grad():
        found = quantizer.encode(latents)
        decoded = quantizer.decode(found)
    assert result.codes is not None
    require(torch.equal(result.codes, found), "encode gives other codes than forward in eval mode")
    require(decoded.shape == latents.shape, f"decode gives shape {tuple(decoded.shape)}, not {tuple(latents.shape)}")
    gap = (decoded - result.latents).abs().max().item()
    require(torch.equal(decoded, result.latents), f"decode(encode(latents)) is off the eval output by up to {gap:.3g}")


@_check("codewords", needs_codes=True)
def codewords(subject: Subject) -> None:
    """codewords() is None or one [K, D] a level; with one level, what is decoded are its rows."""
    quantizer, latents = subject.trained(), subject.latents()
    with torch.no_grad():
        listed, found = quantizer.codewords(), quantizer.encode(latents)
        if listed is None:
            return
        shapes = [tuple(level.shape) for level in listed]
        expected = [(size, subject.dim) for size in quantizer.level_sizes]
        require(shapes == expected, f"codewords have shapes {shapes}, not {expected}")
        require(all(bool(level.isfinite().all()) for level in listed), "codewords are not finite")
        if len(listed) > 1:
            return
        rows, decoded = listed[0][found.squeeze(-1)], quantizer.decode(found)
    gap = (rows - decoded).abs().max().item()
    require(gap <= 1e-5 * max(1.0, rows.abs().max().item()), f"decoded latents are off codewords() by up to {gap:.3g}")


# -- evaluation ----------------------------------------------------------------------------------


@_check("eval_changes_nothing")
def eval_changes_nothing(subject: Subject) -> None:
    """In eval mode nothing changes: no parameter, no buffer, no random state, not the latents, not what comes after."""
    quantizer, undisturbed, latents = subject.trained(), subject.trained(), subject.latents()
    before, random_before, given = snapshot(quantizer), random_state(), latents.clone()
    first = evaluate(quantizer, latents)
    if subject.cls.has_codes:
        with torch.no_grad():
            quantizer.decode(quantizer.encode(latents))
    require_same_state(before, snapshot(quantizer), "an evaluation changes")
    require(random_state() == random_before, "an evaluation draws random numbers")
    require(torch.equal(latents, given), "an evaluation writes into the latents it is given")
    require_same_output(first, evaluate(quantizer, latents), "two evaluations of the same latents")
    subject.train_step(quantizer, 2)
    subject.train_step(undisturbed, 2)
    story = "the training step after an evaluation is not the one without"
    require_same_state(undisturbed.state_dict(), quantizer.state_dict(), story)


@_check("independence")
def independence(subject: Subject) -> None:
    """In eval mode an example's codes depend neither on its companions nor on their order (unless declared)."""
    if not subject.cls.independent_rows:
        return
    quantizer, latents = subject.trained(), subject.latents()
    whole = evaluate(quantizer, latents)
    order = torch.arange(latents.shape[0]).flip(0)
    alone = [evaluate(quantizer, example[None]) for example in latents]
    for story, parts in (
        ("an example evaluated alone", alone),
        ("the examples in another order", [evaluate(quantizer, latents[order])]),
    ):
        if whole.codes is not None:
            found = torch.cat([part.codes for part in parts if part.codes is not None])
            expected_codes = whole.codes if len(parts) > 1 else whole.codes[order]
            require(torch.equal(found, expected_codes), f"{story}: the codes differ from those in the batch")
        together = torch.cat([part.latents for part in parts])
        expected = whole.latents if len(parts) > 1 else whole.latents[order]
        require(torch.allclose(together, expected, atol=1e-5), f"{story}: the output differs from that in the batch")


@_check("positions")
def positions(subject: Subject) -> None:
    """Latents may have any number of position dimensions and any memory layout."""
    for shape in ((6,), (6, 5), (6, 2, 3), (3, 2, 2, 2)):
        latents = subject.latents(*shape)
        for mode in (True, False):
            result = subject.build().train(mode)(latents)
            require(
                result.latents.shape == latents.shape
                and (result.codes is None or result.codes.shape[:-1] == latents.shape[:-1]),
                f"latents {tuple(latents.shape)} become {_describe(result.latents)}, codes {_describe(result.codes)}",
            )
    quantizer, latents = subject.trained(), subject.latents()
    # A model's channel-first latents seen channel last: same values, strides no view can be made of.
    channel_first = latents.movedim(-1, 1).contiguous().movedim(1, -1)
    one, other = evaluate(quantizer, channel_first), evaluate(quantizer, latents)
    close = torch.allclose(one.latents, other.latents, atol=1e-5) and torch.allclose(one.loss, other.loss, rtol=1e-4)
    same_codes = one.codes is None or other.codes is None or torch.equal(one.codes, other.codes)
    require(close and same_codes, "the same latents in another memory layout give another output")
    quantizer.train()(channel_first)


@_check("precision", needs_codes=True)
def precision(subject: Subject) -> None:
    """Under bf16 autocast it gives the codes of fp32 for the same latents, and fp32 output."""
    quantizer, latents = subject.trained(), subject.latents()
    plain = evaluate(quantizer, latents)
    with torch.autocast("cpu", torch.bfloat16):
        mixed = evaluate(quantizer, latents)
    require(mixed.latents.dtype == torch.float32, f"under autocast the output is {mixed.latents.dtype}")
    require_same_output(plain, mixed, "under bf16 autocast")


# -- training ------------------------------------------------------------------------------------


@_check("gradient")
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


@_check("parameters")
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


@_check("latents_without_gradient")
def latents_without_gradient(subject: Subject) -> None:
    """It also trains on latents that need no gradient (no encoder)."""
    quantizer, latents = subject.build().train(), subject.latents()
    result = quantizer(latents)
    total = subject.objective(quantizer, result, latents)
    if total.requires_grad:
        total.backward()
    quantizer.after_step()


@_check("deterministic")
def deterministic(subject: Subject) -> None:
    """The same seed gives the same quantizer and the same training."""
    one, other = subject.build(), subject.build()
    require_same_state(one.state_dict(), other.state_dict(), "built twice from one seed, these differ")
    for step in range(2):
        first, second = subject.train_step(one, step), subject.train_step(other, step)
        require_same_output(first, second, f"trained twice from one seed, step {step + 1}")
    require_same_state(one.state_dict(), other.state_dict(), "trained twice from one seed, these differ")


# -- state ---------------------------------------------------------------------------------------


@_check("resume")
def resume(subject: Subject) -> None:
    """State saved and loaded into a new quantizer goes on exactly as if it had never stopped."""
    original = subject.trained(steps=2)
    file = io.BytesIO()
    torch.save(original.state_dict(), file)
    file.seek(0)
    resumed = subject.create(seed=7)
    resumed.load_state_dict(torch.load(file, weights_only=True))
    resumed.initialise(subject.batches(subject.latents(seed=99)))
    require_same_state(original.state_dict(), resumed.state_dict(), "after loading and `initialise`, these differ")
    latents = subject.latents()
    story = "after loading, evaluation is another"
    require_same_output(evaluate(original, latents), evaluate(resumed, latents), story)
    went_on, started_again = subject.train_step(original, 2), subject.train_step(resumed, 2)
    require_same_output(went_on, started_again, "after loading, the next training step is another")
    story = "after loading and one training step, these differ: something that it needs is not in state_dict"
    require_same_state(original.state_dict(), resumed.state_dict(), story)


@_check("registered_tensors")
def registered_tensors(subject: Subject) -> None:
    """Every tensor it is built with is a parameter or a buffer, so that it moves to the device and is saved."""
    for path, module in subject.build().named_modules():
        plain = [key for key, value in vars(module).items() if isinstance(value, Tensor)]
        require(not plain, f"plain tensors in `{path or subject.cls.__name__}`: {', '.join(plain)}; register buffers")


# -- edges ---------------------------------------------------------------------------------------


@_check("identical_latents")
def identical_latents(subject: Subject) -> None:
    """Latents that are all the same give nothing that is not finite."""
    same = subject.latents(1)[0].expand(8, 4, 4, subject.dim).contiguous()
    _survives(subject.build(start=same), subject, same)
    _survives(subject.build(), subject, same)


@_check("zero_latents")
def zero_latents(subject: Subject) -> None:
    """Latents of zeros give nothing that is not finite."""
    zeros = torch.zeros(8, 4, 4, subject.dim)
    _survives(subject.build(start=zeros), subject, zeros)
    _survives(subject.build(), subject, zeros)


@_check("huge_latents")
def huge_latents(subject: Subject) -> None:
    """Latents of size 10,000 give nothing that is not finite."""
    _survives(subject.build(), subject, 1e4 * subject.latents())


@_check("batch_of_one")
def batch_of_one(subject: Subject) -> None:
    """A batch of one example at one position works."""
    _survives(subject.build(), subject, subject.latents(1, 1))


@_check("smallest_sizes", needs_codes=True)
def smallest_sizes(subject: Subject) -> None:
    """One codeword and one dimension work, or are refused by a UsageError."""
    for size, dim in ((1, subject.dim), (subject.codebook_size, 1), (1, 1)):
        small = Subject(subject.cls, size, dim, subject.params)
        if _usage_error_or_fine(small.create):
            _survives(small.build(), small, small.latents())


def _survives(quantizer: Quantizer, subject: Subject, latents: Tensor) -> None:
    """A step of training on ``latents`` without the optimiser, then an evaluation: all finite."""
    latents = latents.clone().requires_grad_()
    quantizer.anneal(0, 10)
    result = quantizer.train()(latents)
    subject.objective(quantizer, result, latents).backward()
    quantizer.after_step()
    evaluated = evaluate(quantizer, latents.detach())
    found = {
        "the output in training": result.latents,
        "the loss in training": result.loss,
        "the gradient of the latents": latents.grad,
        "the output in eval mode": evaluated.latents,
        "the loss in eval mode": evaluated.loss,
    }
    found |= {f"the gradient of `{name}`": parameter.grad for name, parameter in quantizer.named_parameters()}
    found |= {f"`{name}`": value for name, value in quantizer.state_dict().items()}
    size = f"codebook size {subject.codebook_size}, dimension {subject.dim}: "
    for what, value in found.items():
        if isinstance(value, Tensor) and value.is_floating_point():
            require(bool(value.isfinite().all()), f"{size}{what} is not finite")


def _usage_error_or_fine(build: Callable[[], object], must_fail: str = "") -> bool:
    """Whether ``build`` works; False where it raises a `UsageError`."""
    try:
        build()
    except UsageError:
        return False
    if must_fail:
        raise PromiseError(f"{must_fail} is accepted; it must raise a UsageError")
    return True


def _describe(tensor: Tensor | None) -> str:
    return "None" if tensor is None else f"{tuple(tensor.shape)} {str(tensor.dtype).removeprefix('torch.')}"
