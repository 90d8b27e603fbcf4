"""The page of methods is what the cards say."""

from pathlib import Path

from methods import available, get
from methods.cards import cards_markdown


def test_the_page_is_up_to_date() -> None:
    page = (Path(__file__).parents[2] / "methods" / "README.md").read_text(encoding="utf-8")
    assert page == cards_markdown(), "write it anew: python -m methods.cards > methods/README.md"


def test_it_has_a_row_and_a_section_for_every_method() -> None:
    page = cards_markdown()
    for name in available():
        if get(name).__module__.startswith("methods."):
            assert f"\n| [`{name}`](#{name})" in page
            assert f"\n## {name}\n" in page
