"""How plots look: a method has its marker and, where no other of the plan has it, its colour everywhere; also for
colour-blind eyes and for grey print."""

import hashlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any

import matplotlib
from matplotlib.colors import to_hex, to_rgb

from benchmark.report.families import COLOURS, family_of

RC: Any = {
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "axes.titlesize": 9.5,
    "axes.labelsize": 9,
    "xtick.labelsize": 8,
    "ytick.labelsize": 8,
    "legend.fontsize": 8.5,
    "legend.frameon": False,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#e4e4e4",
    "grid.linewidth": 0.6,
    "axes.axisbelow": True,
    "axes.edgecolor": "#666666",
    "lines.linewidth": 1.6,
    "lines.markersize": 5.5,
    "pdf.fonttype": 42,
    "figure.dpi": 160,
    "savefig.dpi": 160,
}

CEILING: dict[str, Any] = {"color": "#555555", "linestyle": (0, (1, 1.5)), "linewidth": 1.2}
"""The line of what a uniform source would reach."""

_COLOURS = (
    "#0072b2",
    "#56b4e9",
    "#e69f00",
    "#009e73",
    "#cc79a7",
    "#882255",
    "#d55e00",
    "#332288",
    "#999933",
    "#44aa99",
)
"""Okabe and Ito's without yellow and black, then four of Paul Tol's muted set."""

_SPARE = ("#009e73", "#cc79a7", "#999933", "#332288", "#44aa99", "#56b4e9", "#882255", "#e69f00", "#d55e00", "#0072b2")
"""The same colours, those first that are least like others: what a method gets whose own another one has."""

_MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">", "h", "*")
_LINES: tuple[Any, ...] = ("-", (0, (5, 1.5)), (0, (5, 1.5, 1, 1.5)), (0, (1.5, 1.2)))
_KNOWN = (
    "vq_vae",
    "vq_vae_ema",
    "codebook_reset",
    "cvq_vae",
    "sq_vae",
    "residual_vq",
    "simvq",
    "vq_wae",
    "hqa",
    "affine_vq",
    "qinco",
    "sc_vae",
    "factorized_vq",
    "fsq",
    "lfq",
    "vqgan_lc",
    "ibq",
    "rotation_trick",
    "bsq",
    "gumbel_vq",
    "nsvq",
    "optvq",
    "wasserstein_vq",
    "fvq",
    "diveq",
    "residual_simvq",
)
"""The palette, append only: a method's place here is its look; others have one by a hash of their name."""

_SHADES = (("black", 0.0), ("black", 0.45), ("white", 0.45), ("black", 0.7))


MOST_IN_LEGEND = 10
"""Arms that a legend can tell apart; where there are more, each has its name beside it."""
_FEWEST_FAMILIES = 3


@dataclass(frozen=True)
class Style:
    """Colour, marker and line of one arm.

    ``family``: what its colour stands for, where that is not the arm itself; ``elsewhere``: it was only measured here.
    """

    colour: str
    marker: str
    line: Any
    family: str | None = None
    elsewhere: bool = False

    def label(self, arm: str) -> str:
        """How a figure names the arm of this look."""
        return f"{arm} (elsewhere)" if self.elsewhere else arm

    def curve(self) -> dict[str, Any]:
        """Arguments of a line with markers."""
        return {**self.point(), "linestyle": self.line}

    def point(self) -> dict[str, Any]:
        """Arguments of markers."""
        size = {"markersize": 9} if self.marker == "*" else {}  # its arms take little of the place it is given
        return {"color": self.colour, "marker": self.marker, "markeredgecolor": "white", "markeredgewidth": 0.6, **size}


_REFERENCE = Style("#888888", "p", (0, (4, 2)))
_REFERENCE_LINE = Style("#444444", "d", (0, (1, 1)))
"""A yardstick, and one that serves every codebook size and so is drawn as a line across."""


def method_style(method: str) -> Style:
    """The look of a method: by its place in the list, by a hash of its name for a plug-in."""
    if method in _KNOWN:
        index = _KNOWN.index(method)
    else:
        # Colours and markers have coprime counts: every index up to 110 is another pair.
        free = len(_COLOURS) * len(_MARKERS) - len(_KNOWN)
        index = len(_KNOWN) + int(hashlib.sha256(method.encode()).hexdigest(), 16) % free
    return Style(_COLOURS[index % len(_COLOURS)], _MARKERS[index % len(_MARKERS)], _LINES[index % len(_LINES)])


def arm_styles(arms: list[dict[str, Any]], size_free: Collection[str]) -> dict[str, Style]:
    """The look of every arm of a plan; those of ``size_free`` have one run for all codebook sizes.

    References are grey. Any other arm looks like its method; of methods that share a colour, the later in the list
    takes one that no method of the plan has, while there is one. Where arms share a method, the one named like it
    (else the first) does, and up to three others are shades of its colour with markers of their own; a larger family
    is an ablation and is coloured along one map of rising lightness, in the order of the plan.

    More arms than a legend can tell apart have the colours of their methods' families, where there are several.
    """
    families: dict[str, list[str]] = {}
    for arm in arms:
        families.setdefault(arm["method"], []).append(arm["arm"])
    references = {
        arm["method"]: _REFERENCE_LINE if arm["arm"] in size_free else _REFERENCE
        for arm in arms
        if arm.get("reference")
    }
    own = _without_clashes({method: references.get(method) or method_style(method) for method in families})
    styles: dict[str, Style] = {}
    for method, names in families.items():
        own_first = [method] * (method in names) + [name for name in names if name != method]
        styles |= _family(own[method], own_first)
    styles = _by_family(arms, styles) if is_crowded(styles) else styles
    elsewhere = {arm["arm"]: replace(styles[arm["arm"]], elsewhere=True) for arm in arms if arm.get("measured")}
    return styles | elsewhere


def is_crowded(styles: Mapping[str, Style]) -> bool:
    """Whether there are more arms than a legend can tell apart."""
    return len(styles) > MOST_IN_LEGEND


def _by_family(arms: list[dict[str, Any]], styles: dict[str, Style]) -> dict[str, Style]:
    """In the colours of families, of which each has no marker twice while there are enough."""
    families = {arm["arm"]: family_of(arm["method"]) for arm in arms}
    if len(set(families.values())) < _FEWEST_FAMILIES:
        return styles
    found: dict[str, Style] = {}
    for arm, family in families.items():
        taken = [look.marker for look in found.values() if look.family == family]
        own = styles[arm]
        marker = own.marker if own.marker not in taken else next((m for m in _MARKERS if m not in taken), own.marker)
        found[arm] = Style(COLOURS[family], marker, own.line, family)
    return found


def _without_clashes(own: Mapping[str, Style]) -> dict[str, Style]:
    looks: dict[str, Style] = {}
    clashes: list[str] = []
    for method in sorted(own, key=lambda name: _KNOWN.index(name) if name in _KNOWN else len(_KNOWN)):
        look = own[method]
        if look.colour in {other.colour for other in looks.values()}:
            clashes.append(method)
        looks[method] = look
    taken = {look.colour for look in looks.values()}
    free = [colour for colour in _SPARE if colour not in taken]
    looks |= {method: replace(looks[method], colour=colour) for method, colour in zip(clashes, free, strict=False)}
    return looks


def _family(own: Style, names: list[str]) -> dict[str, Style]:
    if len(names) == 1:
        return {names[0]: own}
    first = _MARKERS.index(own.marker) if own.marker in _MARKERS else 0
    looks = {}
    for index, name in enumerate(names):
        colour = _shade(own.colour, index) if len(names) <= len(_SHADES) else _on_map(index / (len(names) - 1))
        # Three steps on: neighbours in the list of markers belong to neighbours in the list of methods.
        marker = own.marker if index == 0 else _MARKERS[(first + 3 * index) % len(_MARKERS)]
        looks[name] = Style(colour, marker, _LINES[index % len(_LINES)] if index else own.line)
    return looks


def _on_map(share: float) -> str:
    red, green, blue, _ = matplotlib.colormaps["viridis"](0.92 * share)
    return to_hex((red, green, blue))


def _shade(colour: str, index: int) -> str:
    """``colour`` mixed with black or white."""
    other, share = _SHADES[index]
    red, green, blue = ((1 - share) * a + share * b for a, b in zip(to_rgb(colour), to_rgb(other), strict=True))
    return to_hex((red, green, blue))
