"""Where runs stand in a suite's grid: its axes, and its places, a value on every axis each."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

CODEBOOK_SIZE = "codebook_size"
_LABELS = {
    CODEBOOK_SIZE: ("Codebook size K", "K"),
    "model.latent_dim": ("Latent dimension D", "D"),
    "dataset.shift": ("Shift of the mean", "shift"),
    "dataset.dim": ("Dimension D", "D"),
}
"""How an axis is called in full, and in short."""


@dataclass(frozen=True)
class Axis:
    """One axis of the grid and its values: numbers ascending, words in the order of the suite."""

    name: str
    values: tuple[Any, ...]

    @property
    def label(self) -> str:
        """In full, for a plot."""
        return _LABELS[self.name][0] if self.name in _LABELS else self._own_words.capitalize()

    @property
    def symbol(self) -> str:
        """In short, before a value."""
        return _LABELS[self.name][1] if self.name in _LABELS else self._own_words

    @property
    def words(self) -> str:
        """In full, in the middle of a sentence."""
        return self.label.removesuffix(f" {self.symbol}").lower()

    @property
    def numeric(self) -> bool:
        """Whether its values are numbers."""
        return all(isinstance(value, int | float) and not isinstance(value, bool) for value in self.values)

    def at(self, value: Any) -> str:
        """``K = 1,024``, ``shift = 2``; a word speaks for itself."""
        return f"{self.symbol} = {text(value)}" if self.numeric else text(value)

    @property
    def _own_words(self) -> str:
        return self.name.rpartition(".")[2].replace("_", " ")


@dataclass(frozen=True)
class Place:
    """One point of the grid: a value for each of its axes, the codebook size first."""

    values: tuple[Any, ...]

    @property
    def size(self) -> int:
        """The codebook size."""
        return int(self.values[0])


def text(value: Any) -> str:
    """A value of an axis: ``1,024``, ``0.5``, ``uniform``."""
    if isinstance(value, float) and not value.is_integer():
        return f"{value:g}"
    return f"{value:,.0f}" if isinstance(value, int | float) and not isinstance(value, bool) else str(value)


def axes_of(plan: dict[str, Any]) -> list[Axis]:
    """The axes of a plan, the codebook size first."""
    axes = [Axis(CODEBOOK_SIZE, tuple(sorted(plan["codebook_sizes"])))]
    for name, values in plan.get("axes", {}).items():
        axis = Axis(name, tuple(values))
        axes.append(Axis(name, tuple(sorted(values))) if axis.numeric else axis)
    return axes


def places_of(axes: Sequence[Axis]) -> list[Place]:
    """All places, the codebook size fastest, then the last axis."""
    outer = itertools.product(*(axis.values for axis in axes[1:]))
    return [Place((size, *others)) for others in outer for size in axes[0].values]


def place_of(cell: dict[str, Any]) -> Place:
    """Where a cell of the plan stands."""
    return Place((cell["codebook_size"], *cell.get("point", {}).values()))
