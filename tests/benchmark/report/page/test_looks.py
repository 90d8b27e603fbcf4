"""Arms look on the page as in the plots, and stand out from a dark ground."""

from matplotlib.colors import to_rgb

from benchmark.report.page.looks import contrast, look, on_dark
from benchmark.report.style import _COLOURS, _KNOWN, _MARKERS, arm_styles, method_style


def test_colours_are_those_of_the_plots():
    arms = [{"arm": name, "method": name} for name in ("vq_vae", "simvq")]
    styles = arm_styles(arms, [])
    assert [look(styles[arm])["colour"] for arm in styles] == [styles[arm].colour for arm in styles]


def test_every_method_has_a_shape():
    assert {look(method_style(name))["shape"] for name in _KNOWN}.isdisjoint(_MARKERS)


def test_a_colour_on_a_dark_ground_is_lighter_only_where_it_must():
    ground = to_rgb("#15171c")
    for colour in _COLOURS:
        assert contrast(to_rgb(on_dark(colour)), ground) >= 3
        assert contrast(to_rgb(colour), ground) < 3.6 or on_dark(colour) == colour
    assert contrast((0, 0, 0), (1, 1, 1)) == 21
