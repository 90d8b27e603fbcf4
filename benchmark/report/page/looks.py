"""The plots' colours, markers and lines as a browser draws them, also on a dark ground."""

from typing import Any

from matplotlib.colors import to_hex, to_rgb

from benchmark.report.style import Style

_DARK_GROUND = "#15171c"
_LEAST_CONTRAST = 3.6
"""Of a mark beside the dark ground; WCAG 2.1 asks for 3."""
_SHAPES = {
    "o": "circle",
    "s": "square",
    "^": "triangle-up",
    "D": "diamond",
    "v": "triangle-down",
    "P": "cross",
    "X": "M-.4,-1L0,-.6L.4,-1L1,-.4L.6,0L1,.4L.4,1L0,.6L-.4,1L-1,.4L-.6,0L-1,-.4Z",
    "<": "triangle-left",
    ">": "triangle-right",
    "h": "M0,-1L.87,-.5L.87,.5L0,1L-.87,.5L-.87,-.5Z",
    "*": "M0,-1.2L.28,-.39L1.14,-.37L.46,.15L.71,.97L0,.48L-.71,.97L-.46,.15L-1.14,-.37L-.28,-.39Z",
    "p": "M0,-1L.95,-.31L.59,.81L-.59,.81L-.95,-.31Z",
    "d": "M0,-1L.6,0L0,1L-.6,0Z",
}
"""By matplotlib's marker: a symbol of Vega, or an outline within -1 to 1."""
_LINE_WIDTH = 1.6
"""In which matplotlib counts dashes."""


def look(style: Style) -> dict[str, Any]:
    """``colour`` on white, ``dark`` on the dark ground, ``shape`` and ``dash`` of one arm."""
    dashes = () if style.line == "-" else style.line[1]
    return {
        "colour": style.colour,
        "dark": on_dark(style.colour),
        "shape": _SHAPES[style.marker],
        "dash": [round(length * _LINE_WIDTH, 1) for length in dashes],
    }


def on_dark(colour: str) -> str:
    """``colour``, mixed with as little white as sets it apart from the dark ground."""
    for percent in range(0, 100, 4):
        share = percent / 100
        red, green, blue = (share + (1 - share) * part for part in to_rgb(colour))
        if contrast((red, green, blue), to_rgb(_DARK_GROUND)) >= _LEAST_CONTRAST:
            return to_hex((red, green, blue))
    return "#ffffff"


def contrast(one: tuple[float, float, float], other: tuple[float, float, float]) -> float:
    """The contrast ratio of WCAG 2.1, 1 to 21, of two sRGB colours in [0, 1]."""
    darker, lighter = sorted(map(_luminance, (one, other)))
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(colour: tuple[float, float, float]) -> float:
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in colour)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
