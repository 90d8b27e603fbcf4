"""The page of methods is what the cards say."""

from pathlib import Path

import pytest

from methods import available, get
from methods.core.cards import cards_markdown


def test_the_page_is_up_to_date() -> None:
    page = (Path(__file__).parents[3] / "methods" / "README.md").read_text(encoding="utf-8")
    assert page == cards_markdown(), "write it anew: python -m methods.core.cards > methods/README.md"


def test_it_has_a_row_and_a_section_for_every_method() -> None:
    page = cards_markdown()
    for name in available():
        if get(name).__module__.startswith("methods."):
            assert f"\n| [`{name}`](#{name})" in page
            assert f"\n## {name}\n" in page


def test_it_says_what_changes_over_a_run_where_something_does() -> None:
    page = cards_markdown()
    own = [name for name in available() if get(name).__module__.startswith("methods.")]
    said = [name for name in own if get(name).card.schedule]
    assert page.count("\nOver a run: ") == len(said)
    assert {"bsq", "hqa", "nsvq", "codebook_reset", "wasserstein_vq", "fvq"} <= set(said)
    assert not {"ibq", "fsq"} & set(said)


@pytest.mark.parametrize("name", available())
def test_a_method_that_counts_in_steps_says_why(name) -> None:
    """A moving average's decay counts in them too."""
    options = get(name).options({})
    counted = [option for option in options if option == "decay" or option.endswith(("_steps", "_every", "_after"))]
    schedule = get(name).card.schedule
    assert not counted or ("steps" in schedule and "however long the run" in schedule), counted
