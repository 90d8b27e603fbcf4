"""Fonts in PDF files: one subset of a font for all plots, since cutting one out anew takes a fourth of a report."""

from collections.abc import Callable, Collection, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import cache
from io import BytesIO
from typing import Any

from matplotlib.backends import _backend_pdf_ps
from matplotlib.ft2font import FT2Font

Cut = Callable[[Any, Collection[int]], AbstractContextManager[Any]]
backend: Any = _backend_pdf_ps
_SIGNS = (
    *range(0x20, 0x7F),  # ASCII
    *range(0xA0, 0x180),  # Latin-1 and Latin Extended-A
    *range(0x391, 0x3CA),  # Greek
    *map(ord, "–—‘’“”†‡•…‰′″₀₁₂₃₄₅₆₇₈₉⁰⁴⁵⁶⁷⁸⁹⁻⁺ℓ←↑→↓↔∂∏∑−√∞≈≠≤≥"),
    *range(0xFB00, 0xFB05),  # ligatures, into which Matplotlib shapes "fi" and the like
)
"""What plots are written with. The same for all, so that a file does not depend on those before it."""


@contextmanager
def shared_subsets() -> Iterator[None]:
    """Within it PDF files embed the signs that plots are written with, cut out of their font once a process.

    A text with other glyphs gets a subset of its own, as without. Where Matplotlib cuts fonts in another way than
    3.11.2 does, nothing changes.
    """
    cut_anew: Cut | None = getattr(backend, "get_glyphs_subset", None)
    if cut_anew is None or not hasattr(backend, "SubsetResults"):
        yield
        return

    def subset(font: Any, glyphs: Collection[int]) -> AbstractContextManager[Any]:
        data, places = _subset(font)
        if not places.keys() >= set(glyphs):
            return cut_anew(font, glyphs)
        from fontTools.ttLib import TTFont

        whole = TTFont(BytesIO(data), recalcBBoxes=False, recalcTimestamp=False)
        shared: AbstractContextManager[Any] = backend.SubsetResults(whole, places)._as_cm()
        return shared

    backend.get_glyphs_subset = subset
    try:
        yield
    finally:
        backend.get_glyphs_subset = cut_anew


@cache
def _subset(font: Any) -> tuple[bytes, dict[int, int]]:
    """A font file with the signs, and where their glyphs are in it.

    Without what shapes and places glyphs, which Matplotlib has done and a PDF doesn't do: to follow it takes most of
    the time of a cut.
    """
    from fontTools import subset

    options = subset.Options(glyph_names=True, recommended_glyphs=True, font_number=font.face_index)
    options.drop_tables += ["GDEF", "GPOS", "GSUB", "kern", "MATH", "FFTM", "PfEd", "meta"]
    whole = FT2Font(font)
    with subset.load_font(font, options) as found:
        subsetter = subset.Subsetter(options)
        subsetter.populate(gids={whole.get_char_index(sign) for sign in _SIGNS})
        subsetter.subset(found)
        return backend.font_as_file(found).getvalue(), dict(subsetter.glyph_index_map)
