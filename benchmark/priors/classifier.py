"""What samples are worth as training images: a small classifier trained on them, tested on real ones."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim.lr_scheduler import LambdaLR

from benchmark.priors.distances import Metrics, some_of
from benchmark.priors.sampling import classes_asked, images_of
from benchmark.priors.tokenizer import Tokenizer
from benchmark.priors.training import Codes
from benchmark.schedules import rate_factor
from benchmark.seeds import derive_seed, seed_torch
from benchmark.training.batches import Batches

WIDTHS = (16, 32, 64)
LEARNING_RATE, WEIGHT_DECAY = 5e-3, 1e-2


class SmallClassifier(nn.Sequential):
    """3×3 convolutions with batch norm and ReLU, 2×2 max-pooling between them, the mean over positions, one layer.

    Takes images ``[B, C, H, W]`` in [-1, 1], gives logits ``[B, classes]``.
    """

    def __init__(self, channels: int, classes: int) -> None:
        layers: list[nn.Module] = []
        for before, after in zip((channels, *WIDTHS), WIDTHS, strict=False):
            pool = [nn.MaxPool2d(2, ceil_mode=True)] if layers else []
            layers += [*pool, nn.Conv2d(before, after, 3, padding=1), nn.BatchNorm2d(after), nn.ReLU()]
        super().__init__(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(WIDTHS[-1], classes))


def trained_accuracies(samples: Tensor, codes: Codes, tokenizer: Tokenizer, config: dict[str, Any]) -> Metrics:
    """Accuracy on the real test images after a training on samples, on as many reconstructions and real images.

    Samples are of the classes that the prior was told (Ravuri & Vinyals, arXiv 1905.10887). Weights at the start and
    batches are the same for all three and for every arm.
    """
    dataset = tokenizer.dataset
    count = min(len(samples), len(dataset.train))
    real = some_of(len(dataset.train), count)
    asked, known, tested = classes_asked(count, config["classes"]), codes.train.some(real), codes.test.labels
    assert asked is not None and known.labels is not None and tested is not None  # noqa: PT018
    trained = {
        "samples": (samples[:count], asked),
        "reconstructions": (images_of(tokenizer, known.index), known.labels),
        "train": (dataset.train[real], known.labels),
    }
    seed = derive_seed("classifier", config["seed"])
    found: Metrics = {}
    for of, (images, labels) in trained.items():
        network = train(images, labels, config["classes"], config["classifier"], seed, tokenizer.device)
        found[f"{of}_trained_accuracy"] = accuracy(network, dataset.test, tested, tokenizer.device)
    return found


def train(
    images: Tensor, labels: Tensor, classes: int, settings: dict[str, Any], seed: int, device: torch.device
) -> SmallClassifier:
    """One trained on uint8 ``images [N, C, H, W]`` of ``labels [N]``: AdamW, a short warm-up, a cosine to zero."""
    steps, images, labels = settings["steps"], images.to(device), labels.to(device)
    with torch.enable_grad(), torch.random.fork_rng(devices=[]):
        seed_torch(seed)
        network = SmallClassifier(images.shape[1], classes).to(device).train()
        optimizer = torch.optim.AdamW(network.parameters(), LEARNING_RATE, weight_decay=WEIGHT_DECAY)
        shape = {"steps": steps, "warmup_steps": steps // 10, "schedule": "cosine", "final_share": 0.0}
        scheduler = LambdaLR(optimizer, rate_factor(shape))
        batches = Batches(len(images), settings["batch_size"], seed)
        for step in range(steps):
            chosen = batches.indices(step).to(device)
            loss = F.cross_entropy(network(_inputs(images[chosen])), labels[chosen])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            scheduler.step()
    return network.eval()


@torch.no_grad()
def accuracy(network: SmallClassifier, images: Tensor, labels: Tensor, device: torch.device) -> float:
    """Share of uint8 ``images`` whose class the network says."""
    said = torch.cat([network(_inputs(batch.to(device))).argmax(1) for batch in images.split(500)])
    return float((said == labels.to(device)).double().mean())


def _inputs(images: Tensor) -> Tensor:
    return images.float() / 127.5 - 1
