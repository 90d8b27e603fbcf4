"""Text that is laid out once a renderer: Matplotlib lays every label out anew each time that it asks for its extent."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from weakref import WeakKeyDictionary

from matplotlib.text import Text

Layouts = dict[tuple[Any, ...], Any]
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
"""What a layout depends on, beside the font, the dots per inch and the renderer."""


@contextmanager
def shared_layouts() -> Iterator[None]:
    """Within it texts that look alike are laid out once a renderer: the same picture to the last byte, in less time.

    A text whose layout depends on where it stands is laid out as without. Where Matplotlib's texts are others than
    those of 3.11.2, nothing changes.
    """
    kind: Any = Text
    lay_out = getattr(kind, "_get_layout", None)
    if lay_out is None or not {*_READ, "_fontproperties"} <= set(vars(Text())):
        yield
        return
    known: WeakKeyDictionary[Any, Layouts] = WeakKeyDictionary()

    def remembered(text: Any, renderer: Any) -> Any:
        if text.get_wrap() or text.get_transform_rotates_text():
            return lay_out(text, renderer)
        read = vars(text)
        look = (*(read[name] for name in _READ), hash(read["_fontproperties"]), text.get_figure(root=True).dpi)
        layouts = known.setdefault(renderer, {})
        if look not in layouts:
            layouts[look] = lay_out(text, renderer)
        return layouts[look]

    kind._get_layout = remembered
    try:
        yield
    finally:
        kind._get_layout = lay_out
