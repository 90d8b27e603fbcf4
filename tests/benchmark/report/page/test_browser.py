"""Pages of the reference results in a real Chromium: silent console, choices show what summaries hold, keyboard, axe.

Skipped where there is no browser, see ``conftest.py``.
"""

import json
import re
from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from benchmark.report.families import family_of
from benchmark.report.page import charts, write_site

# Playwright's own loop and pipes are closed when its process ends, not by us.
pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::DeprecationWarning")

Opened = Callable[..., AbstractContextManager[Any]]
Site = Callable[[str], Path]
REFERENCE = Path(__file__).parents[4] / "results" / "reference"
SUITES = sorted(plan.parent.name for plan in REFERENCE.glob("*/plan.json"))
SLOW = 60_000


@pytest.fixture(scope="module")
def site(chromium: Any, tmp_path_factory: pytest.TempPathFactory) -> Site:
    """The page of a suite, made when it is first asked for; ``index``: over two of them."""
    out = tmp_path_factory.mktemp("site")

    @cache
    def make(name: str) -> Path:
        names = ["quickstart", "remedies"] if name == "index" else [name]
        write_site([REFERENCE / one for one in names], out, charts(), {}, index=name == "index")
        return out / f"{name}.html"

    return make


@pytest.mark.parametrize("suite", SUITES)
def test_every_suite_opens_without_a_word_in_the_console(opened: Opened, site: Site, suite: str) -> None:
    assert site(suite).stat().st_size < 3_000_000
    with opened(site(suite)) as page:
        assert page.locator("h1").inner_text()
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_choices_show_the_means_of_the_summary(opened: Opened, site: Site) -> None:
    summary = pd.read_csv(REFERENCE / "codebook_scaling" / "summary.csv")
    with opened(site("codebook_scaling")) as page:
        explore = page.locator("#explore")
        explore.get_by_label("Metric").select_option("perplexity")
        page.locator("[data-size='256']").uncheck()
        page.locator("[data-arm='simvq']").uncheck()
        explore.get_by_label("Filter").fill("vq_vae_ema")
        ran = summary[(summary["arm"] == "vq_vae_ema") & (summary["status"] == "ok")]
        left = sorted(set(ran["codebook_size"].astype(int)) - {256})
        for row, size in zip(explore.locator("tbody tr").all(), left, strict=True):
            runs = ran[ran["codebook_size"] == size]
            cells = row.locator("td").all_inner_texts()
            assert cells[0] == f"K = {size:,}"
            assert cells[1] == f"{runs['perplexity'].mean():,.1f}"
            assert cells[3] == str(len(runs))
        explore.get_by_label("Filter").fill("simvq")
        assert explore.locator("tbody tr").count() == 0
        assert "metric=perplexity" in page.url
        assert "hide=simvq" in page.url
        address = page.url
        page.goto("about:blank")
        page.goto(address)
        page.wait_for_selector("html[data-ready]", timeout=SLOW)
        assert page.locator("#explore").get_by_label("Metric").input_value() == "perplexity"
        assert not page.locator("[data-arm='simvq']").is_checked()


def test_a_family_alone_and_all_again(opened: Opened, site: Site) -> None:
    with opened(site("codebook_scaling")) as page:
        select = page.locator("#explore").get_by_label("Family of methods")
        select.select_option("restarted codewords")
        named = page.locator("#explore tbody th .arm").evaluate_all(
            "nodes => nodes.map(node => node.childNodes[1].data)"
        )
        methods = pd.read_csv(REFERENCE / "codebook_scaling" / "summary.csv").set_index("arm").method.to_dict()
        assert {family_of(methods[name]) for name in named} == {"restarted codewords"}
        assert not page.locator("[data-arm='simvq']").is_checked()
        assert page.locator("[data-arm='codebook_reset']").is_checked()
        page.locator("[data-arm='simvq']").check()
        assert page.locator("#explore").get_by_label("Family of methods").input_value() == "as chosen"
        page.locator("#explore").get_by_label("Family of methods").select_option("all")
        assert "hide" not in page.url
        assert len(page.locator("#explore tbody tr").all()) > len(named)


def test_seeds_are_dots_until_intervals_are_chosen(opened: Opened, site: Site) -> None:
    summary = pd.read_csv(REFERENCE / "remedies" / "summary.csv")
    arms = summary["arm"].nunique()
    with opened(site("remedies")) as page:
        explore = page.locator("#explore")
        explore.locator(".chart svg").wait_for(state="attached", timeout=SLOW)
        assert explore.locator(".chart .mark-rule.role-mark line").count() == 0
        assert explore.locator(".chart .mark-symbol path").count() == arms + len(summary)
        explore.get_by_label("95 % intervals").check(force=True)
        explore.locator(".chart .mark-rule.role-mark line").nth(arms - 1).wait_for(state="attached", timeout=SLOW)
        assert explore.locator(".chart .mark-symbol path").count() == arms


def test_charts_say_at_which_word_they_stand(opened: Opened, site: Site) -> None:
    with opened(site("planted_collapse")) as page:
        captions = page.locator("#overview figcaption")
        assert captions.all_inner_texts()[1:] == ["Usage, % · drifting", "Perplexity · drifting"]
        page.locator("#explore select").nth(3).select_option("clustered")
        assert captions.all_inner_texts()[1] == "Usage, % · clustered"
        cells = page.locator("#explore tbody tr").first.locator("td").all_inner_texts()
        summary = pd.read_csv(REFERENCE / "planted_collapse" / "summary.csv")
        first = summary[(summary["arm"] == "fsp") & (summary["dataset.kind"] == "clustered")]
        assert cells[:2] == ["clustered", f"{first['squared_error'].mean():,.4f}"]


def test_references_far_off_are_told_not_drawn(opened: Opened, site: Site) -> None:
    with opened(site("training_length")) as page:
        hint = page.locator("#explore .hint")
        hint.get_by_text(re.compile(r"Not drawn: \d means? of references so far off")).wait_for(timeout=SLOW)
        for box in page.locator("[data-arm]:not([data-arm='no_quantization'])").all():
            box.uncheck()
        hint.get_by_text("Not drawn").wait_for(state="detached", timeout=SLOW)
        left = page.locator("#explore tbody tr").all_inner_texts()
        assert left
        assert all("no_quantization" in row for row in left)


def test_priors_have_a_section_and_open(opened: Opened, site: Site) -> None:
    summary = pd.read_csv(REFERENCE / "generation_quickstart" / "summary.csv").set_index("key")
    with opened(site("generation_quickstart")) as page:
        section = page.locator("#generation")
        rows = section.locator(".means tbody tr").all()
        assert [row.locator("th").inner_text().strip() for row in rows] == ["vq_vae", "simvq", "fsq"]
        for row, arm in zip(rows, ("vq_vae", "simvq", "fsq"), strict=True):
            [length] = summary.loc[summary.index.str.startswith(f"prior_{arm}-"), "code_length"]
            assert row.locator("td").all_inner_texts()[1] == f"{length:.3f}"
        section.locator(".chart svg").nth(1).wait_for(state="attached", timeout=SLOW)
        assert section.locator(".sheets img").count() == 3
        assert (
            section.locator(".sheets img").first.evaluate("image => image.decode().then(() => image.naturalWidth)")
            == 224
        )
        page.locator("[data-arm='fsq']").uncheck()
        assert section.locator(".sheets img").count() == 2
        assert section.locator(".means tbody tr").count() == 2
        page.wait_for_selector("#generation .chart path[tabindex]", state="attached", timeout=SLOW)
        section.locator(".chart").first.locator("path[tabindex='0']").focus()
        page.keyboard.press("Enter")
        dialog = page.locator("dialog[open]")
        key = dialog.locator("h2").inner_text()
        assert key.startswith("prior_")
        assert dialog.locator("[data-metric='nll']").inner_text() == f"{summary.loc[key, 'nll']:.3f} bits/position"
        assert dialog.locator(".again code").first.inner_text() == f"make verify RUN={key}"
        record = json.loads((REFERENCE / "generation_quickstart" / "runs" / key / "record.json").read_text())
        tokenizer = record["provenance"]["tokenizer"]
        dialog.get_by_role("button", name="its tokenizer").click()
        assert dialog.locator("h2").inner_text() == tokenizer


def test_two_arms_are_compared_by_their_pairs(opened: Opened, site: Site) -> None:
    summary = pd.read_csv(REFERENCE / "remedies" / "summary.csv")
    psnr = summary[summary["status"] == "ok"].pivot(index="seed", columns="arm", values="psnr")
    with opened(site("remedies"), "#a=hqa&b=codebook_reset&judged=psnr") as page:
        compare = page.locator("#compare")
        verdict = compare.locator(".verdict").inner_text()
        mean = (psnr["hqa"] - psnr["codebook_reset"]).mean()
        assert f"hqa less codebook_reset: {mean:.3f}".replace("-", "−") in verdict
        assert "beyond chance (p" in verdict
        cells = [row.locator("td").all_inner_texts()[-1] for row in compare.locator("tbody tr").all()]
        assert cells == [f"{value:.3f}".replace("-", "−") for value in psnr["hqa"] - psnr["codebook_reset"]]
        compare.locator("select").first.select_option("bsq")
        assert "can't be told from chance" in compare.locator(".verdict").inner_text()


def test_a_run_opens_by_keyboard_and_closes(opened: Opened, site: Site) -> None:
    summary = pd.read_csv(REFERENCE / "codebook_scaling" / "summary.csv").set_index("key")
    with opened(site("codebook_scaling")) as page:
        point = page.locator("#explore .chart path[tabindex='0']")
        point.focus()
        page.keyboard.press("ArrowRight")
        page.keyboard.press("Enter")
        dialog = page.locator("dialog[open]")
        key = dialog.locator("h2").inner_text()
        assert dialog.locator("[data-metric='psnr']").inner_text() == f"{summary.loc[key, 'psnr']:.2f} dB"
        assert (
            f"runs/{key}" in dialog.locator(".again code").inner_text()
            or f"RUN={key}" in dialog.locator(".again code").inner_text()
        )
        assert f"run={key}" in page.url
        page.keyboard.press("Escape")
        page.wait_for_selector("dialog:not([open])", state="attached", timeout=SLOW)
        assert "run=" not in page.url


def test_tables_sort_by_keyboard(opened: Opened, site: Site) -> None:
    with opened(site("quickstart")) as page:
        heading = page.locator("#runs th button", has_text="PSNR")
        heading.focus()
        page.keyboard.press("Enter")
        column = page.locator("#runs th").all_inner_texts().index(heading.inner_text())
        shown = [row.locator("th, td").all_inner_texts()[column] for row in page.locator("#runs tbody tr").all()]
        values = [float(text) for text in shown if text != "–"]
        assert values == sorted(values, reverse=True)
        assert len(values) == 15
        assert page.locator("#runs th[aria-sort='descending']").count() == 1


def test_sounds_and_pictures_are_there(opened: Opened, site: Site) -> None:
    with opened(site("audio_quickstart")) as page:
        seconds = page.locator("#compare audio").first.evaluate(
            "node => new Promise((done, fail) => { node.onloadedmetadata = () => done(node.duration);"
            " node.onerror = () => fail(String(node.error?.message)); node.preload = 'auto'; node.load(); })"
        )
        assert seconds > 1
    with opened(site("remedies")) as page:
        page.locator("#compare canvas").first.evaluate(
            "node => new Promise(done => { const look = () => node.width > 100 ? done() : setTimeout(look); look(); })"
        )
        page.locator("#compare input[type=range]").fill("80")
        assert "20%" in page.locator("#compare .over").evaluate("node => node.style.clipPath")


@pytest.mark.parametrize("width", [360, 1280])
def test_nothing_shifts_while_it_loads(opened: Opened, site: Site, width: int) -> None:
    with opened(site("generation_quickstart"), width=width) as page:
        page.locator("#generation .chart svg").nth(1).wait_for(state="attached", timeout=SLOW)
        shifts = page.evaluate(
            "() => new Promise(done => new PerformanceObserver(list => done(list.getEntries().map(one => one.value)))"
            ".observe({type: 'layout-shift', buffered: true}) || setTimeout(() => done([]), 500))"
        )
        assert sum(shifts) < 0.02


@pytest.mark.parametrize(
    ("suite", "fragment", "options"),
    [
        ("codebook_scaling", "", {}),
        ("mean_shift", "", {"color_scheme": "dark"}),
        ("remedies", "", {"width": 360}),
        ("generation_quickstart", "", {"color_scheme": "dark"}),
        ("generation_quickstart", "#run=prior_simvq-K256-s0-25b78af5", {"width": 360}),
        ("quickstart", "#run=simvq-K1024-s0-50d731e8", {"color_scheme": "dark"}),
        ("index", "", {"width": 360}),
    ],
)
def test_axe_finds_nothing_serious(
    opened: Opened, site: Site, suite: str, fragment: str, options: dict[str, Any]
) -> None:
    from axe_playwright_python.sync_playwright import Axe

    with opened(site(suite), fragment, **options) as page:
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        found = Axe().run(page).response["violations"]
        assert [(one["id"], one["nodes"][0]["html"]) for one in found if one["impact"] in ("serious", "critical")] == []
