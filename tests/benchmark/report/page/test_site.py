"""Pages as files: self-contained, all text inert, the numbers those of summary.csv, within their size."""

import base64
import hashlib
import io
import json
import math
import re
import shutil
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import numpy as np
import pandas as pd
import pytest

from benchmark.report.build import summary_csv
from benchmark.report.columns import column
from benchmark.report.frame import Results, read
from benchmark.report.grid import Grid
from benchmark.report.page.content import content
from benchmark.report.page.details import details, order
from benchmark.report.page.document import facts_of, page, script
from benchmark.report.page.media import media
from benchmark.report.page.plain import script_json
from benchmark.report.page.site import page_data, write_site
from benchmark.report.places import axes_of, place_of, places_of
from methods.core.usage import UsageError

Make = Callable[..., "SyntheticResults"]  # noqa: F821 - of conftest.py, which is no module
REFERENCE = Path(__file__).parents[4] / "results" / "reference"
HOSTILE = "</script><script>alert(1)</script><img src=x onerror=alert(2)>\u202e`"


def written(folder: Path, out: Path) -> tuple[str, dict[str, Any]]:
    """The page of a folder without the library, and the data in it."""
    [path] = write_site([folder], out, "", {}, index=False).written
    text = path.read_text()
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', text, re.DOTALL)
    assert found
    return text, json.loads(found[1])


class Elements(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


def test_numbers_are_those_of_the_summary(tmp_path: Path):
    folder = REFERENCE / "quickstart"
    _, data = written(folder, tmp_path)
    summary = pd.read_csv(io.StringIO(summary_csv(read(folder)))).set_index("key")
    assert data["runs"]["key"] == list(summary.index)
    assert {"psnr", "usage", "perplexity", "entropy_bits", "train_seconds"} <= set(data["values"])
    for name, values in data["values"].items():
        np.testing.assert_array_equal(np.array(values, dtype=float), summary[name].to_numpy(dtype=float), err_msg=name)


def test_intervals_and_pairs_are_those_of_the_tables(synthetic: Make, tmp_path: Path):
    made = synthetic(("vq_vae", "simvq", "sq_vae", "codebook_reset"), sizes=(256, 1024), seeds=3, artefacts=False)
    made.edit_plan(tuned="nine trials")
    _, data = written(made.folder, tmp_path)
    grid = Grid(read(made.folder))
    interval = grid.interval("simvq", grid.places[1], "psnr")
    assert interval is not None
    assert [grid.arms.index("simvq"), 1, *interval] in data["intervals"]["psnr"]
    comparison = grid.compare("psnr", column("psnr").direction, grid.places)
    assert comparison is not None
    against = grid.arms.index(comparison.against)
    pairs = {frozenset(pair[:2]): pair for pair in data["pairs"]["psnr"]["-1"]}
    assert len(pairs) == 6
    for other in comparison.differences:
        pair = pairs[frozenset((against, grid.arms.index(other.arm)))]
        sign = -1 if pair[0] == against else 1
        assert sign * pair[2] == pytest.approx(other.difference.mean, rel=1e-4)
        assert pair[3:] == pytest.approx([other.difference.half_width, other.p, other.p_holm, 3], rel=1e-4)


def test_untuned_arms_have_no_tests(shared_synthetic: Make, tmp_path: Path):
    _, data = written(shared_synthetic(("vq_vae", "simvq"), (256,), 2).folder, tmp_path)
    assert data["pairs"] == {}
    assert data["tuned"] is False


def test_a_page_needs_nothing_else(shared_synthetic: Make, tmp_path: Path):
    text, _ = written(shared_synthetic(("vq_vae", "simvq"), (256,), 2).folder, tmp_path)
    elements = Elements(text).found
    policy = next(attributes["content"] for tag, attributes in elements if attributes.get("http-equiv"))
    assert policy is not None
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    digest = base64.b64encode(hashlib.sha256(script().encode()).digest()).decode()
    assert f"'sha256-{digest}'" in policy
    addresses = [value for _, attributes in elements for name, value in attributes.items() if name in ("src", "href")]
    assert {address for address in addresses if not str(address).startswith(("#", "data:"))} == set()
    assert not re.search(r"https?://(?!vega\.github\.io/schema/|www\.w3\.org/)", text)
    assert not any(name.startswith("on") for _, attributes in elements for name in attributes)


def test_hostile_text_is_text(synthetic: Make, tmp_path: Path):
    made = synthetic(("simvq", "vq_vae"), sizes=(256,), seeds=1)
    key = made.key("simvq", 256, 0)
    made.edit(
        "simvq", 256, 0, status="failed", reason=HOSTILE, traceback=HOSTILE, metrics={}, details={HOSTILE: HOSTILE}
    )
    arms = [{**arm, "method": HOSTILE, "params": {HOSTILE: HOSTILE}} for arm in made.plan["arms"]]
    made.edit_plan(suite=HOSTILE, question=HOSTILE, arms=arms)
    plain, _ = written(synthetic(("vq_vae",), sizes=(256,), seeds=1, name="plain").folder, tmp_path / "plain")
    text, data = written(made.folder, tmp_path / "out")
    assert [tag for tag, _ in Elements(text).found if tag != "code"] == [
        tag for tag, _ in Elements(plain).found if tag != "code"
    ]
    assert data["question"] == HOSTILE.replace("\u202e", "\\u202e")
    assert "<img" not in text
    assert "&lt;script&gt;alert(1)" in text
    assert data["runs"]["reason"][data["runs"]["key"].index(key)] == data["question"]
    assert data["details"][key]["traceback"] == data["question"]
    assert {arm["method"] for arm in data["arms"]} == {data["question"]}


def test_no_script_writes_markup():
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function", script())


def test_numbers_that_are_none(synthetic: Make, tmp_path: Path):
    made = synthetic(("vq_vae", "simvq"), sizes=(256,), seeds=2, artefacts=False)
    made.set_metric("simvq", 256, "psnr", [None, 20.0])
    made.set_metric("vq_vae", 256, "psnr", [math.nan, 21.0])
    made.write_history("vq_vae", 256, 1, [0.2, 0.0, 0.1])
    _, data = written(made.folder, tmp_path)
    # By its name in the results: where this machine keeps them is nobody's business.
    assert data["problems"][0].startswith(f"runs/{made.key('vq_vae', 256, 0)}/")
    assert "not counted" in data["problems"][0]
    by_key = {name: dict(zip(data["runs"]["key"], values, strict=True)) for name, values in data["values"].items()}
    assert made.key("vq_vae", 256, 0) not in by_key["psnr"]
    assert [by_key["psnr"][made.key("simvq", 256, seed)] for seed in (0, 1)] == [None, 20.0]
    assert by_key["above_best_db"][made.key("vq_vae", 256, 1)] == "Infinity"
    assert data["intervals"]["psnr"] == [[0, 0, 21.0, None, 1], [1, 0, 20.0, None, 1]]


def test_runs_that_are_missing_or_failed_are_told(synthetic: Make, tmp_path: Path):
    made = synthetic(("vq_vae", "simvq", "sq_vae"), sizes=(256,), seeds=1, artefacts=False)
    made.edit("simvq", 256, 0, status="diverged", reason="loss is NaN", metrics={})
    made.record_path("vq_vae", 256, 0).unlink()
    made.make_unavailable("sq_vae", 256, "at most 128 codes")
    _, data = written(made.folder, tmp_path)
    assert data["runs"]["status"] == ["diverged"]
    assert data["runs"]["reason"] == ["loss is NaN"]
    assert data["cells"] == [[0, 0, 0, None, None], [1, 0, 0, 0, None], [2, 0, 0, None, "at most 128 codes"]]
    assert data["answer"][0].startswith("No run of this suite has ended well yet")


def test_a_run_of_another_protocol_is_marked_and_in_no_mean(synthetic: Make, tmp_path: Path):
    made = synthetic(("vq_vae", "simvq"), sizes=(256,), seeds=2, artefacts=False)
    made.edit_plan(cells=[cell for cell in made.plan["cells"] if cell["seed"] == 0], seeds=[0])
    _, data = written(made.folder, tmp_path)
    assert sorted(data["runs"]["planned"]) == [0, 0, 1, 1]
    assert [interval[4] for interval in data["intervals"]["psnr"]] == [1, 1]
    assert "belong to no cell" in data["problems"][0]


def test_without_records_a_page_is_written(synthetic: Make, tmp_path: Path):
    made = synthetic(("vq_vae",), sizes=(256,), seeds=1, artefacts=False)
    made.record_path("vq_vae", 256, 0).unlink()
    _, data = written(made.folder, tmp_path)
    assert (data["runs"]["key"], data["metrics"], data["headline"]) == ([], [], None)


def test_without_a_plan_one_sentence(tmp_path: Path):
    with pytest.raises(UsageError, match=r"there is no .*plan\.json"):
        write_site([tmp_path], tmp_path / "out", "", {}, index=False)


def test_samples_are_there_once_and_within_their_room(shared_synthetic: Make):
    results = read(shared_synthetic(("vq_vae", "simvq"), (256,), 2).folder)
    keys = order(Grid(results))
    found, runs, left_out = media(results, keys, 10_000_000)
    assert set(runs) == set(keys)
    assert left_out == []
    used = [digest for own in runs.values() for sound in own["sounds"] for digest in sound[1:]]
    assert len(used) == 8
    assert len(set(used)) == 5  # the original is the same in four runs
    assert set(found) == {*used, *(own["picture"] for own in runs.values())}
    fewer, some, sentences = media(results, keys, 20_000)
    assert sum(map(len, fewer.values())) <= 20_000
    assert set(some) < set(runs) or some != runs
    assert "for want of room" in sentences[0]


def test_details_say_once_what_all_runs_have(shared_synthetic: Make):
    results = read(shared_synthetic(("vq_vae", "simvq"), (256,), 2).folder)
    keys = order(Grid(results))
    found, left_out = details(results, keys, 10_000_000)
    assert left_out == []
    assert found[""]["config"]["training.steps"] == "1000"
    assert set(found[keys[0]]["config"]) == {"method", "seed"}
    assert found[keys[0]]["curves"]["step"][-1] == 1000
    assert len(found[keys[0]]["ranks"][0]) == len(found[keys[0]]["ranks"][1]) <= 48
    few, sentences = details(results, keys, 4000)
    assert len(few) < len(found)
    assert sentences == [
        f"Settings, curves and code frequencies are there of {len(few) - 1} of 4 runs, for want of room."
    ]


def test_no_folder_name_leads_elsewhere(shared_synthetic: Make, tmp_path: Path):
    folder = shared_synthetic(("vq_vae", "simvq"), (256,), 2).folder
    name = "javascript:alert(1)?#<b>'\"%41"
    shutil.copytree(folder, tmp_path / name)
    *_, index = write_site([tmp_path / name], tmp_path / "out", "", {}, index=True).written
    [(_, link)] = [found for found in Elements(index.read_text()).found if found[0] == "a"]
    assert urlsplit(str(link["href"]))[:2] == ("", "")
    assert (tmp_path / "out" / unquote(str(link["href"]))).is_file()
    shutil.copytree(folder, tmp_path / "index")
    with pytest.raises(UsageError, match=r"index would have the name of the index, index\.html; rename that folder"):
        write_site([tmp_path / "index"], tmp_path / "out", "", {}, index=True)


def test_an_index_links_every_page(shared_synthetic: Make, tmp_path: Path):
    folder = shared_synthetic(("vq_vae", "simvq"), (256,), 2).folder
    *_, index = write_site([folder, REFERENCE / "quickstart"], tmp_path, "", {}, index=True).written
    text = index.read_text()
    links = [attributes["href"] for tag, attributes in Elements(text).found if tag == "a"]
    assert links == ["results.html", "quickstart.html"]
    assert all((tmp_path / str(link)).is_file() for link in links)
    assert "Who collapses as the invented codebook grows?" in text
    assert '<a href="index.html">' in (tmp_path / "results.html").read_text()


def _invented(arms: int, sizes: int, seeds: int) -> Results:
    """Very many runs, in memory."""
    names = [f"arm_{number}" for number in range(arms)]
    all_sizes = [2 ** (4 + number) for number in range(sizes)]
    plan: dict[str, Any] = {
        "suite": "many", "question": "?", "tuned": "trials", "codebook_sizes": all_sizes, "seeds": list(range(seeds)),
        "arms": [{"arm": name, "method": name, "params": {}, "verified": True, "tuned": False} for name in names],
        "tables": [], "plots": [],
        "cells": [
            {"arm": name, "codebook_size": size, "seed": seed, "key": f"{name}-K{size}-s{seed}", "unavailable": None}
            for name in names for size in all_sizes for seed in range(seeds)
        ],
    }  # fmt: skip
    cells = pd.DataFrame(plan["cells"])
    values = np.random.default_rng(0).random((len(cells), 20))
    measured = ["usage", "perplexity", "psnr", "mse", "ssim", "entropy_bits", "tokens", "train_seconds"]
    measured += [f"usage_level_{level}" for level in range(1, 13)]
    runs = cells.rename(columns={"unavailable": "reason"}).assign(
        method=cells["arm"], level_sizes="16", status="ok", planned=1, learning_rate=None
    )
    runs = pd.concat([runs, pd.DataFrame(values, columns=measured)], axis=1).set_index("key", drop=False)
    axes = axes_of(plan)
    places = places_of(axes)
    index = {place: number for number, place in enumerate(places)}
    cells["place"] = [index[place_of(cell)] for cell in plan["cells"]]
    cells = cells.join(runs[[name for name in runs.columns if name not in cells.columns]], on="key")
    record = {
        "status": "ok",
        "config": {"seed": 0},
        "provenance": {},
        "details": {},
        "level_sizes": [16],
        "files": {},
        "schema": 2,
    }
    records = {key: {**record, "key": key} for key in runs.index}
    return Results(Path("nowhere"), plan, runs, cells, records, axes=axes, places=places)


def test_twenty_thousand_runs_stay_below_ten_megabytes():
    results = _invented(arms=10, sizes=8, seeds=250)
    grid = Grid(results)
    data, left_out = content(grid)
    own, less = details(results, order(grid), 250_000)
    data |= {"details": own, "media": {}, "samples": {}, "cards": {}, "again": {}, "left_out": [*left_out, *less]}
    assert len(results.runs) == 20_000
    assert len(page(data, "", index=True)) < 10_000_000 - 1_000_000  # the library
    assert data["left_out"][0].startswith("Of 20,000 runs the page has 7 of 20 metrics")
    assert any("for want of room" in sentence for sentence in data["left_out"])


def test_json_cannot_end_its_element():
    text = script_json({"<!--": ["</script>", math.nan, math.inf, "\ud800"]})
    assert "<" not in text
    assert json.loads(text)["<!--"][:3] == ["</script>", None, "Infinity"]


def test_the_line_below_the_answer_counts_what_is_there(synthetic: Make) -> None:
    made = synthetic(("vq_vae", "simvq", "sq_vae"), sizes=(256,), seeds=2, artefacts=False)
    made.record_path("vq_vae", 256, 0).unlink()
    made.edit("simvq", 256, 0, status="failed", reason="invented", metrics={})
    found = facts_of(page_data(made.folder, {}, 1_000))
    assert found.startswith(
        "3 arms · 4 runs ended well · 1 did not end well · 1 run not there yet · N = 25,600 test tokens"
    )
