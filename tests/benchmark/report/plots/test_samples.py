"""What runs left to look at: reconstructions, speech, codewords."""

from collections.abc import Callable

import numpy as np
import pytest
from reported import ARMS, draw

from benchmark.report.frame import read

Make = Callable[..., "SyntheticResults"]  # noqa: F821 - of conftest.py, which is no module


def test_reconstructions_show_the_originals_once_and_the_largest_size(synthetic: Make):
    made = synthetic(("vq_vae", "simvq", "no_quantization"), sizes=(256, 1024), seeds=1)
    made.record_path("simvq", 1024, 0).unlink()
    figure = draw(made.folder, "reconstructions")
    assert figure is not None
    labels = [text.get_text() for text in figure.texts]
    assert labels == ["original", "vq_vae\nK = 1,024", "simvq\nK = 256", "no_quantization"]
    shown = [np.asarray(axis.images[0].get_array()) for axis in figure.axes]
    samples = read(made.folder).samples(made.key("vq_vae", 1024, 0))
    assert samples is not None
    np.testing.assert_array_equal(shown[0], samples[:28])
    np.testing.assert_array_equal(shown[1], samples[28:])


def test_speech_is_drawn_once_as_it_was_and_once_an_arm(synthetic: Make):
    made = synthetic(ARMS, sizes=(256, 1024), seeds=2)
    figure = draw(made.folder, "speech")
    assert figure is not None
    rows = [axis.get_ylabel() for axis in figure.axes[::2]]
    assert rows == ["original", "vq_vae\nK = 1,024", "residual_vq\nK = 1,024", "simvq\nK = 1,024", "no_quantization"]
    drawn = figure.axes[0].get_lines()[0]
    assert len(drawn.get_xdata()) == 2000
    assert max(drawn.get_xdata()) == pytest.approx(1999 / 8000)
    assert max(drawn.get_ydata()) == pytest.approx(0.3, abs=0.001)


def test_codewords_in_every_step_and_those_outside_counted(synthetic: Make):
    made = synthetic(("vq_vae", "simvq", "no_quantization"), sizes=(256,), seeds=1)
    folder = made.record_path("vq_vae", 256, 0).parent
    codewords = np.zeros((2, 5, 2))
    codewords[1, :3] = 100
    np.savez(folder / "snapshots.npz", steps=[0, 10], codewords=codewords, latents=np.eye(2))
    figure = draw(made.folder, "codewords")
    assert figure is not None
    first, second = figure.axes[:2]
    assert first.get_ylabel() == "vq_vae"
    assert (first.get_xlabel(), second.get_xlabel()) == ("", "3 outside")
    assert second.lines[1].get_xdata().tolist() == [100, 100, 100, 0, 0]


def test_codewords_of_the_first_level_say_so(synthetic: Make):
    made = synthetic(("vq_vae", "residual_vq"), sizes=(256,), seeds=1)
    for arm, codewords in (("vq_vae", 256), ("residual_vq", 4)):
        folder = made.record_path(arm, 256, 0).parent
        np.savez(folder / "snapshots.npz", steps=[0], codewords=np.zeros((1, codewords, 2)), latents=np.eye(2))
    figure = draw(made.folder, "codewords")
    assert figure is not None
    assert [axis.get_ylabel() for axis in figure.axes] == ["vq_vae", "residual_vq, level 1"]
