"""Edges where methods break: latents all alike, of zero, huge, one alone; one codeword, one dimension."""

import torch
from torch import Tensor

from methods.contract.promises import check, is_accepted, require
from methods.contract.subject import Subject, evaluate
from methods.core.base import Quantizer


@check("identical_latents")
def identical_latents(subject: Subject) -> None:
    """Latents that are all the same give nothing that is not finite."""
    same = subject.latents(1)[0].expand(8, 4, 4, subject.dim).contiguous()
    _survives(subject.build(start=same), subject, same)
    _survives(subject.build(), subject, same)


@check("zero_latents")
def zero_latents(subject: Subject) -> None:
    """Latents of zeros give nothing that is not finite."""
    zeros = torch.zeros(8, 4, 4, subject.dim)
    _survives(subject.build(start=zeros), subject, zeros)
    _survives(subject.build(), subject, zeros)


@check("huge_latents")
def huge_latents(subject: Subject) -> None:
    """Latents of size 10,000 give nothing that is not finite."""
    _survives(subject.build(), subject, 1e4 * subject.latents())


@check("batch_of_one")
def batch_of_one(subject: Subject) -> None:
    """A batch of one example at one position works."""
    _survives(subject.build(), subject, subject.latents(1, 1))


@check("smallest_sizes", needs_codes=True)
def smallest_sizes(subject: Subject) -> None:
    """One codeword and one dimension work, or are refused by a UsageError."""
    for size, dim in ((1, subject.dim), (subject.codebook_size, 1), (1, 1)):
        small = Subject(subject.cls, size, dim, subject.params)
        if is_accepted(small.create):
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
