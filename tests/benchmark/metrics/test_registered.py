"""What computes a metric is registered, and a suite then names it: a measure of speech, and metrics of any data."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor

from benchmark.components import Components
from benchmark.metrics import extra_metrics, metrics
from benchmark.metrics.base import ItemMean, ReconstructionMetrics
from benchmark.metrics.parts.extra import create_metrics, evaluation_options
from benchmark.metrics.parts.speech import Facts, Measure, Pair, measures
from benchmark.suite.plan import plan_suite
from methods.core.usage import UsageError

Write = Callable[[dict[str, object] | str], str]
CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def one_thread(own_registries: None) -> None:
    torch.set_num_threads(1)


def register_extremes() -> None:
    """A metric of images with an option, and one of sounds."""

    @extra_metrics.register("extremes", modality="image")
    def extremes(*, above: float = 0.5, device: torch.device) -> ReconstructionMetrics:
        def measure(originals: Tensor, reconstructions: Tensor) -> Tensor:
            return (reconstructions > above).double().flatten(1).mean(1) / (originals > above).flatten(1).any(1)

        return ItemMean("extremes", measure, device)

    @extra_metrics.register("loudness", modality="audio")
    def loudness(*, device: torch.device) -> ReconstructionMetrics:
        return ItemMean("loudness", lambda _, sounds: sounds.square().mean((1, 2)), device)


def test_a_measure_of_speech_is_named_where_it_is_computed_alone():
    @measures.register("loudness")
    class Loudness(Measure):
        columns = ("loudness", "loudness_before")
        is_safe = True  # and so measured in this process, which alone knows it

        def values(self, pair: Pair, facts: Facts | None) -> tuple[float | None, ...]:
            assert facts is None
            assert pair.sample_rate == 8000
            assert len(pair.reconstruction_16k) == 2 * len(pair.reconstruction)
            return tuple(float(np.abs(clip).max()) for clip in (pair.reconstruction, pair.original))

    assert evaluation_options("audio", {"speech": ["loudness"]}) == {"speech": ["loudness"], "clips": None}
    made = create_metrics("audio", {"speech": ["loudness"]}, item_shape=(1, 8000), device=CPU, sample_rate=8000)
    clips = torch.full((2, 1, 8000), 0.25)
    made.update(clips, 2 * clips)
    found = made.compute()
    assert (found["loudness"], found["loudness_before"], found["loudness_undefined"]) == (0.5, 0.25, 0)
    assert made.details() == {name: {"clips": 2} for name in Loudness.columns}


def test_an_extra_metric_is_the_mean_over_the_items_that_have_one():
    register_extremes()
    options = {"features": None, "lpips": [], "extra": [{"name": "extremes", "above": 0.25}]}
    made = create_metrics("image", options, item_shape=(1, 16, 16), device=CPU, originals_key="")
    images = torch.zeros(3, 1, 16, 16)
    images[0] = 1
    images[1, :, 0] = 0.375
    made.update(images[:2], images[:2])
    made.update(images[2:], images[2:])
    found = made.compute()
    assert found["extremes"] == (1 + 1 / 16) / 2
    assert found["extremes_undefined"] == 1  # 0 / 0
    assert found["psnr"] == 100
    assert made.details() == {}


def test_extra_metrics_are_in_the_key_with_all_their_options(tiny: dict, write_suite: Write):
    register_extremes()
    before = plan_suite(write_suite(tiny)).runs[0]
    assert before.config["evaluation"] == {"features": None, "lpips": []}
    empty = plan_suite(write_suite(tiny), overrides={"evaluation.extra": [], "evaluation.unmapped": False}).runs[0]
    assert empty.key == before.key
    runs = [
        plan_suite(write_suite(tiny), overrides={"evaluation.extra": [extra]}).runs[0]
        for extra in ("extremes", {"name": "extremes", "above": 0.5})
    ]
    assert runs[0].config["evaluation"]["extra"] == [{"name": "extremes", "above": 0.5}]
    assert runs[0].key == runs[1].key != before.key


@pytest.mark.parametrize(
    ("evaluation", "message"),
    [
        (
            {"extra": ["extremse"]},
            r"unknown metric `extremse` \(did you mean `extremes`\?\); there are: distances, extremes, loud",
        ),
        ({"extra": ["loudness"]}, r"`extra`: `loudness` is for `audio` data, not `image`"),
        ({"extra": ["extremes", {"name": "extremes"}]}, r"`extra` lists `extremes` twice"),
        (
            {"extra": [{"name": "extremes", "abov": 1}]},
            r"metric `extremes` has no parameter `abov` \(did you mean `abo",
        ),
        ({"extra": "extremes"}, r"`extra` must be a list of metrics, not 'extremes'"),
        ({"extra": [3]}, r"`extra` lists metrics by name or as \{name: ..., option: ...\}, not 3"),
        ({"lpisp": []}, r"no parameter `lpisp` \(did you mean `lpips`\?\); it has: .*`distinct_codes`, `extra`"),
        ({"features": "inceptoin"}, r"`features` must be one of .*, not `inceptoin` \(did you mean `inception`\?\)"),
        ({"lpips": ["alxe"]}, r"`lpips` lists 'alxe' \(did you mean `alex`\?\); there are: `alex`, `vgg`"),
        ({"lpips": "alex"}, r"`lpips` must be a list out of `alex`, `vgg`, not 'alex'"),
        ({"training_codes": "yes"}, r"`training_codes` must be true or false, not 'yes'"),
    ],
)
def test_a_mistake_says_where_it_is_and_what_would_be_right(
    evaluation: dict, message: str, tiny: dict, write_suite: Write
):
    register_extremes()
    file = write_suite({**tiny, "evaluation": {"features": None, **evaluation}})
    with pytest.raises(UsageError, match=rf"^{file}:\d+: evaluation: .*{message}") as caught:
        plan_suite(file)
    assert "\n" not in str(caught.value)
    [[option, value]] = evaluation.items()
    with pytest.raises(UsageError, match=rf"^(--set evaluation.{option}|{file}:\d+): evaluation: .*{message}"):
        plan_suite(write_suite(tiny), overrides={f"evaluation.{option}": value})


def test_tuning_looks_at_the_cheapest():
    assert [metrics.trait(name, "cheapest") for name in ("audio", "image", "latents")] == [
        {"speech": []},
        {"features": None, "lpips": []},
        {},
    ]


def test_an_option_added_later_stays_out_of_keys_at_its_default():
    things: Components[int] = Components("thing", "benchmark.metrics", ("given",), common={"counted": False})
    seen: list[tuple[int, list[int]]] = []

    def check(old: int, new: list[int]) -> None:
        seen.append((old, new))
        if old < 0:
            raise UsageError("`old` must not be negative")

    @things.register("invented", check=check, added=("new",))
    def invented(*, old: int = 1, new: tuple[int, ...] = (2, 3), given: int) -> int:
        return old + sum(new) + given

    assert things.identity("invented", {}) == {"old": 1}
    assert things.identity("invented", {"new": [2, 3], "counted": False}) == {"old": 1}
    assert things.identity("invented", {"new": [4], "counted": True}) == {"old": 1, "new": [4], "counted": True}
    assert list(things.parameters("invented")) == ["old", "new", "counted"]
    assert things.create("invented", {"counted": True}, given=10, other=0) == 16
    assert seen[-1] == (1, (2, 3))
    with pytest.raises(UsageError, match="`old` must not"):
        things.create("invented", {"old": -1}, given=0)
