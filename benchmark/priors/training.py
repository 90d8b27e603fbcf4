"""Training of a prior on the codes of a tokenizer: the loop of every run, the loss the codes' log-likelihood."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.optim.lr_scheduler import LambdaLR

from benchmark.data import Dataset
from benchmark.priors import create
from benchmark.priors.base import Prior
from benchmark.priors.tokenizer import Tokenizer
from benchmark.schedules import rate_factor
from benchmark.seeds import derive_seed, seed_torch
from benchmark.training.batches import Batches
from benchmark.training.loop import Loop, Row
from benchmark.training.probe import probe_items
from methods.core.usage import UsageError

BATCH = 256
"""Items that are scored at once."""


@dataclass(frozen=True)
class Split:
    """Joint codes ``[N, P]`` of the items of a split, and their classes ``[N]`` where the prior is told them."""

    index: Tensor
    labels: Tensor | None

    def some(self, rows: slice | Tensor) -> "Split":
        """Those ``rows``."""
        return Split(self.index[rows], self.labels[rows] if self.labels is not None else None)


class Codes(NamedTuple):
    """What a prior is trained, watched and measured on."""

    train: Split
    validation: Split
    test: Split


def codes_of(tokenizer: Tokenizer, dataset: Dataset, classes: int) -> Codes:
    """The codes of all images, and their labels where there are ``classes`` that the prior is told.

    Raises:
        UsageError: the labels are nowhere to be had.
    """
    labels = labels_of(dataset) if classes else None
    images = {"train": dataset.train, "validation": dataset.validation, "test": dataset.test}
    splits = {}
    for name, items in images.items():
        told = getattr(labels, name).to(tokenizer.device) if labels else None
        splits[name] = Split(tokenizer.encode(items), told)
        assert told is None or len(told) == len(items), (name, len(items))
    return Codes(**splits)


def labels_of(dataset: Dataset) -> Any:
    """The labels of ``dataset``.

    Raises:
        UsageError: they are nowhere to be had.
    """
    if dataset.labels is None:
        raise UsageError("these data have no labels that a prior could be told; set `generation.conditional` to false")
    return dataset.labels()


@torch.no_grad()
def nats(prior: Prior, split: Split) -> Tensor:
    """−log P of every code of ``split`` under ``prior`` in eval mode, ``[N, P]``."""
    prior.eval()
    pieces = []
    for begin in range(0, len(split.index), BATCH):
        part = split.some(slice(begin, begin + BATCH))
        pieces.append(prior.nats(part.index, part.labels))
    return torch.cat(pieces)


class PriorTrainer(Loop):
    """Trains the prior of a run on ``codes``, whose first weights and batches are the same for every arm."""

    def __init__(
        self,
        config: dict[str, Any],
        codes: Codes,
        digits: tuple[int, ...],
        positions: tuple[int, ...],
        device: torch.device,
        timeout: float | None = None,
    ) -> None:
        super().__init__(config, config["training"], device, timeout)
        self.codes = codes
        seed_torch(derive_seed("prior", config["prior"]["name"], config["seed"]))
        self.dropped = float(config["guidance"]["dropped"]) if "guidance" in config else 0.0
        guided, classes = self.dropped > 0, config["classes"]
        self.prior = create(config["prior"], digits, positions, classes, guided=guided).to(device)
        rate, decay = self.settings["learning_rate"], self.settings["weight_decay"]
        self.optimizer = torch.optim.AdamW(self.prior.parameters(), lr=rate, weight_decay=decay, fused=True)
        self.scheduler = LambdaLR(self.optimizer, rate_factor(self.settings))
        batch = self.settings["batch_size"]
        self.batches = Batches(len(codes.train.index), batch, derive_seed("prior batches", config["seed"]))
        watched = probe_items(self.settings["steps"] * batch, len(codes.validation.index))
        self.probe = codes.validation.some(slice(watched))

    def seed(self) -> None:
        """Start the random numbers of the training."""
        seed_torch(derive_seed("prior training", self.config["seed"]))

    def step(self, step: int) -> dict[str, Tensor]:
        """Train on the batch of ``step``, which counts from 0; the loss is in nats a position."""
        self.prior.train()
        batch = self.codes.train.some(self.batches.indices(step).to(self.device))
        loss = self.prior.nats(batch.index, self._told(batch.labels)).mean()
        self._descend(loss)
        self._mark_bad(loss, step)
        return {"loss": loss.detach()}

    def _told(self, labels: Tensor | None) -> Tensor | None:
        """``labels`` of a batch, some of them none where the prior is to be guided."""
        if labels is None or not self.dropped:
            return labels
        hidden = torch.rand(len(labels), device=labels.device) < self.dropped
        return torch.where(hidden, self.prior.classes, labels)

    def _parts(self) -> dict[str, Any]:
        return {"prior": self.prior, "optimizer": self.optimizer, "scheduler": self.scheduler}

    def _measured(self, terms: dict[str, Tensor]) -> Row:
        return {"loss": float(terms["loss"]), "validation_nll": float(nats(self.prior, self.probe).mean())}
