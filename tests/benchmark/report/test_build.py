"""A whole report: which files, the same bytes twice, and what a suite may declare."""

import re
from collections.abc import Callable

import pandas as pd
import pytest

from benchmark.report import build, check_plots, check_tables, read
from methods.core.usage import UsageError

Make = Callable[..., "SyntheticResults"]  # noqa: F821 - of conftest.py, which is no module


def written_twice(synthetic: Make, plots: list[str]) -> list[str]:
    """Build two folders with the same records; names of what was written, the same bytes in both."""
    first, second = (
        synthetic(("vq_vae", "residual_vq", "no_quantization"), sizes=(256, 1024), seeds=1, name=name)
        for name in ("first", "second")
    )
    first.edit_plan(plots=plots, tuned="9 trials an arm")
    second.edit_plan(plots=plots, tuned="9 trials an arm")
    names = [str(path.relative_to(first.folder)) for path in build(read(first.folder))]
    assert names == [str(path.relative_to(second.folder)) for path in build(read(second.folder))]
    for name in names:
        content = (first.folder / name).read_bytes()
        assert content == (second.folder / name).read_bytes(), name
        assert not re.search(rb"CreationDate|ModDate|Matplotlib v", content)
        assert str(first.folder).encode() not in content
    assert not list(first.folder.glob("*/.*")), "temporary files are gone"
    return names


def test_the_same_records_give_the_same_bytes(synthetic: Make):
    assert len(written_twice(synthetic, ["usage", "reconstructions"])) == 1 + 3 * 4 + 2 * 2


@pytest.mark.slow
def test_everything_is_the_same_bytes_twice(synthetic: Make):
    assert len(written_twice(synthetic, [])) == 1 + 3 * 4 + 2 * 12


def test_summary_has_one_row_a_run_in_the_order_of_the_plan(synthetic: Make):
    made = synthetic(("simvq", "vq_vae", "no_quantization"), sizes=(256, 1024), seeds=2, artefacts=False)
    made.edit_plan(tables=["main"], plots=["usage"])
    stranger = made.folder / "runs" / made.key("vq_vae", 1024, 1)
    made.edit_plan(cells=[cell for cell in made.plan["cells"] if cell["key"] != stranger.name])
    assert build(read(made.folder))[0] == made.folder / "summary.csv"
    summary = pd.read_csv(made.folder / "summary.csv")
    assert len(summary) == 10
    assert summary["arm"].tolist() == ["simvq"] * 4 + ["vq_vae"] * 3 + ["no_quantization"] * 2 + ["vq_vae"]
    assert summary["key"].iloc[-1] == stranger.name
    runs = read(made.folder).runs
    assert summary.set_index("key")["usage"].to_dict() == pytest.approx(runs["usage"].to_dict(), nan_ok=True, rel=0)


HOSTILE = '=HYPERLINK("x")\x1b]0;gone\x07\udc80\nsecond line'


def test_an_error_message_is_text_in_every_file(synthetic: Make):
    made = synthetic(("vq_vae", "simvq"), sizes=(256,), seeds=2, artefacts=False)
    made.edit_plan(tables=["main"], plots=["usage"])
    made.edit("simvq", 256, 1, status="failed", reason=HOSTILE, metrics={"=1+1": 0.5, "usage": -0.5})
    for path in build(read(made.folder)):
        if path.suffix not in (".png", ".pdf"):
            assert not set(path.read_text()) & set("\x1b\x07"), path
    summary = pd.read_csv(made.folder / "summary.csv", index_col="key")
    row = summary.loc[made.key("simvq", 256, 1)]
    assert row["reason"] == '\'=HYPERLINK("x")\\x1b]0;gone\\x07\\udc80\nsecond line'
    assert row["usage"] == -0.5
    assert row["'=1+1"] == 0.5
    assert r'failed: =HYPERLINK("x")\\x1b]0;gone\\x07\\udc80' in (made.folder / "tables" / "main.md").read_text()


def test_declared_tables_and_plots(synthetic: Make):
    made = synthetic(("vq_vae", "simvq"), sizes=(256, 1024), seeds=1, artefacts=False)
    ranks = {"name": "ranks", "metrics": ["effective_rank"]}
    made.edit_plan(tables=["main", ranks], plots=["usage", ranks])
    names = [path.name for path in build(read(made.folder))]
    assert names == [
        "summary.csv",
        *(f"{table}.{suffix}" for table in ("main", "ranks") for suffix in ("md", "csv", "tex")),
        *(f"{plot}.{suffix}" for plot in ("usage", "ranks") for suffix in ("png", "pdf")),
    ]


PUBLISHED = {"paper": "CVQ-VAE (ICCV 2023)", "methods": {"vq_vae": "VQ-VAE"}, "metrics": {"mse": "PSNR"}}


@pytest.mark.parametrize(
    ("declaration", "sentence"),
    [
        ("mian", "unknown table `mian` (did you mean `main`?)"),
        ({"name": "x"}, "a table is a name, or has `name` and one of `of`, `columns`, `metrics`"),
        ({"name": "x", "metrics": []}, "table `x`: `metrics` must have at least 1 entry, not 0"),
        (
            {"name": "../x", "metrics": ["mse"]},
            "table `../x`: the name must be a word of letters, digits and underscores",
        ),
        ({"name": "main", "metrics": ["mse"]}, "table `main`: one of that name is there already"),
        ({"name": "x", "columns": ["mse"]}, "table `x`: the key `title` is missing"),
        ({"name": "x", "title": "t", "columns": ["mse"], "formats": {"mse": "x"}}, "the format `x` is not like `.3f`"),
        ({"name": "x", "title": "t", "columns": ["mse"], "formats": {"ssim": ".1f"}}, "which is no column of it"),
        (
            {"name": "x", "title": "t", "columns": ["mse"], "arms": ["vq_vea"]},
            "`arms` names no arm: `vq_vea` (did you mean `vq_vae`?)",
        ),
        (
            {"name": "x", "title": "t", "columns": ["mse"], "relative_to": "simvq"},
            "`relative_to` names no arm: `simvq`",
        ),
        (
            {"name": "x", "title": "t", "columns": ["mse"], "published": {**PUBLISHED, "metrics": {"ssim": "SSIM"}}},
            "`published.metrics` names `ssim`, which is no column of it",
        ),
        (
            {"name": "x", "title": "t", "columns": ["mse"], "published": {**PUBLISHED, "methods": {"simvq": "S"}}},
            "`published.methods` names no arm: `simvq`",
        ),
        (
            {"name": "x", "title": "t", "columns": ["mse"], "published": {**PUBLISHED, "paper": "nope"}},
            "there are no published figures of the paper 'nope'",
        ),
        (
            {"name": "x", "title": "t", "columns": ["mse"], "published": {**PUBLISHED, "methods": {"vq_vae": "VQ"}}},
            "CVQ-VAE (ICCV 2023) has no published method `VQ`; there are: ",
        ),
        (
            {
                "name": "x",
                "title": "t",
                "columns": ["mse"],
                "published": {**PUBLISHED, "where": {"codebook_size": "{codebook_size:s}"}},
            },
            "`{codebook_size:s}` of published figures does not suit 256",
        ),
        ({"name": "x", "metrics": ["psrn"]}, "there is no metric `psrn` (did you mean `psnr`?)"),
    ],
)
def test_a_wrong_declaration_is_one_sentence(declaration, sentence: str):
    with pytest.raises(UsageError, match=re.escape(sentence)):
        check_tables([declaration], ["vq_vae"], {"codebook_size": 256})


def test_a_plot_that_is_not_there_is_told_as_such():
    with pytest.raises(UsageError, match="unknown plot `usages`"):
        check_plots(["usages"], [], [])


def test_a_bad_record_changes_nothing_but_its_own_cell(synthetic: Make):
    made = synthetic(("vq_vae", "simvq"), sizes=(256,), seeds=2, artefacts=False)
    made.edit_plan(tables=["main"], plots=["usage"])
    made.record_path("simvq", 256, 1).write_text('{"schema": 1, "key": "')
    build(read(made.folder))
    table = (made.folder / "tables" / "main.md").read_text()
    assert "(a) 1 of 2 not run yet" in table
    assert len(pd.read_csv(made.folder / "summary.csv")) == 3


def test_nothing_run_yet(synthetic: Make):
    made = synthetic(("vq_vae",), sizes=(256, 1024), seeds=1, artefacts=False)
    for path in made.folder.glob("runs/*/record.json"):
        path.unlink()
    names = {path.name for path in build(read(made.folder))}
    assert names == {"summary.csv", "main.md", "main.csv", "main.tex"}
    assert (made.folder / "summary.csv").read_text().startswith("key,arm,method")


@pytest.mark.slow
def test_a_thousand_records(synthetic: Make):
    sizes = (256, 512, 1024, 2048, 4096)
    made = synthetic(
        ("vq_vae", "vq_vae_ema", "codebook_reset", "cvq_vae", "simvq"), sizes=sizes, seeds=40, artefacts=False
    )
    made.edit_plan(plots=["disguise"])
    build(read(made.folder))
    summary = pd.read_csv(made.folder / "summary.csv")
    assert len(summary) == 1000
    main = pd.read_csv(made.folder / "tables" / "main.csv")
    assert main["n"].tolist() == [40] * 25
    wanted = summary.groupby(["codebook_size", "arm"])["usage"].mean()
    found = main.set_index(["codebook_size", "arm"])["usage"]
    pd.testing.assert_series_equal(found.sort_index(), wanted.sort_index(), check_names=False)


def test_a_folder_that_can_not_be_written(synthetic: Make):
    made = synthetic(("vq_vae",), sizes=(256,), seeds=1, artefacts=False)
    (made.folder / "tables").write_text("a file where the folder should be")
    with pytest.raises(UsageError, match=r"tables.*can't be written"):
        build(read(made.folder))
