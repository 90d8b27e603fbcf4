"""Codewords over a training, seen in two dimensions: pictures of what moves, for data without an encoder."""

from pathlib import Path

import torch
from torch import Tensor

from benchmark.data import Dataset
from benchmark.records.files import write_arrays
from methods import Quantizer

MOST_CODEWORDS = 1024
LATENTS = 1000
SHARES = (0.0, 0.01, 0.05, 0.2, 1.0)
"""Of the training, after which the codewords are looked at."""


class Snapshots:
    """The codewords of the first level at a few steps, projected on the plane in which the latents vary most.

    Only of vectors without an encoder, which stay where they are, and of at most 1,024 codewords.
    """

    def __init__(self, dataset: Dataset, quantizer: Quantizer, total_steps: int) -> None:
        small = quantizer.has_codes and quantizer.bounded and quantizer.level_sizes[0] <= MOST_CODEWORDS
        self.wanted = small and dataset.modality == "latents" and quantizer.dim >= 2
        self._quantizer = quantizer
        self._steps = {round(share * total_steps) for share in SHARES}
        self._taken: dict[str, Tensor] = {}
        if self.wanted:
            rows = dataset.to_input(dataset.validation[:LATENTS]).movedim(1, -1).flatten(0, -2)[:LATENTS]
            self._plane = principal_plane(rows)
            self._latents = rows @ self._plane

    @torch.no_grad()
    def take(self, step: int) -> None:
        """Look at the codewords after ``step`` steps, if it is one of the wanted ones."""
        if not self.wanted or step not in self._steps:
            return
        codewords = self._quantizer.codewords()
        if codewords is not None:
            self._taken[str(step)] = codewords[0].detach().cpu().float() @ self._plane

    def state_dict(self) -> dict[str, Tensor]:
        """What was seen so far, by step."""
        return dict(self._taken)

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Go on from `state_dict`."""
        self._taken = dict(state)

    def save(self, path: Path) -> None:
        """``steps [T]``, ``codewords [T, K, 2]`` and ``latents [N, 2]`` as one file; none where nothing was seen."""
        if not self._taken:
            return
        steps = sorted(map(int, self._taken))
        codewords = torch.stack([self._taken[str(step)] for step in steps])
        write_arrays(path, {"steps": steps, "codewords": codewords.numpy(), "latents": self._latents.numpy()})


def principal_plane(rows: Tensor) -> Tensor:
    """``[D, 2]``: the two directions in which rows ``[N, D]`` vary most; the coordinates themselves at D = 2."""
    if rows.shape[1] == 2:
        return torch.eye(2)
    centred = rows.double() - rows.double().mean(0)
    directions = torch.linalg.eigh(centred.T @ centred).eigenvectors[:, -2:].flip(1)
    # The sign of an eigenvector is free: the largest entry is positive, on every machine.
    largest = directions.gather(0, directions.abs().argmax(0, keepdim=True))
    return (directions * largest.sign()).float()
