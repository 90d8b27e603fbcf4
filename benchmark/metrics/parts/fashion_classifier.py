"""A small classifier of Fashion-MNIST, whose features measure images of 28 pixels, and the command that trains it.

``python -m benchmark.metrics.parts.fashion_classifier`` writes the weights beside this file, on one core of a CPU.
What the metrics measure depends on every bit of them: `SHA256` names the file that is committed.
"""

import hashlib
import io
import sys
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from benchmark.records.files import checksum
from benchmark.seeds import seed_torch
from methods.core.usage import UsageError

WEIGHTS = Path(__file__).with_name("fashion_classifier.npz")
SHA256 = "89319ebb49f24b04a75bfcc2c00e75a16b22d68f6ef49ebf9a7450e6f64f9a38"
ITEM_SHAPE = (1, 28, 28)
CHANNELS = (16, 32, 48, 64)
NUM_FEATURES = CHANNELS[-1]
NUM_CLASSES = 10
EPOCHS, BATCH_SIZE, LEARNING_RATE, WEIGHT_DECAY, WARMUP = 12, 128, 5e-3, 1e-2, 0.1


class Network(nn.Module):
    """Four 3×3 convolutions with ReLU, 2×2 max-pooling between them, the mean over positions, a linear layer.

    Takes grey images ``[B, 1, 28, 28]`` in [-1, 1], gives logits ``[B, 10]``; 47,034 weights. Batch norms stand behind
    the convolutions in training alone: see `folded`.
    """

    def __init__(self, *, norms: bool) -> None:
        super().__init__()
        pairs = list(zip((1, *CHANNELS), CHANNELS, strict=False))
        self.convolutions = nn.ModuleList(nn.Conv2d(before, after, 3, padding=1) for before, after in pairs)
        self.norms = nn.ModuleList(nn.BatchNorm2d(after) if norms else nn.Identity() for after in CHANNELS)
        self.head = nn.Linear(NUM_FEATURES, NUM_CLASSES)

    def features(self, images: Tensor) -> Tensor:
        """The input of the last layer, ``[B, 64]``."""
        maps = images
        for level, (convolution, norm) in enumerate(zip(self.convolutions, self.norms, strict=True)):
            maps = F.relu(norm(convolution(self._halve(maps) if level else maps)))
        return maps.mean((2, 3))

    def _halve(self, maps: Tensor) -> Tensor:
        """2×2 max-pooling."""
        if self.training:
            return F.max_pool2d(maps, 2)
        # The same maxima in a seventh of the time; of equal values it would share the gradient.
        rows, columns = (size // 2 * 2 for size in maps.shape[2:])
        above, below = maps[:, :, :rows:2, :columns], maps[:, :, 1:rows:2, :columns]
        higher = torch.maximum(above, below)
        return torch.maximum(higher[..., ::2], higher[..., 1::2])

    def forward(self, images: Tensor) -> Tensor:
        """Logits."""
        return self.head(self.features(images))


def folded(network: Network) -> Network:
    """The same function as a trained ``network`` in eval mode, without batch norms."""
    plain = Network(norms=False)
    for level, (convolution, norm) in enumerate(zip(network.convolutions, network.norms, strict=True)):
        assert isinstance(convolution, nn.Conv2d)
        assert isinstance(norm, nn.BatchNorm2d)
        plain.convolutions[level] = fuse_conv_bn_eval(convolution, norm)
    plain.head = network.head
    return plain.eval().requires_grad_(False)


def load(device: torch.device, file: Path = WEIGHTS) -> Network:
    """The trained network. Building it draws no random numbers.

    Raises:
        UsageError: the file is missing or is not the one that is committed.
    """
    if not file.is_file():
        raise UsageError(
            f"the weights of the classifier of Fashion-MNIST, {file}, are missing; install this package again"
        )
    if checksum(file) != SHA256:
        raise UsageError(
            f"{file} does not hold the committed weights of the classifier of Fashion-MNIST: its SHA-256 begins with "
            f"{checksum(file)[:8]}, not {SHA256[:8]}; install this package again"
        )
    with np.load(file, allow_pickle=False) as archive:
        arrays = {name: torch.from_numpy(archive[name]).float() for name in archive.files}
    with torch.device("meta"):
        network = Network(norms=False)
    network.load_state_dict(arrays, assign=True)
    return network.eval().requires_grad_(False).to(device)


def train(images: Tensor, classes: Tensor, epochs: int) -> Network:
    """A network trained on ``images [N, 1, 28, 28]`` in [-1, 1] of ``classes [N]``, folded and rounded to fp16.

    AdamW, one cycle with a short warm-up and a cosine to zero; half of the images are mirrored. Deterministic on one
    thread of one kind of CPU. Seeds PyTorch.
    """
    seed_torch(0)
    network = Network(norms=True).train()
    steps = epochs * (len(images) // BATCH_SIZE)
    optimizer = torch.optim.AdamW(network.parameters(), LEARNING_RATE, weight_decay=WEIGHT_DECAY)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, LEARNING_RATE, total_steps=steps, pct_start=WARMUP)
    for epoch in range(epochs):
        order = torch.randperm(len(images))
        for chosen in order[: len(order) // BATCH_SIZE * BATCH_SIZE].split(BATCH_SIZE):
            mirrored = torch.rand(BATCH_SIZE, 1, 1, 1) < 0.5
            batch = torch.where(mirrored, images[chosen].flip(3), images[chosen])
            loss = F.cross_entropy(network(batch), classes[chosen])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
        print(f"epoch {epoch + 1} of {epochs}: loss {loss.item():.3f}", file=sys.stderr)
    return folded(network.eval()).half().float()


@torch.inference_mode()
def accuracy(network: Network, images: Tensor, classes: Tensor) -> float:
    """Share of ``images [N, 1, 28, 28]`` in [-1, 1] whose class is predicted."""
    predicted = torch.cat([network(batch).argmax(1) for batch in images.split(1000)])
    return float((predicted == classes).double().mean())


def save(network: Network, file: Path) -> str:
    """Write the weights, fp16; answers the SHA-256 of the file, which is the same for the same weights."""
    buffer = io.BytesIO()
    np.savez(buffer, **{name: tensor.half().contiguous().numpy() for name, tensor in network.state_dict().items()})
    file.write_bytes(buffer.getvalue())
    return hashlib.sha256(buffer.getvalue()).hexdigest()


def main() -> None:
    """Train on the 55,000 training images and write the weights."""
    from benchmark.data import datasets
    from benchmark.data.fashion_mnist import NAME, labels

    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    data, classes = datasets.create(NAME, {}), labels()
    network = train(data.to_input(data.train), classes.train, EPOCHS)
    for split in ("validation", "test"):
        share = accuracy(network, data.to_input(getattr(data, split)), getattr(classes, split))
        print(f"{split} accuracy: {share:.2%}")
    sha256 = save(network, WEIGHTS)
    print(f"{WEIGHTS}: {WEIGHTS.stat().st_size:,} bytes, SHA-256 {sha256}")
    if sha256 != SHA256:
        print("not the committed weights: a change of SHA256 in this module makes other metrics of them")


if __name__ == "__main__":
    main()
