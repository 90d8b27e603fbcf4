"""What can be said of other devices where there is only a CPU: no tensor is made on whatever device is the default."""

import re

import torch
from torch import Tensor

from methods.contract.promises import PromiseError, check, require
from methods.contract.subject import Subject, evaluate
from methods.core.base import Quantized

_MIXED = re.compile(r"same device|different devices|two devices|device meta")
"""What PyTorch says where tensors of two devices meet."""


@check("device")
def device(subject: Subject) -> None:
    """Tensors that it makes while it trains are on the device of the latents, not on the default one."""
    quantizer, latents = subject.build(), subject.latents()
    # The default is a device without data: what is made there by mistake can't meet the latents unnoticed.
    try:
        with torch.device("meta"):
            results = [quantizer.train()(latents), evaluate(quantizer, latents)]
            _require_device(latents, results)
            subject.train_step(quantizer, 0, latents)
    except (RuntimeError, NotImplementedError, TypeError) as error:
        # A tensor that is made on the default device and moved on purpose can't be followed, and is no fault.
        if _MIXED.search(str(error)):
            told = str(error).splitlines()[0]
            story = "a tensor is made without `device=latents.device` and meets the latents"
            raise PromiseError(f"{story}: {told}") from error


def _require_device(latents: Tensor, results: list[Quantized]) -> None:
    for result in results:
        parts = {name: part for name, part in result._asdict().items() if isinstance(part, Tensor)}
        other = [name for name, part in parts.items() if part.device != latents.device]
        require(not other, f"{' and '.join(other)} of the output are on the default device, not on that of the latents")
