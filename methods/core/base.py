"""The interface of every quantizer: `Quantizer`, what it returns, and the card that says what it is."""

from __future__ import annotations

import functools
import inspect
import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, ClassVar, NamedTuple

import torch
from torch import Tensor, nn

from methods.core.usage import UsageError, check_range, options_of

HISTORY = (
    *("step", "seconds", "learning_rate", "loss", "reconstruction", "quantizer"),
    *("validation_error", "usage", "perplexity"),
)
"""Columns of a run's history that are the harness's; no entry of a log bears one of these names."""
_SUPPLIED = ("codebook_size", "dim")
"""Arguments of every method that the harness gives."""


class Quantized(NamedTuple):
    """What a quantizer makes of latents ``[B, *positions, D]``.

    ``latents``: what the decoder sees, same shape. ``codes``: int64 ``[B, *positions, L]``, -1 for
    a dropped level, None for a method without codes. ``loss``: scalar, already weighted.
    ``log``: scalars for the history, by names that are not in `HISTORY`.
    """

    latents: Tensor
    codes: Tensor | None
    loss: Tensor
    log: Mapping[str, Tensor] = MappingProxyType({})


@dataclass(frozen=True)
class Card:
    """What a method is, where it comes from, and what this implementation was checked against.

    ``evidence`` lists what it was compared with and the figure that came out; empty means
    *not verified*, and the tables mark the method with a dagger. ``schedule`` says what the method changes over
    a run, in shares of it, and what it counts in steps and why; empty where only the run's learning rate changes.
    ``distributed`` says how several processes compare with one, once that was tried (`two_processes` of the contract
    does); empty says nothing.
    """

    SAME_AS_ONE: ClassVar[str] = "two processes with half batches equal one with the whole batch"
    idea: str
    paper: str
    code: str = "none"
    trains: str = ""
    memory: str = ""
    schedule: str = ""
    differences: tuple[str, ...] = ()
    evidence: tuple[str, ...] = ()
    distributed: str = ""


@dataclass(frozen=True)
class Knob:
    """The one parameter of a method that `tune` searches beside the learning rate.

    ``values``: three, tried for every arm, ascending. ``below`` and ``above``: what is tried further, in this order,
    where the first or the last of them is best.
    """

    parameter: str
    values: tuple[Any, ...]
    below: tuple[Any, ...] = ()
    above: tuple[Any, ...] = ()

    @property
    def ladder(self) -> tuple[Any, ...]:
        """All values, ascending."""
        return (*reversed(self.below), *self.values, *self.above)


class Quantizer(nn.Module):
    """Base of all methods: maps latents ``[B, *positions, D]`` to quantized latents and codes.

    A subclass defines ``forward``, ``encode`` and ``decode``; the other hooks have defaults that
    suit a single codebook trained by the run's optimiser. In eval mode ``forward`` changes no
    parameter, no buffer and no random state, and ``decode(encode(z))`` equals its output exactly.
    """

    name: ClassVar[str] = ""
    version: ClassVar[int] = 1
    card: ClassVar[Card]
    knob: ClassVar[Knob | None] = None
    has_codes: ClassVar[bool] = True
    """False for a method whose latents are not discrete; the tables show a dash for its codes."""
    bounded: ClassVar[bool] = True
    """False where a position takes no fixed number of codes: its codes ``[B, *positions, D]`` are whole numbers of
    either sign, counted by the different ones; the level's size is what the method starts from."""
    ranked: ClassVar[bool] = True
    """False where what is here is not the whole method of its paper: shown, never ranked."""
    reference: ClassVar[bool] = False
    """True for what is no remedy but a yardstick: set apart in tables and plots, never ranked, never marked best."""
    independent_rows: ClassVar[bool] = True
    """False where a code depends on the batch it is computed in (balanced assignments)."""
    one_graph: ClassVar[bool] = True
    """False where a training step after the first is no one graph of `torch.compile`, as it branches on values or makes
    tensors of unknown size; a run that is compiled (``training.compile``) then leaves the quantizer as it is."""
    max_codebook_size: ClassVar[int | None] = None
    """Largest size this method can do in reasonable time and memory, on any device."""
    max_codebook_size_cpu: ClassVar[int | None] = None
    """The same on a CPU, where that is less."""
    names_methods: ClassVar[tuple[str, ...]] = ()
    """Parameters whose value is the name of another method."""
    added: ClassVar[tuple[str, ...]] = ()
    """Parameters younger than some records: at its default one is left out of a run's configuration, and so of its
    key, as if it still did not exist."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Take autocast out of a subclass's quantization, so that precision is no hidden variable."""
        super().__init_subclass__(**kwargs)
        for method in ("forward", "encode", "decode"):
            if method in vars(cls):
                setattr(cls, method, _in_full_precision(vars(cls)[method]))

    def __init__(self, codebook_size: int, dim: int, **size_params: Any) -> None:
        """``size_params`` are the parameters that `resolve_size` of the subclass needs.

        ``values_per_position`` is set by the harness: values of an item, as pixels, for each position of its latents;
        for a loss that is summed over positions and divided by the number of values.
        """
        super().__init__()
        check_range("the latent dimension", dim, 1)
        self.dim = dim
        self.values_per_position: float | None = None
        self.level_sizes: tuple[int, ...] = type(self).resolve_size(codebook_size, **size_params)
        self.codebook_size = math.prod(self.level_sizes)

    # -- what a person may set -----------------------------------------------------------------

    @classmethod
    def options(cls, given: Mapping[str, Any]) -> dict[str, inspect.Parameter]:
        """The parameters by name; where one of those that are ``given`` chooses what is built, those that go with it.

        Raises:
            UsageError: nothing can be built with ``given``.
        """
        return options_of(cls.__init__, _SUPPLIED)

    @classmethod
    def not_promised(cls, **params: Any) -> Mapping[str, str]:
        """What of the contract it does not promise with ``params``: by the name of the check, what it does instead."""
        return {}

    @classmethod
    def not_as_published(cls, **params: Any) -> str:
        """What ``params`` set otherwise than its authors though figures may hang on it; tables say it of the arm."""
        return ""

    # -- sizes ---------------------------------------------------------------------------------

    @classmethod
    def resolve_size(cls, codebook_size: int, **params: Any) -> tuple[int, ...]:
        """Level sizes this method would have for a requested size, before it is built.

        They may differ from what is asked (a product of levels); an empty tuple says that the size
        means nothing to this method, and one run then serves every size.

        Raises:
            UsageError: the size can't be had.
        """
        check_range("codebook_size", codebook_size, 1)
        if cls.max_codebook_size is not None and codebook_size > cls.max_codebook_size:
            raise UsageError(f"`{cls.name}` is declared up to {cls.max_codebook_size:,} codes, not {codebook_size:,}")
        return (codebook_size,)

    @classmethod
    def resolve_digits(cls, codebook_size: int, **params: Any) -> tuple[int, ...]:
        """Sizes of the digits of a joint code in the mixed radix of the levels, the highest digit first.

        The levels themselves, unless the codes of a level are made of digits: channels of a grid, or bits.

        Raises:
            UsageError: the size can't be had.
        """
        return cls.resolve_size(codebook_size, **params)

    @classmethod
    def check_on_cpu(cls, codebook_size: int, **params: Any) -> None:
        """Raise a `UsageError` where the size is declared to be too large for a CPU."""
        most = cls.max_codebook_size_cpu
        if most is not None and codebook_size > most:
            raise UsageError(f"`{cls.name}` is declared up to {most:,} codes on a CPU")

    @classmethod
    def can_be_shared(cls, **params: Any) -> bool:
        """Whether it may quantize several times in one training step, as the one level of a residual quantizer."""
        return True

    # -- quantization --------------------------------------------------------------------------

    def forward(self, latents: Tensor) -> Quantized:
        """Quantize ``[B, *positions, D]``."""
        raise NotImplementedError

    def encode(self, latents: Tensor) -> Tensor:
        """Deterministic codes int64 ``[B, *positions, L]`` of latents ``[B, *positions, D]``."""
        raise NotImplementedError

    def decode(self, codes: Tensor) -> Tensor:
        """Latents ``[B, *positions, D]`` of codes ``[B, *positions, L]``; level -1 adds nothing."""
        raise NotImplementedError

    def codewords(self) -> list[Tensor] | None:
        """The effective codewords ``[K_l, D]`` a level; None where there is no such list."""
        return None

    def unmapped_codewords(self) -> Tensor | None:
        """What the codewords were before a trained map ``[K, D]``; None for a method without one."""
        return None

    def is_one_graph(self) -> bool:
        """What the class says (``one_graph``), and with its options all quantizers within it."""
        within = (part for part in self.modules() if isinstance(part, Quantizer) and part is not self)
        return self.one_graph and all(part.is_one_graph() for part in within)

    # -- hooks of the training loop ------------------------------------------------------------

    def initialise(self, latents: Iterator[Tensor]) -> None:
        """Start from data: called once before the first step with batches of latents ``[B, *positions, D]``.

        The batches end after an epoch. What this does is saved, and a flag in ``state_dict`` makes a
        second call, on a state that was loaded, do nothing.
        """

    def use_pretrained(self, features: Callable[[int], Tensor]) -> None:
        """Start from a pretrained network: called once before `initialise`.

        ``features(count)`` makes ``[count, F]`` features of the training set, and raises a `UsageError` where
        there is no network for its modality.
        """

    def anneal(self, step: int, total_steps: int) -> None:
        """Set schedules before step ``step`` (from 0) of ``total_steps``, by the share of the run that is over."""

    def after_step(self) -> None:
        """Inner updates after the optimiser's step."""

    @contextmanager
    def unchanging(self) -> Iterator[None]:
        """Within it, in eval mode, nothing is trained or loaded: what every call makes of the codebook is made once."""
        yield

    def reconstruction_loss(self, errors: Tensor, numel: int) -> Tensor:
        """Loss of summed reconstruction errors ``[B]`` over ``numel`` elements an example."""
        return errors.mean() / numel

    def parameter_groups(self, lr: float) -> list[dict[str, Any]]:
        """Optimiser groups of the trainable parameters; ``lr`` is the run's learning rate."""
        trainable = [parameter for parameter in self.parameters() if parameter.requires_grad]
        return [{"params": trainable, "lr": lr}] if trainable else []


def _in_full_precision(method: Callable[..., Any]) -> Callable[..., Any]:
    """``method`` without autocast, and with reduced-precision input made fp32."""

    @functools.wraps(method)
    def run(self: Quantizer, *args: Any, **kwargs: Any) -> Any:
        given = [value for value in (*args, *kwargs.values()) if isinstance(value, Tensor)]
        if not given:
            return method(self, *args, **kwargs)
        with torch.autocast(given[0].device.type, enabled=False):
            return method(self, *map(_full, args), **{name: _full(value) for name, value in kwargs.items()})

    return run


def _full(value: Any) -> Any:
    reduced = isinstance(value, Tensor) and value.dtype in (torch.float16, torch.bfloat16)
    return value.float() if reduced else value
