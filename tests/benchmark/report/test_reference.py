"""The committed results: their tables come out of their records again, byte for byte."""

from pathlib import Path

import pytest

from benchmark.report.build import Grids, table_of
from benchmark.report.declarations import tables_of
from benchmark.report.frame import read
from benchmark.report.tables import TABLES

REFERENCE = Path(__file__).parents[3] / "results" / "reference"
FOLDERS = sorted(plan.parent.name for plan in REFERENCE.glob("*/plan.json"))


@pytest.mark.parametrize("name", FOLDERS)
def test_tables_are_those_of_the_records(name: str) -> None:
    folder = REFERENCE / name
    results = read(folder)
    assert not results.problems
    grids = Grids(results)
    built = [table_of(declaration, grids) for declaration in tables_of(results.plan["tables"], TABLES) or TABLES]
    tables = [table for table in built if table is not None]
    assert {path.name for path in (folder / "tables").iterdir()} == {
        f"{table.name}.{suffix}" for table in tables for suffix in ("md", "csv", "tex")
    }
    for table in tables:
        for suffix, content in (("md", table.markdown()), ("csv", table.csv()), ("tex", table.latex())):
            assert (folder / "tables" / f"{table.name}.{suffix}").read_text() == content, (table.name, suffix)
