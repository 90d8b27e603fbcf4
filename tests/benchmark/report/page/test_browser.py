"""Pages in a real Chromium: no error in the console, choices show what the summary holds, keyboard, axe, hostile text.

Needs the packages of ``requirements/browser.txt`` and a Chromium, of which ``CODEBOOK_BENCH_BROWSER`` may say the path;
skipped where there is none, and required where that variable is set.
"""

import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from benchmark.records.record import seal
from benchmark.report.families import family_of
from benchmark.report.page import charts, write_site

NAMED = os.environ.get("CODEBOOK_BENCH_BROWSER")
BROWSER = NAMED or shutil.which("chromium") or shutil.which("chromium-browser")
if not NAMED:
    pytest.importorskip("playwright.sync_api", reason="no playwright: requirements/browser.txt")
    pytest.importorskip("vl_convert", reason="no vl-convert-python")
    if BROWSER is None:
        pytest.skip("no Chromium", allow_module_level=True)

# Playwright's own loop and pipes are closed when its process ends, not by us.
pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::DeprecationWarning")

Make = Callable[..., "SyntheticResults"]  # noqa: F821 - of conftest.py, which is no module
REFERENCE = Path(__file__).parents[4] / "results" / "reference"
SUITES = sorted(plan.parent.name for plan in REFERENCE.glob("*/plan.json"))
HOSTILE = "</script><script>window.harmed = 1</script><img src=x onerror='window.harmed = 2'>"
SLOW = 60_000


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=BROWSER, args=["--no-sandbox", "--disable-gpu"])
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("site")
    write_site([REFERENCE / name for name in SUITES], out, charts(), {}, index=True)
    return out


@contextmanager
def opened(chromium: Any, file: Path, fragment: str = "", **options: Any) -> Iterator[Any]:
    """The page of a file once it is drawn; nothing may stand in the console at the end."""
    context = chromium.new_context(viewport={"width": options.pop("width", 1280), "height": 800}, **options)
    page = context.new_page()
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on(
        "request", lambda request: said.append(request.url) if not request.url.startswith(("file:", "data:")) else None
    )
    page.goto(file.as_uri() + fragment)
    if file.name != "index.html":
        page.wait_for_selector("html[data-ready]", timeout=SLOW)
        page.wait_for_function(
            "document.querySelectorAll('#overview .chart svg, #overview .hint').length > 0", timeout=SLOW
        )
    yield page
    context.close()
    assert said == []


@pytest.mark.parametrize("suite", SUITES)
def test_every_suite_opens_without_a_word_in_the_console(chromium: Any, site: Path, suite: str) -> None:
    assert (site / f"{suite}.html").stat().st_size < 3_000_000
    with opened(chromium, site / f"{suite}.html") as page:
        assert page.locator("h1").inner_text()
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_choices_show_the_means_of_the_summary(chromium: Any, site: Path) -> None:
    summary = pd.read_csv(REFERENCE / "codebook_scaling" / "summary.csv")
    with opened(chromium, site / "codebook_scaling.html") as page:
        explore = page.locator("#explore")
        explore.get_by_label("Metric").select_option("perplexity")
        page.locator("[data-size='256']").uncheck()
        page.locator("[data-arm='simvq']").uncheck()
        explore.get_by_label("Filter").fill("vq_vae_ema")
        rows = explore.locator("tbody tr").all()
        assert len(rows) == 4
        for row, size in zip(rows, (1024, 4096, 16384, 65536), strict=True):
            runs = summary[
                (summary["arm"] == "vq_vae_ema") & (summary["codebook_size"] == size) & (summary["status"] == "ok")
            ]
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


def test_a_family_alone_and_all_again(chromium: Any, site: Path) -> None:
    with opened(chromium, site / "codebook_scaling.html") as page:
        select = page.locator("#explore").get_by_label("Family of methods")
        select.select_option("restarted codewords")
        named = page.locator("#explore tbody th .arm").evaluate_all(
            "nodes => nodes.map(node => node.childNodes[1].data)"
        )
        assert {family_of(name) for name in named} == {"restarted codewords"}
        assert not page.locator("[data-arm='simvq']").is_checked()
        assert page.locator("[data-arm='codebook_reset']").is_checked()
        page.locator("[data-arm='simvq']").check()
        assert page.locator("#explore").get_by_label("Family of methods").input_value() == "as chosen"
        page.locator("#explore").get_by_label("Family of methods").select_option("all")
        assert "hide" not in page.url
        assert len(page.locator("#explore tbody tr").all()) > len(named)


def test_priors_have_a_section_and_open(chromium: Any, site: Path) -> None:
    summary = pd.read_csv(REFERENCE / "generation_quickstart" / "summary.csv").set_index("key")
    with opened(chromium, site / "generation_quickstart.html") as page:
        section = page.locator("#generation")
        rows = section.locator(".means tbody tr").all()
        assert [row.locator("th").inner_text().strip() for row in rows] == ["vq_vae", "simvq", "fsq"]
        for row, arm in zip(rows, ("vq_vae", "simvq", "fsq"), strict=True):
            [length] = summary.loc[summary.index.str.startswith(f"prior_{arm}-"), "code_length"]
            assert row.locator("td").all_inner_texts()[1] == f"{length:.3f}"
        page.wait_for_function("document.querySelectorAll('#generation .chart svg').length === 2", timeout=SLOW)
        assert section.locator(".sheets img").count() == 3
        assert (
            section.locator(".sheets img").first.evaluate("image => image.decode().then(() => image.naturalWidth)")
            == 224
        )
        page.locator("[data-arm='fsq']").uncheck()
        assert section.locator(".sheets img").count() == 2
        assert section.locator(".means tbody tr").count() == 2
        page.wait_for_function("document.querySelector('#generation .chart path[tabindex]')", timeout=SLOW)
        section.locator(".chart").first.locator("path[tabindex='0']").focus()
        page.keyboard.press("Enter")
        dialog = page.locator("dialog[open]")
        key = dialog.locator("h2").inner_text()
        assert key.startswith("prior_")
        assert dialog.locator("[data-metric='nll']").inner_text() == f"{summary.loc[key, 'nll']:.3f} bits/position"
        assert dialog.locator(".again code").inner_text() == "make bench SUITE=generation_quickstart RESULTS=again"
        dialog.get_by_role("button", name="its tokenizer").click()
        assert (
            dialog.locator("h2").inner_text()
            == _prior(REFERENCE / "generation_quickstart", key)["provenance"]["tokenizer"]
        )


def _prior(folder: Path, key: str) -> dict[str, Any]:
    record: dict[str, Any] = json.loads((folder / "runs" / key / "record.json").read_text())
    return record


def test_two_arms_are_compared_by_their_pairs(chromium: Any, site: Path) -> None:
    summary = pd.read_csv(REFERENCE / "remedies" / "summary.csv")
    psnr = summary[summary["status"] == "ok"].pivot(index="seed", columns="arm", values="psnr")
    with opened(chromium, site / "remedies.html", "#a=hqa&b=codebook_reset&judged=psnr") as page:
        compare = page.locator("#compare")
        verdict = compare.locator(".verdict").inner_text()
        mean = (psnr["hqa"] - psnr["codebook_reset"]).mean()
        assert f"hqa less codebook_reset: {mean:.3f}".replace("-", "−") in verdict
        assert "beyond chance (p" in verdict
        cells = [row.locator("td").all_inner_texts()[-1] for row in compare.locator("tbody tr").all()]
        assert cells == [f"{value:.3f}".replace("-", "−") for value in psnr["hqa"] - psnr["codebook_reset"]]
        compare.locator("select").first.select_option("bsq")
        assert "can't be told from chance" in compare.locator(".verdict").inner_text()


def test_a_run_opens_by_keyboard_and_closes(chromium: Any, site: Path) -> None:
    summary = pd.read_csv(REFERENCE / "codebook_scaling" / "summary.csv").set_index("key")
    with opened(chromium, site / "codebook_scaling.html") as page:
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


def test_tables_sort_by_keyboard(chromium: Any, site: Path) -> None:
    with opened(chromium, site / "quickstart.html") as page:
        heading = page.locator("#runs th button", has_text="PSNR")
        heading.focus()
        page.keyboard.press("Enter")
        column = page.locator("#runs th").all_inner_texts().index(heading.inner_text())
        shown = [row.locator("th, td").all_inner_texts()[column] for row in page.locator("#runs tbody tr").all()]
        values = [float(text) for text in shown if text != "–"]
        assert values == sorted(values, reverse=True)
        assert len(values) == 15
        assert page.locator("#runs th[aria-sort='descending']").count() == 1


def test_sounds_and_pictures_are_there(chromium: Any, site: Path) -> None:
    with opened(chromium, site / "audio_quickstart.html") as page:
        seconds = page.locator("#compare audio").first.evaluate(
            "node => new Promise((done, fail) => { node.onloadedmetadata = () => done(node.duration);"
            " node.onerror = () => fail(String(node.error?.message)); node.preload = 'auto'; node.load(); })"
        )
        assert seconds > 1
    with opened(chromium, site / "remedies.html") as page:
        page.wait_for_function("document.querySelector('#compare canvas')?.width > 100", timeout=SLOW)
        page.locator("#compare input[type=range]").fill("80")
        assert "20%" in page.locator("#compare .over").evaluate("node => node.style.clipPath")


@pytest.mark.parametrize(
    ("suite", "fragment", "options"),
    [
        ("codebook_scaling", "", {}),
        ("mean_shift", "", {"color_scheme": "dark"}),
        ("remedies", "", {"width": 360}),
        ("generation_quickstart", "", {"color_scheme": "dark"}),
        ("generation_quickstart", "#run=prior_simvq-K256-s0-20cedaba", {"width": 360}),
        ("quickstart", "#run=simvq-K1024-s0-50d731e8", {"color_scheme": "dark"}),
        ("index", "", {"width": 360}),
    ],
)
def test_axe_finds_nothing_serious(
    chromium: Any, site: Path, suite: str, fragment: str, options: dict[str, Any]
) -> None:
    from axe_playwright_python.sync_playwright import Axe

    with opened(chromium, site / f"{suite}.html", fragment, **options) as page:
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        found = Axe().run(page).response["violations"]
        assert [(one["id"], one["nodes"][0]["html"]) for one in found if one["impact"] in ("serious", "critical")] == []


def test_hostile_text_does_nothing(chromium: Any, synthetic: Make, tmp_path: Path) -> None:
    made = synthetic(("simvq", "vq_vae"), sizes=(256, 1024), seeds=2)
    key = made.key("simvq", 256, 0)
    made.edit(
        "simvq", 256, 0, status="failed", reason=HOSTILE, traceback=HOSTILE, metrics={}, details={HOSTILE: HOSTILE}
    )
    arms = [{**arm, "method": HOSTILE, "params": {HOSTILE: HOSTILE}} for arm in made.plan["arms"]]
    made.edit_plan(suite=HOSTILE, question=HOSTILE, arms=arms)
    write_site([made.folder], tmp_path / "out", charts(), {}, index=True)
    with opened(chromium, tmp_path / "out" / "results.html", f"#run={key}") as page:
        assert page.locator("dialog[open] pre").text_content() == HOSTILE
        assert page.locator("h1").inner_text() == HOSTILE
        assert page.evaluate("window.harmed") is None
        assert page.locator("img[src=x]").count() == 0
    with opened(chromium, tmp_path / "out" / "index.html") as page:
        page.get_by_role("link").first.click()
        page.wait_for_selector("html[data-ready]", timeout=SLOW)
        assert page.evaluate("window.harmed") is None


def test_hostile_priors_do_nothing(chromium: Any, tmp_path: Path) -> None:
    folder = shutil.copytree(REFERENCE / "generation_quickstart", tmp_path / "<img src=x onerror='harmed = 3'>")
    plan = json.loads((folder / "plan.json").read_text())
    plan["generation"] |= {"class_names": [HOSTILE] * 10, "prior": {"name": HOSTILE, HOSTILE: HOSTILE}}
    (folder / "plan.json").write_text(json.dumps(plan | {"suite": HOSTILE}))
    key = plan["priors"][1]["key"]
    hostile = {
        "status": "failed",
        "reason": HOSTILE,
        "traceback": HOSTILE,
        "details": {HOSTILE: HOSTILE},
        "metrics": {},
    }
    record = _prior(folder, key) | hostile | {"provenance": {HOSTILE: HOSTILE, "tokenizer": HOSTILE}}
    (folder / "runs" / key / "record.json").write_text(json.dumps(seal(record)))
    *_, index = write_site([folder], tmp_path / "out", charts(), {}, index=True).written
    with opened(chromium, index) as page:
        page.get_by_role("link").first.click()
        page.wait_for_selector("html[data-ready]", timeout=SLOW)
        assert HOSTILE in page.locator("#generation .sheets").inner_text()
        page.locator("#generation summary").click()
        page.locator("#generation .every button", has_text=key).click()
        assert page.locator("dialog[open] pre").text_content() == HOSTILE
        assert page.locator("dialog[open] .notice").inner_text() == HOSTILE
        assert "SUITE=... RESULTS=again" in page.locator("dialog[open] .again").inner_text()
        assert page.evaluate("window.harmed") is None
        assert page.locator("img[src=x]").count() == 0


def test_a_suite_without_runs_opens(chromium: Any, synthetic: Make, tmp_path: Path) -> None:
    made = synthetic(("vq_vae", "simvq"), sizes=(256,), seeds=1, artefacts=False)
    for path in made.folder.glob("runs/*/record.json"):
        path.unlink()
    [file] = write_site([made.folder], tmp_path / "out", charts(), {}, index=False).written
    context = chromium.new_context()
    page = context.new_page()
    said: list[str] = []
    page.on("pageerror", lambda error: said.append(str(error)))
    page.goto(file.as_uri())
    page.wait_for_selector("html[data-ready]", timeout=SLOW)
    assert "No run of this suite has ended well yet" in page.locator(".answer").inner_text()
    assert page.locator("#runs tbody tr").count() == 2
    context.close()
    assert said == []
