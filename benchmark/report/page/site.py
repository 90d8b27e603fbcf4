"""Writes pages: one file a suite and an index over all of them, from their records alone."""

from pathlib import Path
from typing import Any, NamedTuple

from benchmark.records.files import check_no_link, write_atomic
from benchmark.report.frame import read
from benchmark.report.grid import Grid
from benchmark.report.notes import credits_note
from benchmark.report.page.again import commands
from benchmark.report.page.content import content
from benchmark.report.page.details import details, order
from benchmark.report.page.document import facts_of, index_page, page, script
from benchmark.report.page.generation import generation, prior_order
from benchmark.report.page.media import media
from benchmark.report.page.plain import script_json
from methods.core.usage import UsageError

LIMIT = 2_900_000
"""Characters of a page. Only what can't be left out, the numbers of very many runs, goes beyond."""
_LEAST_DETAILS, _LEAST_MEDIA = 250_000, 100_000
_DETAILS_SHARE = 0.45

INDEX = "index.html"


class Site(NamedTuple):
    """The files that were ``written``, the index last, and a sentence for each record that is not counted."""

    written: list[Path]
    problems: list[str]


def write_site(folders: list[Path], out: Path, library: str, cards: dict[str, dict[str, Any]], *, index: bool) -> Site:
    """Write the page of each folder of results into ``out``, and with ``index`` the index over them.

    Args:
        library: the script that draws charts (`library.charts`).
        cards: fields of the cards of the methods that are known here, by name.

    Raises:
        UsageError: a folder has no plan, or the name of the index, or nothing can be written.
    """
    taken = next((folder for folder in folders if index and f"{folder.name}.html" == INDEX), None)
    if taken is not None:
        raise UsageError(f"the page of {taken} would have the name of the index, {INDEX}; rename that folder")
    linked = index or (out / INDEX).is_file()
    site = Site([], [])
    suites = []
    for folder in folders:
        data = page_data(folder, cards, room=LIMIT - len(library) - len(script()))
        name = f"{folder.name}.html"
        site.written.append(_write(out / name, page(data, library, linked)))
        site.problems.extend(data["problems"])
        facts = facts_of(data)
        suites.append({"file": name, "facts": facts, **{key: data[key] for key in ("suite", "question", "answer")}})
    if index:
        site.written.append(_write(out / INDEX, index_page(suites)))
    return site


def page_data(folder: Path, cards: dict[str, dict[str, Any]], room: int) -> dict[str, Any]:
    """All that the page of a folder of results holds, in about ``room`` characters.

    Raises:
        UsageError: there is no plan in it.
    """
    results = read(folder)
    grid = Grid(results)
    data, left_out = content(grid)
    methods = sorted({arm["method"] for arm in data["arms"]})
    data |= {
        "generation": generation(grid),
        "cards": {method: cards[method] for method in methods if method in cards},
        "again": commands(results),
    }
    room -= len(script_json(data))
    keys, priors = order(grid), prior_order(grid)
    own, less = details(results, keys, max(int(_DETAILS_SHARE * room), _LEAST_DETAILS))
    of_priors, lesser = details(results, priors, _LEAST_DETAILS) if priors else ({}, [])
    room -= len(script_json([own, of_priors]))
    pictures, samples, fewer = media(results, [*priors, *keys], max(room, _LEAST_MEDIA))
    return {
        **data,
        "details": own,
        "prior_details": of_priors,
        "media": pictures,
        "samples": samples,
        "credits": credits_note(results) if samples else [],
        "left_out": [*left_out, *less, *lesser, *fewer],
    }


def _write(path: Path, content: str) -> Path:
    check_no_link(path.parent)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(path, content)
    except OSError as error:
        raise UsageError(f"the page {path} can't be written: {error.strerror}") from error
    return path
