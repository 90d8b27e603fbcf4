"""Which codes are in use, and what takes the place of those that are not: by time since last use, or by a window."""

import torch
from torch import Tensor, nn

from methods.parts.processes import broadcast
from methods.parts.statistics import code_counts, random_rows


class LeastRecentlyUsed(nn.Module):
    """Replaces a codeword that no latent chose for ``timeout`` training steps by a latent of the batch.

    The latent v is moved by ``noise`` · |v| · N(0, I) (Huh et al. 2023, vqtorch's ReplaceLRU). The batch is seen
    in the forward pass, the codebook changed after the optimiser's step. A timeout of 0 never replaces.
    """

    remaining: Tensor

    def __init__(self, codebook_size: int, *, timeout: int, noise: float) -> None:
        super().__init__()
        self.timeout = timeout
        self.noise = noise
        self.register_buffer("remaining", torch.full((codebook_size,), timeout))
        self._pending: tuple[Tensor, Tensor] | None = None

    @torch.no_grad()
    def observe(self, latents: Tensor, codes: Tensor) -> None:
        """Count one step down for the codes that are not in ``codes [N]`` of ``latents [N, D]``."""
        if self.timeout == 0:
            return
        self.remaining -= 1
        self.remaining[code_counts(codes, self.remaining.shape[0]) > 0] = self.timeout
        overdue = (self.remaining <= 0).nonzero().squeeze(1)
        self.remaining[overdue] = self.timeout
        self._pending = None
        if len(overdue):
            rows = random_rows(latents.detach().float(), len(overdue))
            noise = broadcast(torch.randn_like(rows))
            self._pending = overdue, rows + self.noise * rows.norm(dim=1, keepdim=True) * noise

    def take_replacements(self) -> tuple[Tensor, Tensor] | None:
        """Codes ``[R]`` and the codewords ``[R, D]`` they are to have, once; None where nothing is overdue."""
        pending, self._pending = self._pending, None
        return pending


class ActivityWindow(nn.Module):
    """Counts in how many of the last ``interval`` training steps each code was chosen at all.

    At the end of the window the codes chosen in less than ``threshold`` of its steps are inactive and are
    to become copies of active ones (Vali and Bäckström 2022). An interval of 0 never replaces.
    """

    steps_used: Tensor
    steps: Tensor

    def __init__(self, codebook_size: int, *, interval: int, threshold: float) -> None:
        super().__init__()
        self.interval = interval
        self.threshold = threshold
        self.replacing = True
        """Whether what it finds is still to be replaced; a run may be too far gone."""
        self.register_buffer("steps_used", torch.zeros(codebook_size, dtype=torch.int64))
        self.register_buffer("steps", torch.zeros((), dtype=torch.int64))

    @torch.no_grad()
    def observe(self, codes: Tensor) -> None:
        """Fold in the codes ``[N]`` of one training step."""
        if self.interval == 0:
            return
        self.steps_used += code_counts(codes, self.steps_used.shape[0]) > 0
        self.steps += 1

    @torch.no_grad()
    def take_replacements(self, *, weighted: bool) -> tuple[Tensor, Tensor] | None:
        """Inactive codes ``[R]`` and the active code ``[R]`` each is to copy, at the end of a window; else None.

        Active codes are drawn in proportion to the steps they were used in, or (not ``weighted``) each as often
        as any other. A new window then begins. None where all codes are active, or none is.
        """
        if self.interval == 0 or self.steps < self.interval:
            return None
        active = self.steps_used >= self.threshold * self.interval
        weights = self.steps_used[active].float()
        self.steps_used.zero_()
        self.steps.zero_()
        inactive, sources = (~active).nonzero().squeeze(1), active.nonzero().squeeze(1)
        if not len(inactive) or not len(sources):
            return None
        if weighted:
            draw = weights.multinomial(len(inactive), replacement=True)
        else:
            draw = _even_draw(len(sources), len(inactive), sources.device)
        return inactive, sources[broadcast(draw)]


def _even_draw(size: int, count: int, device: torch.device) -> Tensor:
    """``count`` random indices below ``size``, none drawn more often than another by over one."""
    shuffles = [torch.randperm(size, device=device) for _ in range(-(-count // size))]
    return torch.cat(shuffles)[:count]
