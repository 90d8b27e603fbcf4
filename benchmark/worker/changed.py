"""What a run's key names is not, or no longer, what is there: not the run's fault, and no record of it."""

from collections.abc import Mapping
from typing import Any

from benchmark.data import Dataset
from methods.core.usage import UsageError


class ChangedError(UsageError):
    """A plug-in can't be loaded, or it, the data or the tokenizer of a prior are not those that a run's key names."""


def check_content(dataset: Dataset, options: Mapping[str, Any]) -> None:
    """ChangedError where the files are others than when a run was planned, whose key names their ``content``."""
    planned, found = options.get("content"), dataset.provenance.get("content")
    if planned not in (None, found):
        raise ChangedError(f"the files of data set `{options['name']}` were changed since the run was planned")
