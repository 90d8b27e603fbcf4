"""A point a run: disguise, and distortion against rate."""

import itertools
from collections.abc import Callable

import numpy as np
from reported import ARMS, draw

Make = Callable[..., "SyntheticResults"]  # noqa: F821 - of conftest.py, which is no module


def test_disguise_has_a_point_a_run(synthetic: Make):
    figure = draw(synthetic(ARMS, sizes=(256, 1024), seeds=3, artefacts=False).folder, "disguise")
    assert figure is not None
    clouds = [cloud for cloud in figure.axes[0].collections if len(cloud.get_offsets()) == 6]
    assert len(clouds) == 3
    for cloud in clouds:
        usage, perplexity = np.asarray(cloud.get_offsets()).T
        assert (perplexity <= usage).all()


def test_rate_distortion_uses_the_error_that_is_there(synthetic: Make):
    made = synthetic(("vq_vae", "simvq"), sizes=(256, 1024), seeds=1, artefacts=False)
    figure = draw(made.folder, "rate_distortion")
    assert figure is not None
    assert figure.axes[0].get_ylabel() == "MSE ↓"
    for arm, size in itertools.product(("vq_vae", "simvq"), (256, 1024)):
        made.edit(arm, size, 0, metrics={"entropy_bits": 3.0, "quantization_error": 0.5})
    figure = draw(made.folder, "rate_distortion")
    assert figure is not None
    assert figure.axes[0].get_ylabel() == "Quantization error ↓"
