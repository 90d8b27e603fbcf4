"""What an image costs in bits, where runs differ in how many codes it takes: from what their records hold."""

import pandas as pd

from benchmark.metrics.catalogue import Metric

BITS, ENTROPY = "bits_per_image", "entropy_per_image"
RATES = {
    BITS: Metric("Rate", "bits of all codes of an image", ",.0f", unit="bits/image"),
    ENTROPY: Metric(
        "Entropy rate", "entropy of code frequencies times positions of an image", ",.1f", unit="bits/image"
    ),
}
"""No direction: what bits buy is told by the error beside them."""
_OF = ["tokens", "n_images", "bits_per_position", "entropy_bits"]


def with_rates(cells: pd.DataFrame) -> pd.DataFrame:
    """``cells`` with a column for each of `RATES`, where the runs that ended well differ in positions an image."""
    if not set(_OF) <= set(cells.columns):
        return cells
    positions = cells["tokens"] / cells["n_images"]
    if positions[cells["status"] == "ok"].nunique() < 2:
        return cells
    bits, entropy = positions * cells["bits_per_position"], positions * cells["entropy_bits"]
    return cells.assign(**{BITS: bits, ENTROPY: entropy})
