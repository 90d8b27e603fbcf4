"""Colours and markers: stable by method, told apart without colour."""

import pytest
from matplotlib.colors import to_rgb

from benchmark.report.families import COLOURS, OWN, family_of
from benchmark.report.style import _COLOURS, _KNOWN, _SPARE, arm_styles, method_style


def arms(*pairs: tuple[str, str]) -> list[dict[str, str]]:
    return [{"arm": arm, "method": method} for arm, method in pairs]


def luminance(colour: str) -> float:
    return sum(weight * channel for weight, channel in zip((0.299, 0.587, 0.114), to_rgb(colour), strict=True))


def test_known_methods_differ_in_colour_and_marker_together():
    looks = {(method_style(name).colour, method_style(name).marker) for name in _KNOWN}
    assert len(looks) == len(_KNOWN)


def test_the_seven_of_the_comparison_differ_in_colour_and_in_marker():
    styles = [method_style(name) for name in _KNOWN[:7]]
    assert len({style.colour for style in styles}) == len({style.marker for style in styles}) == 7


def test_every_line_is_dark_enough_for_white_paper():
    assert max(luminance(method_style(name).colour) for name in _KNOWN) < 0.72


def test_a_method_looks_the_same_in_every_plan():
    alone = arm_styles(arms(("simvq", "simvq")), [])["simvq"]
    among = arm_styles(arms(("vq_vae", "vq_vae"), ("simvq", "simvq"), ("fsq", "fsq")), [])["simvq"]
    assert alone == among == method_style("simvq")


def test_methods_of_one_plan_have_colours_of_their_own_while_there_are_enough():
    sharing = ["codebook_reset", "factorized_vq", "wasserstein_vq", "vq_vae", "somebody_elses_method"]
    styles = arm_styles(arms(*((name, name) for name in sharing)), [])
    assert len({style.colour for style in styles.values()}) == len(sharing)
    assert styles["codebook_reset"] == method_style("codebook_reset")
    assert {name: style.marker for name, style in styles.items()} == {n: method_style(n).marker for n in sharing}


def test_every_colour_can_be_a_spare_one():
    assert sorted(_SPARE) == sorted(_COLOURS)


def test_a_plug_in_has_a_look_of_its_own_that_stays():
    style = method_style("somebody_elses_method")
    assert style == method_style("somebody_elses_method")
    assert (style.colour, style.marker) not in {(method_style(n).colour, method_style(n).marker) for n in _KNOWN}


def test_arms_of_one_method_keep_its_look_for_the_arm_named_like_it():
    styles = arm_styles(arms(("vq_vae_kmeans", "vq_vae"), ("vq_vae", "vq_vae")), [])
    assert styles["vq_vae"] == method_style("vq_vae")
    assert styles["vq_vae_kmeans"].colour != styles["vq_vae"].colour
    assert styles["vq_vae_kmeans"].marker != styles["vq_vae"].marker


@pytest.mark.parametrize("count", [2, 4, 5, 9])
def test_arms_of_one_method_are_told_apart(count: int):
    styles = arm_styles(arms(*((f"arm_{index}", "simvq") for index in range(count))), [])
    assert len({style.colour for style in styles.values()}) == count
    assert len({style.marker for style in styles.values()}) == count


def test_references_are_grey_and_one_without_a_size_is_told_from_one_with_sizes():
    plan = [{**arm, "reference": True} for arm in arms(("floor", "floor"), ("centroids", "centroids"))]
    styles = arm_styles(plan, ["floor"])
    for style in styles.values():
        red, green, blue = to_rgb(style.colour)
        assert red == green == blue
    assert len({(style.colour, style.marker, style.line) for style in styles.values()}) == 2
    assert arm_styles(plan[::-1], ["floor"]) == styles


def test_more_arms_than_a_legend_bears_have_the_colours_of_their_families():
    styles = arm_styles(arms(*((name, name) for name in (*_KNOWN, "somebody_elses_method"))), [])
    assert styles["simvq"].family == styles["fvq"].family == "codewords behind a map"
    assert styles["somebody_elses_method"].family == OWN
    assert {style.colour for style in styles.values()} == {COLOURS[style.family] for style in styles.values()}
    assert len({(style.colour, style.marker) for style in styles.values()}) == len(styles)


@pytest.mark.parametrize("others", [1, 20])
def test_what_was_measured_elsewhere_is_called_so(others: int):
    plan = arms(("mine", "mine"), *((name, name) for name in _KNOWN[:others]))
    plan[0]["measured"] = True
    styles = arm_styles(plan, [])
    assert [styles[arm["arm"]].label(arm["arm"]) for arm in plan] == ["mine (elsewhere)", *_KNOWN[:others]]


def test_an_ablation_of_one_method_keeps_its_map_however_many_arms_it_has():
    styles = arm_styles(arms(("vq_vae", "vq_vae"), *((f"arm_{index}", "simvq") for index in range(11))), [])
    assert len({style.colour for style in styles.values()}) == 12
    assert {style.family for style in styles.values()} == {None}


def test_every_method_of_ours_has_a_family():
    from methods import available

    assert {name: family_of(name) for name in available() if family_of(name) == OWN} == {}
    assert set(map(family_of, available())) == set(COLOURS) - {OWN}
