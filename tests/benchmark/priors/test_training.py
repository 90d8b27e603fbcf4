"""Training of a prior: stopped and gone on with, not finite, uniform codes; what it is trained on."""

import copy
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from benchmark.data import Dataset, Labels
from benchmark.priors.tokenizer import Tokenizer
from benchmark.priors.training import Codes, PriorTrainer, Split, codes_of, nats
from benchmark.training.loop import DivergedError, Stopped

pytest.importorskip("x_transformers", reason="needs x-transformers, of the extra [generation]")
CPU = torch.device("cpu")


def _trainer(steps: int = 12, items: int = 40) -> PriorTrainer:
    generator = torch.Generator().manual_seed(0)
    splits = [Split(torch.randint(3, (count, 4), generator=generator), None) for count in (items, 8, 8)]
    config = {
        "prior": {"name": "transformer", "version": 1, "layers": 1, "width": 8, "heads": 2, "dropout": 0.1},
        "classes": 0,
        "training": {
            "steps": steps,
            "batch_size": 8,
            "learning_rate": 1e-2,
            "schedule": "cosine",
            "warmup_steps": 2,
            "final_share": 0.0,
            "weight_decay": 0.01,
            "clip_norm": 1.0,
        },
        "seed": 0,
        "tokenizer": {"method": "vq_vae", "codebook_size": 3, "seed": 0},
    }
    return PriorTrainer(config, Codes(*splits), (3,), (2, 2), CPU)


def _rows(trainer: PriorTrainer) -> list[dict[str, float]]:
    return [{name: value for name, value in row.items() if name != "seconds"} for row in trainer.progress.history]


def test_a_stopped_prior_goes_on_to_the_same_figures(tmp_path: Path) -> None:
    whole = _trainer()
    whole.fit(tmp_path / "whole.pt", lambda step, row: None)
    first = _trainer()

    def stop(step: int, row: dict[str, float]) -> None:
        first.stop_requested = step == 5

    with pytest.raises(Stopped):
        first.fit(tmp_path / "checkpoint.pt", stop)
    second = _trainer()
    second.fit(tmp_path / "checkpoint.pt", lambda step, row: None)
    assert _rows(second) == _rows(whole)
    for ours, theirs in zip(second.prior.parameters(), whole.prior.parameters(), strict=True):
        assert torch.equal(ours, theirs)


def test_a_loss_that_is_not_finite_ends_the_prior(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trainer = _trainer()
    usual = trainer.prior.nats
    monkeypatch.setattr(trainer.prior, "nats", lambda *given: usual(*given) * float("nan"))
    with pytest.raises(DivergedError, match="the loss was not finite at step 1"):
        trainer.fit(tmp_path / "checkpoint.pt", lambda step, row: None)


def test_a_prior_of_uniform_codes_reaches_log_k_and_not_less(tmp_path: Path) -> None:
    trainer = _trainer(steps=40, items=2000)
    trainer.fit(tmp_path / "checkpoint.pt", lambda step, row: None)
    fresh = torch.randint(3, (4000, 4), generator=torch.Generator().manual_seed(1))
    found = float(nats(trainer.prior, Split(fresh, None)).double().mean())
    assert math.log(3) - 1e-3 < found < math.log(3) + 0.02


def test_codes_and_labels_of_a_split_belong_together(dataset: Dataset) -> None:
    class Halves:
        """Codes are the means of halves of an image."""

        device = CPU

        def encode(self, items: torch.Tensor) -> torch.Tensor:
            return items.flatten(1)[:, :4].long()

    labels = Labels(torch.arange(32), torch.arange(8), torch.arange(8))
    labelled = replace(dataset, labels=lambda: labels)
    tokenizer: Any = Halves()
    found = codes_of(tokenizer, labelled, classes=32)
    assert found.train.labels is not None
    part = found.train.some(torch.tensor([5, 2]))
    assert part.labels is not None
    assert part.labels.tolist() == [5, 2]
    assert torch.equal(part.index, dataset.train[[5, 2]].flatten(1)[:, :4].long())
    assert codes_of(tokenizer, dataset, classes=0).test.labels is None


def test_a_tokenizer_decodes_what_it_encodes(tiny: dict[str, object], dataset: Dataset) -> None:
    from benchmark.training.system import build_system

    model = {"name": "conv", "width": 8, "latent_dim": 4, "residual_blocks": 1, "residual_width": 4}
    config = {
        "model": copy.deepcopy(model),
        "method": "residual_vq",
        "codebook_size": 64,
        "params": {"depth": 3},
        "training": {"precision": "fp32"},
        "seed": 0,
    }
    system = build_system(config, dataset, CPU).eval()
    tokenizer = Tokenizer(system, dataset, CPU)
    assert (tokenizer.joint.size, tokenizer.positions) == (64, (2, 2))
    index = tokenizer.encode(dataset.test)
    [decoded] = tokenizer.decode(index)
    with torch.no_grad():
        expected = system(dataset.to_input(dataset.test)).output
    torch.testing.assert_close(decoded, expected)
