"""What a person types is answered with one sentence, and the checks need no torch."""

import subprocess
import sys

import pytest

from methods.core.usage import UsageError, check_choice, check_count, check_options, check_range, options_of


def message_of(function, *args, **kwargs) -> str:
    with pytest.raises(UsageError) as caught:
        function(*args, **kwargs)
    return str(caught.value)


def test_option_without_default_must_be_given():
    def build(depth: int, width: int = 2):
        return depth * width

    assert message_of(check_options, "`build`", options_of(build), {}) == "`build` needs the parameter `depth`"
    assert check_options("`build`", options_of(build), {"depth": 3}) == {"depth": 3, "width": 2}


def test_whole_number_too_large_for_a_float_is_one_sentence():
    sentence = message_of(check_options, "`build`", options_of(lambda rate=0.1: rate), {"rate": 10**400})
    assert sentence == "`build`: `rate` is an integer too large for a float"


def test_check_count_without_bound():
    assert check_count("n", 7) == 7
    with pytest.raises(UsageError, match=r"^n must be a whole number of at least 1, not 0$"):
        check_count("n", 0)
    assert check_count("n", 0, least=0) == 0


@pytest.mark.parametrize("value", [0, 11, 2.0, True, "3"])
def test_check_count_within_bounds(value):
    assert message_of(check_count, "n", value, 10) == f"n must be a whole number from 1 to 10, not {value!r}"


def test_check_range_is_inclusive_and_takes_no_truth_value():
    for value in (0, 0.5, 1):
        check_range("share", value, 0, 1)
    assert message_of(check_range, "share", 1.5, 0, 1) == "share must be between 0 and 1, not 1.5"
    assert message_of(check_range, "share", -1, 0) == "share must be at least 0, not -1"
    assert message_of(check_range, "share", True, 0, 1) == "share must be between 0 and 1, not True"
    assert message_of(check_range, "share", float("nan"), 0, 1) == "share must be between 0 and 1, not nan"


def test_check_choice_names_the_choices_and_the_nearest():
    check_choice("metric", "cosine", ("cosine", "euclidean"))
    assert message_of(check_choice, "metric", "cosin", ("cosine", "euclidean")) == (
        "metric must be one of `cosine`, `euclidean`, not `cosin` (did you mean `cosine`?)"
    )


def test_torch_is_not_imported_for_it():
    """A person who only makes tables does not wait for torch."""
    code = "import sys; from methods import UsageError; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
