"""The harness: suites in, one record a run, tables and plots out.

From Python: ``from benchmark import plan, run, load_results, load_history, load_counts, make_tables, measure``.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from benchmark.api import load_counts, load_history, load_results, make_tables, measure, plan, run

__all__ = ["load_counts", "load_history", "load_results", "make_tables", "measure", "plan", "run"]


def __getattr__(name: str) -> Any:
    """What the package offers, imported when it is asked for: importing the package itself costs nothing.

    Raises:
        MissingPackageError: it needs the extra `reports`; `measure` of codes does not.
    """
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from benchmark.extras import extras_named

    with extras_named():
        return getattr(import_module("benchmark.elsewhere" if name == "measure" else "benchmark.api"), name)
