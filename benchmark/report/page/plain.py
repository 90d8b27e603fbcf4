"""Values of records as JSON that a page can carry: text is nothing but text, and there is no NaN."""

import json
import math
from typing import Any

from benchmark.records.plain import printable


def plain(value: Any) -> Any:
    """``value`` with NaN as None, infinities as the text ``Infinity`` and control characters as escapes."""
    if isinstance(value, dict):
        return {printable(str(name)): plain(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [plain(inner) for inner in value]
    if isinstance(value, str):
        return printable(value)
    if isinstance(value, float) and not math.isfinite(value):
        return None if math.isnan(value) else ("Infinity" if value > 0 else "-Infinity")
    return value


def script_json(value: Any) -> str:
    """`plain` JSON for a ``<script>`` element, which no text in it can end."""
    dumped = json.dumps(plain(value), ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return dumped.replace("<", "\\u003c").encode("utf-8", "replace").decode()
