"""The configuration of a training that takes a fraction of a second."""

from typing import Any


def small_config(method: str = "vq_vae", **training: Any) -> dict[str, Any]:
    """A dozen steps of a small network on colour images; ``training`` says otherwise."""
    settings = {
        "steps": 12,
        "batch_size": 5,
        "learning_rate": 1e-3,
        "optimizer": "adam",
        "momentum": 0.9,
        "warmup_steps": 4,
        "clip_norm": None,
        "ema_decay": None,
        "precision": "fp32",
    }
    return {
        "method": method,
        "params": {},
        "codebook_size": 16,
        "model": {"name": "conv", "width": 8, "latent_dim": 4, "residual_blocks": 1, "residual_width": 4},
        "objective": {"name": "squared_error", "normalise": True},
        "training": {**settings, **training},
        "seed": 0,
    }
