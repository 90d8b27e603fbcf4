"""The one exception for what a person typed or supplied, and the suggestion it may carry."""

import difflib
from collections.abc import Iterable


class UsageError(ValueError):
    """Something a person can put right; its message is one sentence that says what and how."""


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """``" (did you mean `x`?)"`` for the known word nearest to ``word``, or an empty string."""
    close = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f" (did you mean `{close[0]}`?)" if close else ""
