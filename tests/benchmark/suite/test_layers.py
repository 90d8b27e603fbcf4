"""Arms trained layer after layer: what a stack is trained with, and every mistake one sentence."""

from collections.abc import Callable
from typing import Any

import pytest

from benchmark.suite.plan import plan_suite
from methods import UsageError

Write = Callable[[dict[str, object] | str], str]
STACK = {"name": "hqa_stack", "layers": 3}


def _suite(**changed: Any) -> dict[str, object]:
    arm = {"arm": "stack", "method": "hqa", "training": {"layerwise": True}}
    return {
        "question": "?",
        "dataset": "fashion_mnist",
        "model": STACK,
        "training": {"steps": 10},
        "seeds": 1,
        "grid": {"codebook_size": [16]},
        "methods": [arm, "hqa"],
        **changed,
    }


def test_a_stack_has_a_key_of_its_own_and_the_model_at_once_the_usual_one(write_suite: Write) -> None:
    stack, at_once = plan_suite(write_suite(_suite())).runs
    assert stack.config["training"]["layerwise"] is True
    assert "layerwise" not in at_once.config["training"]
    assert "draws" not in at_once.config["params"]


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"model": "conv"}, "layerwise of arm `stack` is for a model that is a stack of layers, .* not `conv`"),
        ({"objective": "perceptual_adversarial"}, "trains every layer by `squared_error`, .* not `perceptual"),
        ({"training": {"steps": 2}}, "arm `stack` shares 2 steps out over 3 layers; give it 3 steps or more"),
        (
            {"training": {"steps": 10, "schedule": "linear", "warmup_steps": 3}},
            "training of a layer of arm `stack`: schedule linear needs steps after the 3 of the warm-up",
        ),
        ({"training": {"steps": 10, "ema_decay": 0.9}}, "ema_decay can't be combined with layerwise"),
        ({"model": {**STACK, "layers": 6}}, "6 layers need as many encoder_widths"),
    ],
)
def test_a_mistake_is_one_sentence(changed: dict[str, Any], message: str, write_suite: Write) -> None:
    with pytest.raises(UsageError, match=message):
        plan_suite(write_suite(_suite(**changed)))
