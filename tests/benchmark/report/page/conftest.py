"""A real Chromium for the tests of pages in a browser: skipped where there is none, required where one is named.

They need the packages of ``requirements/browser.txt`` and a Chromium, of which ``CODEBOOK_BENCH_BROWSER`` may say the
path.
"""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest

NAMED = os.environ.get("CODEBOOK_BENCH_BROWSER")
SLOW = 60_000


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    path = NAMED or shutil.which("chromium") or shutil.which("chromium-browser")
    if not NAMED:
        pytest.importorskip("playwright.sync_api", reason="no playwright: requirements/browser.txt")
        pytest.importorskip("vl_convert", reason="no vl-convert-python")
        if path is None:
            pytest.skip("no Chromium")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-gpu"])
        yield browser
        browser.close()


@contextmanager
def opened_in(chromium: Any, file: Path, fragment: str = "", **options: Any) -> Iterator[Any]:
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
        # Not by a function: the page's policy lets none be evaluated from text.
        drawn = "#overview .chart svg, #overview .chart .hint, #overview .notice"
        page.wait_for_selector(drawn, state="attached", timeout=SLOW)
    yield page
    context.close()
    assert said == []


@pytest.fixture
def opened(chromium: Any) -> Callable[..., AbstractContextManager[Any]]:
    """`opened_in` that browser."""

    def call(file: Path, fragment: str = "", **options: Any) -> AbstractContextManager[Any]:
        return opened_in(chromium, file, fragment, **options)

    return call
