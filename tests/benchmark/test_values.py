"""Values as YAML 1.2 has them, and what looks like one thing and might be another."""

import pytest

from benchmark.values import parse_value
from methods.core.usage import UsageError


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("010", 10),
        ("0o10", 8),
        ("0x1F", 31),
        ("1:30", "1:30"),
        ("1_000", "1_000"),
        ("-3", -3),
        ("1e-3", 0.001),
        ("1.", 1.0),
        (".5", 0.5),
        ("2024-01-02", "2024-01-02"),
        ("yes", "yes"),
        ("True", True),
        ("~", None),
        ("", None),
        ("'010'", "010"),
        ("!!str 010", "010"),
        ("!!int '12'", 12),
        ("[256,512]", [256, 512]),
        ("[64,128,256]", [64, 128, 256]),
        ("[1, 024]", [1, 24]),
        ("{a: 0b1}", {"a": "0b1"}),
        ("[a", "[a"),
    ],
)
def test_values_are_those_of_yaml_1_2(text: str, value: object) -> None:
    found = parse_value(text)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[1,024]", "does `1,024` mean 1024, then write it without the comma, or two numbers, then write a space"),
        ("[256, 16,384]", "does `16,384` mean 16384"),
        ("[2,500,000]", "does `500,000` mean 500000"),
        (".inf", "`.inf` is no finite number"),
        ("-.inf", "`-.inf` is no finite number"),
        (".nan", "`.nan` is no finite number"),
        ("1e999", "`1e999` is no finite number"),
        ("!!int ''", "can't read `` as tag:yaml.org,2002:int"),
        ("!!float x", "can't read `x` as"),
        ("!!timestamp x", "can't read `x` as"),
        ("!mine x", "can't read `x` as !mine"),
        ("{<<: {a: 1}}", "merge keys"),
        ("9" * 5000, "has 5,000 digits, too many for a number"),
        ("&a [*a]", "nested too deeply, or too large"),
    ],
)
def test_what_cannot_be_read_is_one_sentence(text: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_value(text)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
