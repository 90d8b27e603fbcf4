"""Every name that a suite can say has an entry, whose example is one that a suite accepts; the page is of the code."""

import csv
import re
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from benchmark import files_page
from benchmark.cli import main
from benchmark.document import Document
from benchmark.entries import KINDS, REQUIRED, entries
from benchmark.report.paper import PaperFile
from benchmark.showing import reference_page
from benchmark.suite.file import validate
from benchmark.suite.schema import SuiteFile

Write = Callable[[dict[str, object] | str], str]
SECTIONS = (
    "dataset",
    "model",
    "objective",
    "training",
    "grid",
    "methods",
    "tuning",
    "evaluation",
    "tables",
    "plots",
    "generation",
    "needs",
    "seeds",
    "tuned",
)


def shown(*arguments: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(list(arguments))
    assert isinstance(ended.value.code, int)
    return ended.value.code


def test_the_page_is_written_from_the_code() -> None:
    page = (Path(__file__).parents[2] / "docs" / "reference.md").read_text(encoding="utf-8")
    assert page == reference_page(), "write it anew: python -m benchmark.showing > docs/reference.md"


def test_the_page_of_files_is_written_from_the_code_and_names_every_column() -> None:
    page = (Path(__file__).parents[2] / "docs" / "files.md").read_text(encoding="utf-8")
    assert page == files_page.files_page(), "write it anew: python -m benchmark.files_page > docs/files.md"
    assert not [line for line in page.splitlines() if line.endswith("|  |")]
    root = Path(__file__).parents[2] / "results" / "reference"
    with (root / "quickstart" / "summary.csv").open() as file:
        columns = next(csv.reader(file))
    told = set(re.findall(r"`([a-z0-9_]+)`", page))
    families = r".*_level_\d+|.*_undefined|(fd|kid)_.*|lpips_.*"
    assert {name for name in columns if not re.fullmatch(families, name)} <= told


@pytest.mark.parametrize("kind", KINDS)
def test_every_entry_says_what_it_is(kind: str, tiny: dict[str, object], write_suite: Write) -> None:
    for entry in entries([kind]):
        assert entry.sentence, entry
        assert all(option.name.isidentifier() and option.default for option in entry.options)
        untold = [option.name for option in entry.options if not option.about and option.name not in entry.text]
        assert not untold or entry.name == "vector_quantize_pytorch", f"{entry.name} does not say what {untold} are"
        if kind == "suites":
            continue
        example = yaml.safe_load(entry.example)
        if kind == "a file for a paper":
            PaperFile.model_validate(example)
            continue
        assert set(example) <= {"question", *SECTIONS}
        if kind != "tables" and "..." not in entry.example:
            validate(Document(Path(write_suite({**tiny, **example}))), {})


def test_parameters_are_of_a_method_and_known(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments, told in (
        (["simvq", "--set", "bet=1"], "error: `simvq` has no parameter `bet` (did you mean `beta`?)"),
        (["training", "--set", "steps=1"], "error: --set gives parameters of a method, which `training` is not"),
    ):
        with pytest.raises(SystemExit) as ended:
            main(["show", *arguments])
        assert ended.value.code == 2
        assert told in capsys.readouterr().err


def test_keys_have_types_defaults_and_meanings() -> None:
    [training] = [entry for entry in entries(["keys of a suite"]) if entry.name == "training"]
    options = {option.name: option for option in training.options}
    assert options["clip_norm"].default == "null"
    assert options["clip_norm"].about == "number or null; largest norm of all gradients together"
    assert options["schedule"].about.startswith("constant, cosine, linear or plateau; ")
    for section in entries(["keys of a suite"]):
        assert all(option.meaning for option in section.options), section.name
    [folder] = [entry for entry in entries(["data sets"]) if entry.name == "image_folder"]
    assert {option.name: option.default for option in folder.options} == {
        "path": "null",
        "size": REQUIRED,
        "limit": "null",
    }
    assert folder.example == "dataset: {name: image_folder, size: ...}"


@pytest.mark.parametrize("kind", KINDS)
def test_every_option_has_a_type_that_says_what_may_be_written(kind: str) -> None:
    words = r"(whole number|number|text|name|mapping|value|null|true|false|[a-z_0-9]+(, [a-z_0-9]+)*)"
    for entry in entries([kind]):
        for option in entry.options:
            assert option.type != "null", (entry.name, option)
            assert re.fullmatch(rf"(list( of {words}s( or {words}s)*)?|{words})( or {words})*", option.type), (
                entry.name,
                option,
            )


def test_a_section_says_that_it_is_one_and_where_its_keys_are_shown() -> None:
    keys = {entry.name: {option.name: option for option in entry.options} for entry in entries(["keys of a suite"])}
    assert keys["table"]["published"].about.startswith("mapping or null; rows of `results/published/")
    assert keys["table"]["published"].about.endswith("; see `published`")
    assert keys["generation"]["training"].about == "mapping; of every prior; see `generation_training`"
    assert keys["generation"]["guidance"].type == "mapping or null"
    assert keys["suite"]["methods"].about == "list of names or mappings; the arms; see `methods`"
    assert keys["suite"]["dataset"].type == "name or mapping"
    assert keys["methods"]["at"].about == "list of mappings; what differs at some places of the grid; see `at`"
    assert keys["table"]["sizes"].type == "list of whole numbers or null"


@pytest.mark.parametrize("name", [*SuiteFile.model_fields, "plot", "table", "style", "prior", *KINDS])
def test_every_key_and_kind_is_shown(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert shown("show", name) == 0
    printed = capsys.readouterr().out
    assert printed.startswith((f"{name} (keys of a suite)\n\n", f"{name}\n  "))
    if name == "dataset":
        assert "There are: " in printed
        assert ", `fashion_mnist`, " in printed


def test_one_name_of_several_kinds_shows_all_of_them(capsys: pytest.CaptureFixture[str]) -> None:
    assert shown("show", "usage") == 0
    printed = capsys.readouterr().out
    assert "usage (metrics)" in printed
    assert "usage (plots)" in printed
    assert shown("show", "trainin") == 2
    assert "nothing is called `trainin` (did you mean `training`?)" in capsys.readouterr().err
