"""The HTML of a page: texts escaped, script and style inline, which the Content-Security-Policy names by hash."""

import base64
import hashlib
from functools import cache
from html import escape
from importlib.resources import files
from typing import Any
from urllib.parse import quote

from benchmark.records.plain import printable
from benchmark.report.page.plain import script_json

SCRIPTS = (
    "dom",
    "model",
    "state",
    "charts",
    "series",
    "table",
    "legend",
    "overview",
    "explore",
    "compare",
    "beside",
    "generation",
    "curves",
    "run",
    "main",
)
"""In ``assets/``, in the order in which they define what the next ones use."""


@cache
def asset(name: str) -> str:
    """A file of ``assets/``."""
    return files(__package__).joinpath("assets", name).read_text(encoding="utf-8")


@cache
def script() -> str:
    """All of the page's own script, in a scope of its own."""
    parts = "\n".join(asset(f"{name}.js") for name in SCRIPTS)
    return f'"use strict";\n{{\n{parts}\n}}\n'


def page(data: dict[str, Any], library: str, index: bool) -> str:
    """The page of one suite.

    Args:
        data: see `docs/page.md`.
        library: the script that draws charts.
        index: whether an index of suites lies beside it.
    """
    back = '<a href="index.html">All suites</a>' if index else ""
    answer = "".join(f"<p>{_text(sentence)}</p>" for sentence in data["answer"])
    body = f"""<a class="skip" href="#main">To the content</a>
<header class="top"><p class="brand">codebook-bench</p><nav aria-label="Site">{back}</nav>
<div id="theme"></div></header>
<main id="main" tabindex="-1">
<section class="lead"><p class="suite">{_text(data["suite"])}</p><h1>{_text(data["question"])}</h1>
<div class="answer">{answer}</div><p class="facts">{_text(facts_of(data))}</p></section>
{asset("sections.html")}
</main>
<noscript><p class="notice">Charts, tables and runs need JavaScript; the answer above does not.</p></noscript>
<script type="application/json" id="data">{script_json(data)}</script>"""
    return _document(f"{data['suite']} · codebook-bench", body, [library, script()])


def facts_of(data: dict[str, Any]) -> str:
    """How many arms and runs, how many did not end well, and on what terms: the line below an answer."""
    runs = data["runs"]
    planned = {cell[3] for cell in data["cells"] if cell[3] is not None}
    ended = sum(runs["status"][run] == "ok" for run in planned)
    absent = sum(cell[3] is None and cell[4] is None for cell in data["cells"])
    older = sum(not own for own in runs["planned"])
    parts = [_plural(len(data["arms"]), "arm"), f"{_plural(ended, 'run')} ended well"]
    if bad := len(planned) - ended:
        parts.append(f"{bad:,} did not end well")
    if absent:
        parts.append(f"{_plural(absent, 'run')} not there yet")
    if older:
        parts.append(f"{_plural(older, 'run')} of another protocol, in no chart")
    if len(tokens := {one for one in data["tokens"] if one is not None}) == 1:
        parts.append(f"N = {int(*tokens):,} test tokens")
    return " · ".join([*parts, *filter(None, [data["protocol"]])])


def _plural(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def index_page(suites: list[dict[str, Any]]) -> str:
    """The index: question, answer and state of each suite, with a link to its page."""
    items = "".join(
        f'<li class="card"><h2><a href="{quote(suite["file"])}">{_text(suite["suite"])}</a></h2>'
        f'<p class="question">{_text(suite["question"])}</p>'
        + "".join(f"<p>{_text(sentence)}</p>" for sentence in suite["answer"])
        + f'<p class="facts">{_text(suite["facts"])}</p></li>'
        for suite in suites
    )
    body = f"""<header class="top"><p class="brand">codebook-bench</p></header>
<main id="main"><section class="lead">
<h1>Which remedy for codebook collapse works, at which codebook size, at what price?</h1>
<p>One page a suite, made from the records of its runs and from nothing else.</p></section>
<ul class="cards">{items}</ul></main>"""
    return _document("codebook-bench", body, [])


def _document(title: str, body: str, scripts: list[str]) -> str:
    style = asset("page.css")
    inline = "".join(f"<script>{_whole(code)}</script>" for code in scripts)
    hashes = " ".join(map(_hash, scripts)) or "'none'"
    policy = (
        f"default-src 'none'; script-src {hashes}; style-src {_hash(style)}; img-src data:; media-src data:; "
        "base-uri 'none'; form-action 'none'"
    )
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<title>{_text(title, code=False)}</title>
<link rel="icon" href="data:,">
<style>{style}</style>
</head>
<body>
{body}
{inline}
</body>
</html>
"""


def _text(text: str, *, code: bool = True) -> str:
    """Escaped; what stands in backticks is code."""
    pieces = escape(printable(text)).split("`")
    if not code or len(pieces) % 2 == 0:
        return "`".join(pieces)
    return "".join(f"<code>{piece}</code>" if number % 2 else piece for number, piece in enumerate(pieces))


def _whole(code: str) -> str:
    assert "</script" not in code.lower(), "a script would end where it names its own end"
    return code


def _hash(content: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()}'"
