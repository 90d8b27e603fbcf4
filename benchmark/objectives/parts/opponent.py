"""What objectives with discriminators share: when they judge, and how they learn, by an optimiser of their own."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from benchmark.processes import average_gradients, weight
from benchmark.schedules import rate_factor
from methods.core.usage import MOST_WIDTH, check_choice, check_count, check_range
from methods.parts.processes import batch_sizes

SCHEDULES = ("constant", "cosine", "linear")


class Opponent(nn.Module):
    """Discriminators ``judges`` with Adam; the optimiser's state is part of the module's own.

    They judge and learn from step ``start`` on. Their learning rate rises over ``warmup_steps`` and then follows
    ``schedule`` to the end of the run.
    """

    def __init__(
        self,
        judges: nn.Module,
        *,
        learning_rate: float,
        betas: Sequence[float],
        start: int,
        warmup_steps: int,
        schedule: str = "constant",
    ) -> None:
        super().__init__()
        self.judges = judges
        self.start, self.learning_rate = start, learning_rate
        self._course = {"warmup_steps": warmup_steps, "schedule": schedule, "final_share": 0.0}
        self.optimizer = torch.optim.Adam(judges.parameters(), lr=learning_rate, betas=(betas[0], betas[1]))
        self._step = self._total = 0

    def anneal(self, step: int, total_steps: int) -> None:
        """The step that comes."""
        self._step, self._total = step, total_steps

    @property
    def is_judging(self) -> bool:
        """Whether the discriminators take part in this step."""
        return self._step >= self.start

    @contextmanager
    def fixed(self) -> Iterator[None]:
        """Within it what is judged gets gradients and the discriminators get none."""
        self.judges.requires_grad_(False)
        try:
            yield
        finally:
            self.judges.requires_grad_(True)

    def learn(self, loss: Tensor, items: Tensor) -> dict[str, Tensor]:
        """A step on ``loss``, the mean over this process's ``items``; for the history."""
        factor = rate_factor({**self._course, "steps": self._total - self.start})(self._step - self.start)
        for group in self.optimizer.param_groups:
            group["lr"] = self.learning_rate * factor
        self.optimizer.zero_grad(set_to_none=True)
        (loss * weight(len(items), sum(batch_sizes(items)))).backward()
        average_gradients(self.judges.parameters())
        self.optimizer.step()
        return {"discriminator": loss.detach()}

    def get_extra_state(self) -> dict[str, Any]:
        """The optimiser's state."""
        return self.optimizer.state_dict()

    def set_extra_state(self, state: dict[str, Any]) -> None:
        """Put it back."""
        self.optimizer.load_state_dict(state)


def check_opponent(
    what: str, *, width: int, learning_rate: float, start: int, warmup_steps: int, schedule: str
) -> None:
    """A UsageError that begins with ``what`` where an option is unfit."""
    check_count(f"{what}: discriminator_width", width, MOST_WIDTH)
    check_range(f"{what}: learning_rate", learning_rate, 0)
    check_count(f"{what}: start", start, least=0)
    check_count(f"{what}: warmup_steps", warmup_steps, least=0)
    check_choice(f"{what}: schedule", schedule, SCHEDULES)
