"""Registering and finding methods, and the sentence that each mistake is answered with."""

from textwrap import dedent

import pytest

import methods
from methods import Quantizer, UsageError, available, create, get, load_plugin, register
from methods.core import registry

PLUGIN = """
    from methods import Quantizer, register

    @register("{name}")
    class Plugged(Quantizer):
        pass
"""


@pytest.fixture
def plugin(tmp_path, own_registries):
    def write(source: str, file: str = "plugged.py"):
        path = tmp_path / file
        path.write_text(dedent(source))
        return path

    return write


def message_of(function, *args, **kwargs) -> str:
    with pytest.raises(UsageError) as caught:
        function(*args, **kwargs)
    return str(caught.value)


def test_available_is_sorted_and_has_one_name_a_class():
    names = available()
    assert names == sorted(set(names))
    assert {"vq_vae", "vq_vae_ema", "simvq", "no_quantization"} <= set(names)
    assert len({get(name) for name in names}) == len(names)
    assert all(get(name).name == name for name in names)


def test_create_passes_sizes_and_parameters():
    quantizer = create("vq_vae", 12, 5, beta=2, init="normal")
    assert (quantizer.codebook_size, quantizer.dim, quantizer.level_sizes) == (12, 5, (12,))
    assert quantizer.beta == 2.0
    assert isinstance(quantizer.beta, float)


def test_unknown_method_is_answered_with_the_nearest_and_all_names():
    message = message_of(get, "simqv")
    assert message.startswith("unknown method `simqv` (did you mean `simvq`?); there are: ")
    assert all(name in message for name in available())
    assert "did you mean" not in message_of(get, "zzzzzz")


def test_unknown_parameter_is_answered_with_the_real_ones():
    message = message_of(create, "vq_vae", 8, 4, betta=1.0)
    assert message.startswith("`vq_vae` has no parameter `betta` (did you mean `beta`?); it has: `beta`, `init`")


def test_unfit_values_are_answered_with_what_would_be_right():
    assert message_of(create, "vq_vae", 8, 4, init="kmean") == (
        "init must be one of `uniform`, `unit_uniform`, `normal`, `kmeans`, not `kmean` (did you mean `kmeans`?)"
    )
    assert message_of(create, "vq_vae", 8, 4, beta="big") == "`vq_vae`: `beta` must be a number, not 'big'"
    assert message_of(create, "simvq", 8, 4, bias=1) == "`simvq`: `bias` must be true or false, not 1"
    assert message_of(create, "vq_vae", 8, 4, beta=-1.0) == "beta must be at least 0, not -1.0"
    assert message_of(create, "vq_vae", 0, 4) == "codebook_size must be at least 1, not 0"
    assert message_of(create, "vq_vae", 8, 0) == "the latent dimension must be at least 1, not 0"
    assert message_of(create, "vq_vae", True, 4) == "codebook_size must be at least 1, not True"


def test_declared_maximum_is_kept(own_registries):
    @register("small")
    class Small(Quantizer):
        max_codebook_size = 4096

    assert Small.resolve_size(4096) == (4096,)
    assert message_of(Small.resolve_size, 5000) == "`small` is declared up to 4,096 codes, not 5,000"


def test_whole_number_for_a_float_is_the_same_configuration():
    assert registry.resolve_params("vq_vae", {"beta": 1}) == registry.resolve_params("vq_vae", {"beta": 1.0})
    assert type(registry.resolve_params("vq_vae", {"beta": 1})["beta"]) is float


@pytest.mark.parametrize("value", [3, [1], "abc", {1: 2}])
@pytest.mark.parametrize(("name", "option"), [("vq_vae", "upkeep_params"), ("residual_vq", "level_params")])
def test_parameters_of_a_part_are_names_with_values(name, option, value):
    with pytest.raises(
        UsageError, match=rf"`{name}`: `{option}` must be parameters with their values, `{{NAME: VALUE}}`"
    ):
        create(name, 16, 4, **{option: value})


@pytest.mark.parametrize("value", [3, None, ["vq_vae"]])
def test_a_name_that_is_no_word_is_answered_like_an_unknown_one(value):
    with pytest.raises(UsageError, match="unknown method `"):
        create("product_vq", 16, 4, level=value)


def test_an_integer_option_takes_whole_numbers_only():
    assert registry.resolve_params("simvq", {"layers": 2.0})["layers"] == 2
    assert type(registry.resolve_params("simvq", {"layers": 2.0})["layers"]) is int
    for value in (1.5, True, "two"):
        with pytest.raises(UsageError, match="`layers` must be a whole number, not"):
            registry.resolve_params("simvq", {"layers": value})


def test_collision_names_both_origins(own_registries):
    class Other(Quantizer):
        pass

    message = message_of(register("vq_vae"), Other)
    assert "two methods are called `vq_vae`" in message
    assert "methods.vq_vae.VQVAE" in message
    assert "methods/vq_vae.py" in message
    assert "Other" in message
    assert "test_registry.py" in message


def test_registering_the_same_class_again_is_no_collision(own_registries):
    cls = get("vq_vae")
    assert register("vq_vae")(cls) is cls


def test_what_is_no_quantizer_is_rejected(own_registries):
    class Plain:
        pass

    for thing in (Plain, len, 3):
        assert "must be a class derived from methods.Quantizer" in message_of(register("plain"), thing)
    assert "plain" not in available()


def test_plugin_file_adds_a_method(plugin):
    path = plugin(PLUGIN.format(name="plugged"))
    load_plugin(path)
    assert "plugged" in available()
    assert get("plugged").__name__ == "Plugged"
    load_plugin(str(path))  # a second time is harmless


def test_two_plugins_of_one_file_name_are_both_loaded(plugin, tmp_path):
    load_plugin(plugin(PLUGIN.format(name="first")))
    (tmp_path / "elsewhere").mkdir()
    load_plugin(plugin(PLUGIN.format(name="second"), "elsewhere/plugged.py"))
    assert {"first", "second"} <= set(available())


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("import no_such_module_here", "fails to import: ModuleNotFoundError: No module named 'no_such_module_here'"),
        ("raise SystemExit(0)", "fails to import: SystemExit: 0"),
        ("def broken(:", "fails to import: SyntaxError"),
        ("x = 1", 'registers nothing; decorate its class with @register("name")'),
        (PLUGIN.format(name="vq_vae"), "two methods are called `vq_vae`"),
        (dedent(PLUGIN.format(name="half")) + "1 / 0", "fails to import: ZeroDivisionError: division by zero"),
    ],
)
def test_broken_plugin_is_one_sentence(plugin, source, words):
    path = plugin(source)
    before = available()
    assert words in message_of(load_plugin, path)
    assert words in message_of(load_plugin, path)  # a failed import leaves nothing behind
    assert available() == before


def test_a_class_without_a_card_is_one_sentence_where_its_card_is_asked_for(plugin):
    load_plugin(plugin(PLUGIN.format(name="cardless")))
    assert "the class `Plugged` of method `cardless` has no card; give it" in message_of(registry.card_of, "cardless")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("missing.py", ": there is no such file"),
        ("notes.txt", " is not a Python file"),
        (".", " is not a Python file"),
    ],
)
def test_plugin_that_is_no_python_file(tmp_path, name, words):
    (tmp_path / "notes.txt").write_text("not Python")
    assert message_of(load_plugin, tmp_path / name).endswith(words)


def test_entry_point_of_an_installed_package_is_found(install):
    install(registry.METHODS, PLUGIN.format(name="theirs"), "Plugged")
    assert "theirs" in methods.available()
    assert get("theirs").__module__ == "their_package"


def test_broken_installed_package_is_named(install):
    install(registry.METHODS, "raise RuntimeError('old torch')", "Plugged")
    message = message_of(available)
    assert (
        message == "the installed plug-in `theirs` (their_package:Plugged) of codebook_bench.methods fails to import: "
        "RuntimeError: old torch"
    )


def test_installed_class_that_is_not_registered_is_named(install):
    install(registry.METHODS, "class Plugged: pass", "Plugged")
    assert "registers nothing; CONTRIBUTING.md shows how" in message_of(available)


def test_discovery_is_made_once(monkeypatch):
    available()
    monkeypatch.setattr("methods.core.plugins.installed", None)
    available()
