"""What is wrong with a file is said with its place."""

from pathlib import Path

import pytest

from benchmark.document import Document
from benchmark.records.files import UnwritableError


def test_an_error_gets_its_place_and_stays_what_it_is(tmp_path: Path):
    file = tmp_path / "suite.yaml"
    file.write_text("seeds: 2\nmethods:\n  - simvq\n")
    with pytest.raises(UnwritableError) as caught, Document(file).at("methods", 0):
        raise UnwritableError("the disk is full", tmp_path)
    assert str(caught.value) == f"{file}:3: the disk is full"
    assert caught.value.path == tmp_path
