"""What the commands do that only read what runs have left, as `commands`. Needs no torch."""

import argparse
import sys
from dataclasses import asdict
from pathlib import Path

from benchmark.document import Document
from benchmark.hints import command
from benchmark.records.plain import one_line
from benchmark.records.store import folder_of_suite
from benchmark.report.write import tell, write_reports
from methods.core.usage import UsageError, did_you_mean


def tables(options: argparse.Namespace) -> int:
    """Write tables and plots from the records, training nothing."""
    if options.suite is not None and (paper := _paper(options.suite)) is not None:
        return _write_paper(paper, Path(options.results))
    write_reports(_folders(options))
    return 0


def page(options: argparse.Namespace) -> int:
    """Write pages to look at, one HTML file a suite and an index, from the records alone."""
    folders = _folders(options)
    from benchmark.report.page import charts, write_site  # and torch below, which other commands needn't wait for
    from methods.core.registry import METHODS, card_of

    out = Path(options.out) if options.out else Path(options.results) / "page"
    cards = {name: asdict(card_of(name)) for name in METHODS.names()}
    site = write_site(folders, out, charts(), cards, index=options.suite is None)
    tell(site.problems)
    for path in site.written:
        print(one_line(path))
    return 0


def _folders(options: argparse.Namespace) -> list[Path]:
    """Of results: of the suite that is named, or of all that have some."""
    root = Path(options.results)
    known = {plan.parent.name: plan.parent for plan in sorted(root.glob("*/plan.json"))}
    name = None if options.suite is None else _name(options.suite)
    wanted = root if name is None else folder_of_suite(root, name)
    folders = list(known.values()) if name is None else [known[name]] if name in known else []
    if not folders:
        hint = did_you_mean(name or "", known)
        others = f", and there are those of: {', '.join(known)}" if known else ""
        raise UsageError(f"there are no results in {wanted}{hint}; `make bench SUITE=...` makes them{others}")
    return folders


def _name(suite: str) -> str:
    """Of the folder of a suite, which may be named by its file."""
    return Path(suite).stem if suite.endswith((".yaml", ".yml")) else suite


def _paper(name: str) -> Document | None:
    """The file with tables and plots alone that ``name`` is; None for a suite, or its file."""
    if not name.endswith((".yaml", ".yml")):
        return None
    document = Document(Path(name).expanduser())
    keys = set(document.data) if isinstance(document.data, dict) else set()
    if "methods" in keys:
        return None
    from benchmark.report.paper import PaperFile  # and pandas and the plots
    from benchmark.suite.schema import SuiteFile

    of_suite = set(SuiteFile.model_fields) - set(PaperFile.model_fields)
    if {"tables", "plots"} & keys and not of_suite & keys:
        return document
    known = {**SuiteFile.model_fields, **PaperFile.model_fields}
    unknown = next((key for key in document.data if key not in known), None) if keys else None
    wrong = f"unknown key `{unknown}`{did_you_mean(unknown, known)}; " if unknown else ""
    where = document.where((unknown,)) if unknown else document.file
    raise UsageError(f"{where}: {wrong}a suite has the key `methods`, and a file for a paper `tables` or `plots`")


def _write_paper(document: Document, root: Path) -> int:
    from benchmark.report.paper import write_paper

    made = write_paper(document, root)
    for path in made.paths:
        if path.suffix in (".md", ".tex", ".png"):
            print(one_line(path))
    for problem in made.problems:
        print(one_line(f"error: {problem}"), file=sys.stderr)
    return int(bool(made.problems))


def thin(options: argparse.Namespace) -> int:
    """Remove the samples that no plot shows from a folder of results; its records say so."""
    from benchmark.report.thinning import thin_samples  # the whole report, which other commands needn't wait for

    thinned = thin_samples(Path(options.folder))
    for problem in thinned.problems:
        print(f"{one_line(problem)}; left as it is", file=sys.stderr)
    print(f"{options.folder}: samples of {len(thinned.keys):,} runs removed, {thinned.size / 1e6:.1f} MB")
    return int(bool(thinned.problems))


def merge(options: argparse.Namespace) -> int:
    """Take over runs that were made elsewhere."""
    from benchmark.records.merge import merge as take_over  # and torch below, which other commands needn't wait for
    from methods import available, get

    def version_of(method: str) -> int | None:
        return get(method).version if method in available() else None

    refused = 0
    for merged in take_over(Path(options.folder), Path(options.results), version_of):
        for sentence in merged.refused:
            print(one_line(f"refused: {sentence}"), file=sys.stderr)
        refused += len(merged.refused)
        print(one_line(f"{merged.suite}: {merged.sentence}"))
        if not merged.planned and (merged.taken or merged.unfinished):
            print(
                one_line(
                    f"{merged.suite}: no plan.json came along, from which tables are made; it is written by: "
                    + command("run", merged.suite.partition("@")[0], options)
                    + (", with the same --set" if "@" in merged.suite else "")
                )
            )
    return int(bool(refused))


def simulate(options: argparse.Namespace) -> int:
    """Simulate the comparison of arms: its false positives and what it finds."""
    from benchmark.report.simulation import write_simulation  # the whole report, which other commands needn't wait for

    for path in write_simulation(Path(options.results)):
        print(one_line(path))
    return 0
