"""`python -m benchmark page`: where pages go, what is printed, and what is said where there is nothing."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from benchmark import cli
from benchmark.report import page
from benchmark.report.page import library
from methods.core.usage import UsageError

Make = Callable[..., "SyntheticResults"]  # noqa: F821 - of conftest.py, which is no module


def call(*arguments: str) -> int:
    with pytest.raises(SystemExit) as ended:
        cli.main(["page", *arguments])
    assert isinstance(ended.value.code, int)
    return ended.value.code


def test_pages_and_their_index(
    synthetic: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setattr(page, "charts", lambda: "")
    monkeypatch.chdir(tmp_path)
    made = synthetic(("vq_vae", "simvq"), sizes=(256,), seeds=1, artefacts=False, name="results/invented")
    made.record_path("vq_vae", 256, 0).write_text("{}")
    assert call("--results", "results") == 0
    printed = capsys.readouterr()
    assert printed.out.split() == ["results/page/invented.html", "results/page/index.html"]
    assert "not counted" in printed.err
    text = Path("results/page/invented.html").read_text()
    assert '"again":{"verify":"RUN=results/invented/runs/"' in text
    assert "nearest codeword" in text  # the idea on the card of vq_vae
    assert call("invented", "--results", "results", "--out", "site") == 0
    assert capsys.readouterr().out.split() == ["site/invented.html"]
    assert "index.html" not in Path("site/invented.html").read_text()


def test_without_results_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert call("quickstart", "--results", str(tmp_path)) == 2
    said = capsys.readouterr().err
    assert said == f"error: there are no results in {tmp_path}/quickstart; `make bench SUITE=...` makes them\n"


@pytest.mark.parametrize(("typed", "hint"), [("qiuckstart", " (did you mean `quickstart`?)"), ("nosuch", "")])
@pytest.mark.parametrize("command", ["page", "tables"])
def test_a_suite_that_is_not_there_is_met_with_those_that_are(
    command: str, typed: str, hint: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    for name in ("quickstart", "remedies"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "plan.json").write_text("{}")
    with pytest.raises(SystemExit) as ended:
        cli.main([command, typed, "--results", str(tmp_path)])
    assert ended.value.code == 2
    assert capsys.readouterr().err == (
        f"error: there are no results in {tmp_path}/{typed}{hint}; `make bench SUITE=...` makes them, and there are "
        "those of: quickstart, remedies\n"
    )


def test_without_the_package_one_sentence(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "vl_convert", None)
    library.charts.cache_clear()
    with pytest.raises(UsageError, match=r"need the package `vl-convert-python`; `make setup` installs it"):
        library.charts()
