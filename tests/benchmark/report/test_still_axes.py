"""Remembered ticks and shared fonts: the same pictures to the last byte, and fonts that hold what was written."""

import io
from importlib import import_module
from typing import Any

import matplotlib
import pytest
from fontTools.ttLib import TTFont
from matplotlib.backends import _backend_pdf_ps
from matplotlib.figure import Figure
from matplotlib.transforms import Bbox

from benchmark.report.pdf_fonts import shared_subsets
from benchmark.report.still_axes import hold_still
from benchmark.report.style import RC


def _figure(panels: int = 1) -> Figure:
    """With as many panels, and the hole that one more has left."""
    figure = Figure(figsize=(2 + panels, 2), layout="constrained")
    axes = figure.subplots(1, panels + 1, sharex=True)
    for number, axis in enumerate(axes):
        axis.plot([1, 10, 1000], [number, 1e-7 * number, 2e-7])
        axis.set(xscale="log", title=f"β → {number}", xlabel="Step", ylabel="Error")
    axes[panels].remove()
    figure.suptitle("above")
    return figure


def _bytes(figure: Figure, suffix: str = "png") -> bytes:
    layout = figure.get_layout_engine()
    assert layout is not None
    layout.execute(figure)
    figure.set_layout_engine(None)
    content = io.BytesIO()
    figure.savefig(content, format=suffix, metadata={"CreationDate": None} if suffix == "pdf" else None)
    return content.getvalue()


def test_the_picture_is_the_same_and_asks_for_its_ticks_less_often(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = [0]
    kind: Any = matplotlib.axis.Axis
    update = kind._update_ticks

    def counted(axis: Any) -> Any:
        asked[0] += 1
        return update(axis)

    monkeypatch.setattr(kind, "_update_ticks", counted)
    with matplotlib.rc_context(RC):
        plain, often = _bytes(_figure(2)), asked[0]
        still = _figure(2)
        hold_still(still)
        asked[0] = 0
        assert _bytes(still) == plain
        assert asked[0] < often / 2


def _moved(figure: Figure) -> Any:
    figure.canvas.draw()
    figure.axes[0].set_ylim(0, 123_456)
    figure.canvas.draw()
    return _box(figure).get_points().tolist()


def _box(figure: Figure) -> Bbox:
    box = figure.axes[0].yaxis.get_tightbbox()
    assert box is not None
    return box


def test_what_moves_is_computed_anew() -> None:
    figure = _figure()
    hold_still(figure)
    assert _moved(figure) == _moved(_figure())
    box = _box(figure)
    box.x0 = -1  # as Matplotlib does with boxes that it got
    assert _box(figure).x0 != -1


@pytest.mark.skipif(not hasattr(_backend_pdf_ps, "SubsetResults"), reason="this Matplotlib cuts fonts in another way")
def test_pdf_files_share_a_subset_and_other_signs_get_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    cut: list[int] = []
    original = _backend_pdf_ps.get_glyphs_subset

    def counted(font: Any, glyphs: Any) -> Any:
        cut.append(len(glyphs))
        return original(font, glyphs)

    monkeypatch.setattr(_backend_pdf_ps, "get_glyphs_subset", counted)
    shared = import_module("benchmark.report.pdf_fonts")._subset
    shared.cache_clear()
    with matplotlib.rc_context(RC):
        with shared_subsets():
            first, second = _bytes(_figure(), "pdf"), _bytes(_figure(), "pdf")
            assert shared.cache_info().misses == 1
            assert first == second
            ligatures = Figure()
            ligatures.text(0.5, 0.5, "off, fi, fl: affine, baffle")
            assert b"FontFile2" in _bytes_of(ligatures)
            assert cut == []
            other = Figure()
            other.text(0.5, 0.5, "♞ β")
            assert b"FontFile2" in _bytes_of(other)
            assert len(cut) == 1
        assert _backend_pdf_ps.get_glyphs_subset is counted


def _bytes_of(figure: Figure) -> bytes:
    content = io.BytesIO()
    figure.savefig(content, format="pdf")
    return content.getvalue()


@pytest.mark.skipif(not hasattr(_backend_pdf_ps, "SubsetResults"), reason="this Matplotlib cuts fonts in another way")
def test_the_shared_font_has_the_glyphs_where_it_says() -> None:
    from matplotlib.font_manager import FontProperties, fontManager
    from matplotlib.ft2font import FT2Font

    path = fontManager._find_fonts_by_props(FontProperties("DejaVu Sans"))[0]
    glyphs = {sign: FT2Font(path).get_char_index(ord(sign)) for sign in "AZaz09β→×"}
    whole = TTFont(str(path))
    with shared_subsets(), _backend_pdf_ps.get_glyphs_subset(path, set(glyphs.values())) as subset:
        assert isinstance(subset.font, TTFont)
        for sign, glyph in glyphs.items():
            place = subset.glyph_index_map[glyph]
            name = subset.font.getGlyphName(place)
            assert subset.font["hmtx"][name] == whole["hmtx"][whole.getBestCmap()[ord(sign)]]
