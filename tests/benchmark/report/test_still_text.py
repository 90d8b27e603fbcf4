"""Layouts of text that are remembered: the same picture to the last byte, and what changes is laid out anew."""

import io
from typing import Any

import matplotlib
import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text

from benchmark.report.still_text import shared_layouts
from benchmark.report.style import RC


def _bytes(suffix: str) -> bytes:
    figure = Figure(figsize=(5, 3), layout="constrained")
    for number, axis in enumerate(figure.subplots(2, 2, sharex=True).flat):
        axis.plot([1, 10, 1000], [number, 1e-7 * number, 2e-7], label=f"curve {number}")
        axis.set(xscale="log", title=f"β → {number}\nsecond line", ylabel="Error")
        axis.text(10, 1e-7, "the same", rotation=30 * number, ha=("left", "right")[number % 2])
    figure.legend(loc="outside right upper")
    content = io.BytesIO()
    figure.savefig(content, format=suffix, metadata={"CreationDate": None} if suffix == "pdf" else None)
    return content.getvalue()


@pytest.mark.parametrize("suffix", ["png", "pdf"])
def test_the_picture_is_the_same_and_lays_out_less_often(suffix: str, monkeypatch: pytest.MonkeyPatch) -> None:
    kind: Any = Text
    lay_out, asked = kind._get_layout, [0]

    def counted(text: Any, renderer: Any) -> Any:
        asked[0] += 1
        return lay_out(text, renderer)

    monkeypatch.setattr(kind, "_get_layout", counted)
    with matplotlib.rc_context(RC):
        plain, often = _bytes(suffix), asked[0]
        asked[0] = 0
        with shared_layouts():
            assert _bytes(suffix) == plain
        assert asked[0] < often / 2
    assert kind._get_layout is counted


def test_what_changes_is_laid_out_anew() -> None:
    figure = Figure()
    text = figure.text(0.5, 0.5, "word")
    changes: list[dict[str, Any]] = [
        {"text": "longer word"},
        {"fontsize": 20},
        {"rotation": 45},
        {"ha": "right"},
        {"va": "top"},
        {"text": "two\nlines"},
        {"linespacing": 3},
    ]
    with shared_layouts():
        boxes = [text.get_window_extent().bounds]
        for change in changes:
            text.set(**change)
            boxes.append(text.get_window_extent().bounds)
        figure.set_dpi(200)
        boxes.append(text.get_window_extent().bounds)
    assert len(set(boxes)) == len(boxes)
    assert boxes[-1] == text.get_window_extent().bounds
