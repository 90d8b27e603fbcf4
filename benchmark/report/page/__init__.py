"""A results folder as a page to look at: answer, charts, comparisons, runs, in one HTML file that needs no network."""

from benchmark.report.page.library import charts
from benchmark.report.page.site import write_site

__all__ = ["charts", "write_site"]
