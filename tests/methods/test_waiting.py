"""A training step must not wait for the device: no value of a tensor may decide what the host does next."""

import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode

from methods import available, create, get
from methods.parts import nearest

WAITING = {
    "affine_vq": "looks for overdue codewords",
    "cvq_vae": "looks for the codewords that move, which spares it searching for the others",
    "diveq": "counts the steps of its window",
    "hqa": "counts the steps to its next reset",
    "nsvq": "counts the steps of its window",
    "vector_quantize_pytorch": "the library asks at every step whether its codebook has its start",
    "vq_wae": "solves its transport problems on the host",
}


@pytest.mark.parametrize("name", sorted(set(available()) - set(WAITING)))
def test_a_training_step_reads_nothing_back_from_the_device(name, monkeypatch):
    """On tensors without values, which raise where a value is read."""
    monkeypatch.setattr(nearest, "_search_for", lambda device: (nearest.search_blocks, True))
    monkeypatch.setattr(nearest, "has_kernels", lambda device: False)
    size = min(4096, get(name).max_codebook_size or 4096)
    with FakeTensorMode(), torch.device("cuda"):
        quantizer = create(name, size, 16).train()
        latents = torch.empty(2, 7, 7, 16)
        for module in quantizer.modules():
            module._started = module._begun = True  # the one question a step may ask, the first time
        quantizer.anneal(0, 10)
        result = quantizer(latents)
        quantizer.after_step()
    assert result.latents.shape == latents.shape


def test_such_a_reading_would_be_noticed():
    with FakeTensorMode(), torch.device("cuda"), pytest.raises(Exception, match="_local_scalar_dense"):
        bool(torch.empty(3).sum() > 0)
