"""Some arms and codebook sizes of a results folder, as if it held no others."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pandas as pd

from benchmark.report.frame import Results
from benchmark.report.places import axes_of, place_of, places_of


def selected(results: Results, arms: Sequence[str] | None, sizes: Sequence[int] | None) -> Results:
    """``results`` with these ``arms``, in this order, at these ``sizes``; all where None.

    What is not there is passed over, for a suite may be run in part: `declarations.check_arms` knows typing errors.
    Comparisons, notes and axes are those of what is left.
    """
    if arms is None and sizes is None:
        return results
    entries = {entry["arm"]: entry for entry in results.plan["arms"]}
    kept = [arm for arm in (results.arms if arms is None else arms) if arm in entries]
    at = [size for size in results.plan["codebook_sizes"] if sizes is None or size in sizes]
    chosen = results.cells["arm"].isin(kept) & results.cells["codebook_size"].isin(at)
    planned = [cell for cell, keep in zip(results.plan["cells"], chosen, strict=True) if keep]
    left_out = len(entries) - len(kept)
    plan = {
        **results.plan,
        "arms": [entries[arm] for arm in kept],
        "codebook_sizes": at,
        "cells": planned,
        "left_out": results.plan.get("left_out", 0) + left_out,
    }
    axes = axes_of(plan)
    places = places_of(axes)
    index = {place: number for number, place in enumerate(places)}
    cells = results.cells[chosen].assign(place=[index[place_of(cell)] for cell in planned])

    def chosen_of(priors: pd.DataFrame, planned: list[dict[str, Any]]) -> tuple[pd.DataFrame, list[dict[str, Any]]]:
        """Those of the arms and sizes that are wanted, and their places in the plan."""
        keeps = priors["arm"].isin(kept) & priors["codebook_size"].isin(at)
        standing = [cell for cell, keep in zip(planned, keeps, strict=True) if keep]
        return priors[keeps].assign(place=[index[place_of(cell)] for cell in standing]), standing

    priors, second = results.priors, results.second
    if len(priors):
        priors, plan["priors"] = chosen_of(priors, plan["priors"])
    if len(second):
        second, standing = chosen_of(second, plan["second"]["priors"])
        plan["second"] = {**plan["second"], "priors": standing}
    shown = replace(results, plan=plan, cells=cells, priors=priors, second=second, axes=axes, places=places)
    return replace(shown, in_order=arms is not None)
