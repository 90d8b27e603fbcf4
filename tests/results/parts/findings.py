"""What the tests of findings share: the printed tables and sentences, and the records' summaries."""

import re
from pathlib import Path

import pandas as pd
import scipy.stats

ROOT = Path(__file__).parents[3]
REFERENCE = ROOT / "results" / "reference"
FINDINGS, FIRST_PAGE, LIBRARIES = (
    " ".join((ROOT / page).read_text(encoding="utf-8").split())
    for page in ("results/README.md", "README.md", "docs/libraries.md")
)


def runs(suite: str) -> pd.DataFrame:
    return pd.read_csv(REFERENCE / suite / "summary.csv")


def table(document: str, after: str) -> dict[str, list[str]]:
    """The cells of each arm in the first table after a text of a document."""
    text = (ROOT / document).read_text(encoding="utf-8")
    assert text.count(after) == 1, after
    rows = re.search(r"(?:^\|.*\n)+", text.split(after)[1], re.MULTILINE)
    assert rows is not None
    lines = [[cell.strip() for cell in line.strip("|").split("|")] for line in rows[0].splitlines()[2:]]
    return {first.removesuffix("(reference)").strip().strip("`"): others for first, *others in lines}


def printed(pattern: str) -> list[float]:
    """The numbers that a pattern, in which # stands for a number, finds in the findings exactly once."""
    found = re.findall(re.escape(pattern).replace(r"\#", r"([−\d.,]*\d)"), FINDINGS)
    assert len(found) == 1, (pattern, found)
    numbers = found[0] if isinstance(found[0], tuple) else (found[0],)
    return [float(number.replace(",", "").replace("−", "-")) for number in numbers]


def over(mean: pd.Series, best: pd.Series) -> str:
    """How far an error is above that of k-means, as the tables of clustering print it."""
    return f"{100 * (mean.quantization_error / best.quantization_error - 1):+z.1f} %".replace("-", "−")


def with_interval(values: pd.Series, places: int) -> str:
    """Mean and half the width of the 95 % Student-t interval."""
    half = scipy.stats.t.ppf(0.975, len(values) - 1) * values.std() / len(values) ** 0.5
    return f"{values.mean():.{places}f} ± {half:.{places}f}"
