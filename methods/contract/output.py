"""What a method returns: latents, codes, loss, and that they are the same however they are asked for."""

import torch
from torch import Tensor

from methods.contract.promises import (
    check,
    random_state,
    require,
    require_close_output,
    require_same_output,
    require_same_state,
    snapshot,
)
from methods.contract.subject import Subject, evaluate
from methods.core.base import HISTORY


@check("output")
def output(subject: Subject) -> None:
    """Quantized latents have the shape and dtype of the latents and are finite; the latents stay as they are."""
    expected = subject.latents()
    for mode, (result, latents) in subject.outputs.items():
        require(torch.equal(latents, expected), f"in {mode} mode it writes into the latents it is given")
        require(
            result.latents.shape == latents.shape and result.latents.dtype == latents.dtype,
            f"in {mode} mode latents {_describe(latents)} become {_describe(result.latents)}",
        )
        require(bool(result.latents.isfinite().all()), f"in {mode} mode quantized latents are not finite")


@check("codes", needs_codes=True)
def codes(subject: Subject) -> None:
    """Codes are int64 [B, *positions, L], each at least 0 and below its level's size; -1 marks a dropped level.

    Those without bound are [B, *positions, D], any whole numbers.
    """
    quantizer, latents = subject.settled, subject.latents()
    found_by = {mode: seen.result.codes for mode, seen in subject.outputs.items()}
    found_by["encode"] = quantizer.encode(latents)
    for where, found in found_by.items():
        require(isinstance(found, Tensor), f"{where}: codes are {type(found).__name__}, not a tensor")
        assert found is not None
        bounded = subject.cls.bounded
        expected = (*latents.shape[:-1], len(quantizer.level_sizes) if bounded else subject.dim)
        require(found.shape == expected, f"{where}: codes have shape {tuple(found.shape)}, not {expected}")
        require(found.dtype == torch.int64, f"{where}: codes are {found.dtype}, not torch.int64")
        for level, size in enumerate(quantizer.level_sizes if bounded else ()):
            low, high = int(found[..., level].min()), int(found[..., level].max())
            lowest = -1 if where == "training" else 0
            require(
                low >= lowest and high < size, f"{where}: level {level} of {size} codes has codes from {low} to {high}"
            )


@check("no_codes")
def no_codes(subject: Subject) -> None:
    """A method that declares to have no codes returns None for them; any other returns codes."""
    found = subject.outputs["eval"].result.codes
    require((found is not None) == subject.cls.has_codes, f"has_codes is {subject.cls.has_codes}; codes are {found}")


@check("loss")
def loss(subject: Subject) -> None:
    """The loss is a finite scalar, and the log holds finite scalars without gradient."""
    for result, _ in subject.outputs.values():
        value = result.loss
        require(isinstance(value, Tensor) and value.shape == (), f"the loss is {value!r}, not a scalar tensor")
        require(bool(value.isfinite()), f"the loss is {value.item()}")
        for name, entry in result.log.items():
            require(
                isinstance(entry, Tensor) and entry.numel() == 1 and bool(entry.isfinite().all()),
                f"log entry `{name}` is {entry!r}, not a finite scalar tensor",
            )
            require(not entry.requires_grad, f"log entry `{name}` holds on to the graph; detach it")
            require(name not in HISTORY, f"log entry `{name}` bears the name of one of the harness; choose another")


@check("decode", needs_codes=True)
def decode(subject: Subject) -> None:
    """In eval mode the output is decode(encode(latents)), bit for bit, and its codes are encode(latents)."""
    quantizer, latents = subject.settled, subject.latents()
    result = evaluate(quantizer, latents)
    with torch.no_grad():
        found = quantizer.encode(latents)
        decoded = quantizer.decode(found)
    assert result.codes is not None
    require(torch.equal(result.codes, found), "encode gives other codes than forward in eval mode")
    require(decoded.shape == latents.shape, f"decode gives shape {tuple(decoded.shape)}, not {tuple(latents.shape)}")
    gap = (decoded - result.latents).abs().max().item()
    require(torch.equal(decoded, result.latents), f"decode(encode(latents)) is off the eval output by up to {gap:.3g}")


@check("codewords", needs_codes=True)
def codewords(subject: Subject) -> None:
    """codewords() is None or one [K, D] a level; with one level, what is decoded are its rows."""
    quantizer, latents = subject.settled, subject.latents()
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


@check("eval_changes_nothing")
def eval_changes_nothing(subject: Subject) -> None:
    """In eval mode nothing changes: no parameter, no buffer, no random state, and not the training that follows."""
    quantizer, latents = subject.trained(), subject.latents()
    before, random_before = snapshot(quantizer), random_state()
    first = evaluate(quantizer, latents)
    if subject.cls.has_codes:
        with torch.no_grad():
            quantizer.decode(quantizer.encode(latents))
    require_same_state(before, snapshot(quantizer), "an evaluation changes")
    require(random_state() == random_before, "an evaluation draws random numbers")
    require_same_output(first, evaluate(quantizer, latents), "two evaluations of the same latents")
    subject.train_step(quantizer, 2)
    story = "the training step after an evaluation is not the one without"
    require_same_state(subject.course.quantizer.state_dict(), quantizer.state_dict(), story)


@check("latents_untouched")
def latents_untouched(subject: Subject) -> None:
    """It writes into no latents that it is given, neither in training nor in evaluation."""
    given = subject.latents()
    for mode, seen in subject.outputs.items():
        require(torch.equal(seen.latents, given), f"in {mode} it changes the latents that it is given")


@check("independence")
def independence(subject: Subject) -> None:
    """In eval mode an example's codes depend neither on its companions nor on their order (unless declared)."""
    if not subject.cls.independent_rows:
        return
    quantizer, latents = subject.settled, subject.latents()
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


@check("positions")
def positions(subject: Subject) -> None:
    """Latents may have any number of position dimensions and any memory layout."""
    quantizer = subject.build()
    for mode in (True, False):
        for shape in ((6,), (6, 5), (6, 2, 3), (3, 2, 2, 2)):
            latents = subject.latents(*shape)
            result = quantizer.train(mode)(latents)
            require(
                result.latents.shape == latents.shape
                and (result.codes is None or result.codes.shape[:-1] == latents.shape[:-1]),
                f"latents {tuple(latents.shape)} become {_describe(result.latents)}, codes {_describe(result.codes)}",
            )
    latents = subject.latents()
    # A model's channel-first latents seen channel last: same values, strides no view can be made of.
    channel_first = latents.movedim(-1, 1).contiguous().movedim(1, -1)
    one, other = evaluate(subject.settled, channel_first), evaluate(subject.settled, latents)
    require_close_output(one, other, "the same latents in another memory layout give another output")
    quantizer.train()(channel_first)


@check("precision", needs_codes=True)
def precision(subject: Subject) -> None:
    """Under bf16 autocast it gives the codes of fp32 for the same latents, and fp32 output."""
    quantizer, latents = subject.settled, subject.latents()
    plain = evaluate(quantizer, latents)
    with torch.autocast("cpu", torch.bfloat16):
        mixed = evaluate(quantizer, latents)
    require(mixed.latents.dtype == torch.float32, f"under autocast the output is {mixed.latents.dtype}")
    require_same_output(plain, mixed, "under bf16 autocast")


def _describe(tensor: Tensor | None) -> str:
    return "None" if tensor is None else f"{tuple(tensor.shape)} {str(tensor.dtype).removeprefix('torch.')}"
