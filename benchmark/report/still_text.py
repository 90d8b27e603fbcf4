"""Text that is laid out once for all plots: Matplotlib lays a label out anew each time that it asks for its extent."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from matplotlib.text import Text

_READ = (
    "_text",
    "_usetex",
    "_parse_math",
    "_linespacing",
    "_rotation",
    "_rotation_mode",
    "_horizontalalignment",
    "_verticalalignment",
    "_multialignment",
)
"""What a layout depends on, beside the font, the dots per inch and the kind of renderer."""


@contextmanager
def shared_layouts() -> Iterator[None]:
    """Within it texts that look alike are laid out once a kind of renderer: the same pictures to the last byte.

    What Matplotlib is set to must stay the same meanwhile. A text whose layout depends on where it stands is laid out
    as without; where Matplotlib's texts are others than those of 3.11.2, all are.
    """
    kind: Any = Text
    lay_out = getattr(kind, "_get_layout", None)
    if lay_out is None or not {*_READ, "_fontproperties"} <= set(vars(Text())):
        yield
        return
    layouts: dict[tuple[Any, ...], Any] = {}

    def remembered(text: Any, renderer: Any) -> Any:
        if text.get_wrap() or text.get_transform_rotates_text():
            return lay_out(text, renderer)
        read = vars(text)
        look = (*(read[name] for name in _READ), hash(read["_fontproperties"]), text.get_figure(root=True).dpi)
        look += (type(renderer), type(getattr(renderer, "_renderer", None)), getattr(renderer, "dpi", None))
        if look not in layouts:
            layouts[look] = lay_out(text, renderer)
        return layouts[look]

    kind._get_layout = remembered
    try:
        yield
    finally:
        kind._get_layout = lay_out
