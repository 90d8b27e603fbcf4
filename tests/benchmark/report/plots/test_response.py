"""The response of the error to what was tuned."""

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from reported import ARMS, draw, legend_of

Make = Callable[..., "SyntheticResults"]  # noqa: F821 - of conftest.py, which is no module


def test_the_response_shows_every_rung_and_rings_the_choice(synthetic: Make):
    made = synthetic(ARMS, sizes=(256, 1024), seeds=1, artefacts=False)
    made.write_tuning((256, 1024))
    figure = draw(made.folder, "response")
    assert figure is not None
    assert [axis.get_title() for axis in figure.axes] == list(ARMS)
    assert legend_of(figure) == ["K = 256", "K = 1,024", "500 steps", "2,000 steps", "chosen"]
    panel = figure.axes[1]
    lines = [line for line in panel.get_lines() if len(line.get_xdata()) == 3]
    assert len(lines) == 4, "two values of the knob at two sizes"
    trials = pd.read_csv(made.folder / "tuning.csv")
    own = trials.query("arm == 'residual_vq' and codebook_size == 256 and rung == 1 and value == '0.25'")
    np.testing.assert_allclose(lines[0].get_xdata(), [3e-4, 1e-3, 3e-3])
    np.testing.assert_allclose(lines[0].get_ydata(), 10 * np.log10(own["validation_error"]))
    rings = [line for line in panel.get_lines() if line.get_markersize() == 10]
    longer = trials.query("arm == 'residual_vq' and rung == 2")["validation_error"].mean()
    assert [ring.get_xdata()[0] for ring in rings] == pytest.approx([1e-3] * 2)
    assert [ring.get_ydata()[0] for ring in rings] == pytest.approx([10 * np.log10(longer)] * 2)
    knobs = [
        [area.get_text() for area in artist.get_children()[0].get_children()]
        for axis in figure.axes
        for artist in axis.artists
    ]
    assert knobs == [[], ["beta", "0.25", "1"], ["beta", "0.1", "1"], []]


def test_a_trial_without_an_error_is_left_out(synthetic: Make):
    made = synthetic(("simvq",), sizes=(256,), seeds=1, artefacts=False)
    made.write_tuning((256,))
    path = made.folder / "tuning.csv"
    head, *rows = path.read_text().splitlines()
    path.write_text("\n".join([head, *rows[:-1], "simvq,256,1,500,1000,0.003,,,,0"]) + "\n")
    figure = draw(made.folder, "response")
    assert figure is not None
    np.testing.assert_allclose(figure.axes[0].get_lines()[0].get_xdata(), [3e-4, 1e-3])


@pytest.mark.parametrize(
    "content",
    [
        b"rubbish",
        b"",
        b"\xff\xfe\x00",
        b"arm,codebook_size,rung,steps,seed,learning_rate,parameter,value,validation_error,chosen\n"
        b"simvq,256,1,500,1000,fast,beta,1,0.1,0\n",
    ],
)
def test_a_damaged_file_of_trials_is_a_warning(synthetic: Make, content: bytes, caplog: pytest.LogCaptureFixture):
    made = synthetic(("simvq",), sizes=(256,), seeds=1, artefacts=False)
    assert draw(made.folder, "response") is None
    assert not caplog.text
    (made.folder / "tuning.csv").write_bytes(content)
    assert draw(made.folder, "response") is None
    assert "tuning.csv can't be used" in caplog.text
