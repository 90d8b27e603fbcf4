"""Seeds hashed from names, so that adding one thing changes no other thing's random numbers."""

import hashlib


def derive_seed(*names: object) -> int:
    """A 63-bit seed that depends on ``str`` of every name and on their order, and on nothing else."""
    joined = "\x1f".join(map(str, names))
    return int.from_bytes(hashlib.sha256(joined.encode()).digest()[:8], "big") >> 1


def seed_torch(seed: int) -> None:
    """Start torch's random numbers anew, on the CPU and on GPUs.

    Where there is no GPU, `torch.manual_seed` keeps for every kind of device the whole stack from which it was called.
    """
    import torch

    (torch.manual_seed if torch.cuda.is_available() else torch.default_generator.manual_seed)(seed)
