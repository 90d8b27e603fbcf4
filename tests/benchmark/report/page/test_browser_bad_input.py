"""Pages of hostile and of odd records in a real Chromium: all text is text, and what is missing is told.

Skipped where there is no browser, see ``conftest.py``.
"""

import json
import math
import shutil
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

from benchmark.records.record import seal
from benchmark.report.page import charts, write_site

# Playwright's own loop and pipes are closed when its process ends, not by us.
pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::DeprecationWarning")

Opened = Callable[..., AbstractContextManager[Any]]
Make = Callable[..., "SyntheticResults"]  # noqa: F821 - of conftest.py, which is no module
REFERENCE = Path(__file__).parents[4] / "results" / "reference"
HOSTILE = "</script><script>window.harmed = 1</script><img src=x onerror='window.harmed = 2'>"
SLOW = 60_000


def test_hostile_text_does_nothing(opened: Opened, synthetic: Make, tmp_path: Path) -> None:
    made = synthetic(("simvq", "vq_vae"), sizes=(256, 1024), seeds=2)
    key = made.key("simvq", 256, 0)
    made.edit(
        "simvq", 256, 0, status="failed", reason=HOSTILE, traceback=HOSTILE, metrics={}, details={HOSTILE: HOSTILE}
    )
    arms = [{**arm, "method": HOSTILE, "params": {HOSTILE: HOSTILE}} for arm in made.plan["arms"]]
    made.edit_plan(suite=HOSTILE, question=HOSTILE, arms=arms)
    write_site([made.folder], tmp_path / "out", charts(), {}, index=True)
    with opened(tmp_path / "out" / "results.html", f"#run={key}") as page:
        assert page.locator("dialog[open] pre").text_content() == HOSTILE
        assert page.locator("h1").inner_text() == HOSTILE
        assert page.evaluate("window.harmed") is None
        assert page.locator("img[src=x]").count() == 0
    with opened(tmp_path / "out" / "index.html") as page:
        page.get_by_role("link").first.click()
        page.wait_for_selector("html[data-ready]", timeout=SLOW)
        assert page.evaluate("window.harmed") is None


def test_more_seeds_than_a_browser_can_draw_are_told(opened: Opened, synthetic: Make, tmp_path: Path) -> None:
    made = synthetic(("simvq", "vq_vae"), sizes=(256,), seeds=2, artefacts=False)
    seeds, first = list(range(0, 4000, 2)), [cell for cell in made.plan["cells"] if cell["seed"] == 0]
    made.edit_plan(cells=[{**cell, "seed": seed} for seed in seeds for cell in first], seeds=seeds)
    [file] = write_site([made.folder], tmp_path / "out", charts(), {}, index=False).written
    with opened(file) as page:
        explore = page.locator("#explore")
        explore.locator(".hint").get_by_text("Not drawn: 4,000 seeds").wait_for(timeout=SLOW)
        assert explore.locator(".chart .mark-symbol path").count() == 2
        assert explore.locator("tbody tr").first.locator("button").count() == 11
        assert "and 1,989 more, under Runs" in explore.locator("tbody tr").first.inner_text()


def test_hostile_priors_do_nothing(opened: Opened, tmp_path: Path) -> None:
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
    path = folder / "runs" / key / "record.json"
    record = json.loads(path.read_text()) | hostile | {"provenance": {HOSTILE: HOSTILE, "tokenizer": HOSTILE}}
    path.write_text(json.dumps(seal(record)))
    *_, index = write_site([folder], tmp_path / "out", charts(), {}, index=True).written
    with opened(index) as page:
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


def _without_runs(made: Any) -> None:
    for path in made.folder.glob("runs/*/record.json"):
        path.unlink()


def _failed_missing_and_another_protocol(made: Any) -> None:
    made.edit("simvq", 256, 0, status="diverged", reason="loss is NaN", metrics={})
    made.record_path("vq_vae", 256, 0).unlink()
    made.make_unavailable("no_quantization", 256, "at most 128 codes")
    made.edit_plan(cells=[cell for cell in made.plan["cells"] if cell["seed"] == 0], seeds=[0])


def _infinite(made: Any) -> None:
    made.set_metric("simvq", 256, "psnr", [None, math.inf])
    made.set_metric("vq_vae", 256, "psnr", [-math.inf, math.nan])
    made.write_history("simvq", 256, 0, [0.2, math.inf, 0.0, math.nan])
    (made.record_path("simvq", 256, 1).parent / "history.csv").write_text("step,validation_error\n1,inf\n2,nan\n")


@pytest.mark.parametrize(
    ("arms", "change", "said"),
    [
        (("vq_vae", "simvq"), _without_runs, "No run of this suite has ended well yet"),
        (("no_quantization",), lambda made: None, "PSNR of no_quantization is"),
        (("vq_vae", "simvq", "no_quantization"), _failed_missing_and_another_protocol, "No run of this suite"),
        (("vq_vae", "simvq"), _infinite, "usage is"),
    ],
    ids=["without_runs", "without_codes", "failed_missing_and_another_protocol", "infinite"],
)
def test_odd_suites_open(
    opened: Opened, synthetic: Make, tmp_path: Path, arms: tuple[str, ...], change: Callable[[Any], None], said: str
) -> None:
    made = synthetic(arms, sizes=(256,), seeds=2, artefacts=False)
    change(made)
    [file] = write_site([made.folder], tmp_path / "out", charts(), {}, index=False).written
    with opened(file) as page:
        assert said in page.locator(".answer").inner_text()
        rows = page.locator("#runs tbody tr")
        assert rows.count() >= 1
        for button in rows.get_by_role("button").all():
            button.click()
            assert page.locator("dialog[open] h2").inner_text() == button.inner_text()
            page.keyboard.press("Escape")
        if change is _infinite:
            assert "not counted" in page.locator("#notes").inner_text()
        if change is _failed_missing_and_another_protocol:
            ends = " ".join(rows.all_inner_texts())
            assert "diverged: loss is NaN" in ends
            assert "not run yet" in ends
            assert "unavailable: at most 128 codes" in ends
            assert "another protocol, in no chart" in ends
