"""How time grows with the codebook and with the number of latents: slopes on logarithmic axes."""

import numpy as np
import pandas as pd

_FEWEST = 2
_LARGE = 16384
"""Growth in K is that from this size on, where nothing but the product counts; from the start where sizes are small."""


def exponent(sizes: list[float], seconds: list[float]) -> float:
    """The b of seconds ~ sizes^b by least squares on logarithms."""
    slope, _ = np.polyfit(np.log(sizes), np.log(seconds), 1)
    return float(slope)


def growth(frame: pd.DataFrame) -> pd.DataFrame:
    """One row for every line of at least two measured shapes: group, contender, axis, what is fixed, exponent."""
    measured = frame[frame["seconds"].notna()]
    lines = []
    for axis, fixed in (("size", ["rows", "dim"]), ("rows", ["size", "dim"])):
        for (group, contender, *rest), line in measured.groupby(["group", "contender", *fixed], sort=False):
            line = line.sort_values(axis)
            if axis == "size" and (line["size"] >= _LARGE).sum() >= _FEWEST:
                line = line[line["size"] >= _LARGE]
            if len(line) < _FEWEST:
                continue
            labels = ["N" if name == "rows" else "K" if name == "size" else "D" for name in fixed]
            lines.append(
                {
                    "group": group,
                    "contender": contender,
                    "in": "K" if axis == "size" else "N",
                    "from": int(line[axis].iloc[0]),
                    "to": int(line[axis].iloc[-1]),
                    "at": ", ".join(f"{label} = {value:,}" for label, value in zip(labels, rest, strict=True)),
                    "exponent": exponent(list(line[axis]), list(line["seconds"])),
                }
            )
    return pd.DataFrame(lines, columns=["group", "contender", "in", "from", "to", "at", "exponent"])
