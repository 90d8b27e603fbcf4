"""A quantizer made of others: what is asked of the whole is asked of each."""

from collections.abc import Callable, Iterator
from typing import Any

from torch import Tensor, nn

from methods.core.base import Quantizer
from methods.core.registry import get
from methods.core.usage import UsageError


class CompositeQuantizer(Quantizer):
    """Base of quantizers that hold others in ``levels``, each once."""

    levels: nn.ModuleList

    def parts(self) -> list[Quantizer]:
        """The quantizers it is made of."""
        return [level for level in self.levels if isinstance(level, Quantizer)]

    def use_pretrained(self, features: Callable[[int], Tensor]) -> None:
        """Offer the features to every part."""
        for part in self.parts():
            part.use_pretrained(features)

    def anneal(self, step: int, total_steps: int) -> None:
        """Schedules of the parts."""
        for part in self.parts():
            part.anneal(step, total_steps)

    def after_step(self) -> None:
        """Inner updates of the parts."""
        for part in self.parts():
            part.after_step()

    def parameter_groups(self, lr: float) -> list[dict[str, Any]]:
        """The groups of all parts."""
        return [group for part in self.parts() for group in part.parameter_groups(lr)]


def check_part(level: str, whole: str) -> type[Quantizer]:
    """The method ``level``, which is to be a ``whole``, as "group of product_vq".

    Raises:
        UsageError: it can't be one.
    """
    method = get(level)
    if not method.has_codes:
        reason = "it has no codes"
    elif not method.bounded:
        reason = "its codes have no bound"
    elif method.reconstruction_loss is not Quantizer.reconstruction_loss:
        reason = "its loss and that of the reconstruction are one bound, of which a part has no share"
    else:
        return method
    raise UsageError(f"`{level}` can't be a {whole}: {reason}")


def replay(seen: list[Tensor], source: Iterator[Tensor]) -> Iterator[Tensor]:
    """The batches already drawn, then further ones, which join them."""
    yield from seen
    for batch in source:
        seen.append(batch)
        yield batch
