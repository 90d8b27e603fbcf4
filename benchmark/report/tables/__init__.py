"""The tables, by the names that suites use."""

from collections.abc import Callable

from benchmark.report.grid import Grid
from benchmark.report.table import Table
from benchmark.report.tables.by_size import distortion_by_size, metrics_by_size, usage_by_size
from benchmark.report.tables.comparison import comparison_table
from benchmark.report.tables.generation import generation_anchors_table, generation_table
from benchmark.report.tables.generation_priors import generation_priors_table
from benchmark.report.tables.length_agreement import length_agreement_table
from benchmark.report.tables.main import main_table
from benchmark.report.tables.paper import paper_table

Builder = Callable[[Grid], Table | None]

TABLES: dict[str, Builder] = {
    "main": main_table,
    "usage_by_size": usage_by_size,
    "distortion_by_size": distortion_by_size,
    "comparison": comparison_table,
    "length_agreement": length_agreement_table,
    "generation": generation_table,
    "generation_anchors": generation_anchors_table,
    "generation_priors": generation_priors_table,
}
"""A builder answers None where its table does not apply: one size only, nothing to compare, one length, no priors."""

__all__ = ["TABLES", "Builder", "metrics_by_size", "paper_table"]
