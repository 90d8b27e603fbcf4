"""A suite with priors end to end on a toy: keys, records, and what is left out and said."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from benchmark.data import Dataset, Labels, datasets
from benchmark.metrics.parts.features import EXTRACTORS, Classifier
from benchmark.records.record import read_record
from benchmark.records.run import KEY
from benchmark.records.store import CHECKPOINT, Store
from benchmark.suite.plan import Plan, plan_suite
from benchmark.suite.plan_file import write_plan
from benchmark.suite.priors import left_out
from benchmark.sweep.display import Display
from benchmark.sweep.estimate import estimate_seconds
from benchmark.sweep.launchers import LocalLauncher
from benchmark.sweep.runner import Outcome, Settings, run_plan
from methods import UsageError

pytest.importorskip("x_transformers", reason="needs x-transformers, of the extra [generation]")
Write = Callable[[dict[str, object] | str], str]
CPU = torch.device("cpu")


def test_a_prior_for_every_tokenizer_that_has_codes(
    second_stage: Callable[..., Plan], tmp_path: Path, run: Callable[[Plan, Store], Outcome]
) -> None:
    methods = ["vq_vae", {"arm": "levels", "method": "residual_vq", "params": {"depth": 3}}, "no_quantization"]
    plan = second_stage(methods=methods)
    store = Store(tmp_path / "results")
    tokenizers = [made for made in plan.runs if made.tokenizer is None]
    priors = [made for made in plan.runs if made.tokenizer is not None]
    assert plan.runs == [*tokenizers, *priors]  # tokenizers first
    assert [bool(KEY.fullmatch(made.key)) for made in plan.runs] == [True] * 5
    assert [made.key.rpartition("-")[0] for made in priors] == ["prior_vq_vae-K8-s0", "prior_residual_vq-K8-s0"]
    coded = [made for made in tokenizers if made.arm != "no_quantization"]
    assert [made.tokenizer for made in priors] == [made.key for made in coded]
    assert {made.keep for made in tokenizers} == {"weights"}
    assert left_out(plan.priors) == [
        "1 arm has no prior: no_quantization (a prior models codes, and this method has none; leave its arm out of "
        "`generation`)"
    ]

    outcome = run(plan, store)
    assert outcome.failed == []
    assert set(outcome.ended) == {made.key for made in plan.runs}
    for made in priors:
        record = read_record(store.record_path(made.key))
        metrics = record["metrics"]
        assert record["config"]["tokenizer"] == next(t for t in coded if t.key == made.tokenizer).config
        assert metrics["code_length"] == pytest.approx(
            metrics["code_length_codes"] + metrics["code_length_pixels"], rel=1e-9
        )
        assert metrics["structure"] == pytest.approx(metrics["single_entropy"] - metrics["nll"], abs=1e-9)
        assert set(record["files"]) == {"history.csv", "generated.png", "nearest.png"}
        assert not (store.run_folder(made.key) / CHECKPOINT).exists()
        history = (store.run_folder(made.key) / "history.csv").read_text().splitlines()
        assert history[0] == "step,seconds,learning_rate,loss,validation_nll"
    assert read_record(store.record_path(priors[1].key))["level_sizes"] == [2, 2, 2]
    again = run(plan, store)
    assert len(again.skipped) == 5
    write_plan(plan, store)
    assert '"prior_seed": 0' in (store.folder / "plan.json").read_text()


def test_a_prior_trains_in_a_process_of_its_own(second_stage: Callable[..., Plan], tmp_path: Path) -> None:
    plan, store = second_stage(methods=["vq_vae"]), Store(tmp_path / "results")
    outcome = run_plan(plan, store, LocalLauncher(1), Settings("cpu", threads=1), Display(quiet=True))
    assert outcome.failed == []
    assert [read_record(store.record_path(made.key))["status"] for made in plan.runs] == ["ok", "ok"]
    assert plan.runs[-1].tokenizer == plan.runs[0].key


def test_a_suite_without_a_second_stage_is_what_it_was(tiny: dict[str, object], write_suite: Write) -> None:
    plan = plan_suite(write_suite(tiny))
    assert plan.priors == []
    assert [made.keep for made in plan.runs] == [None, None]


def test_a_tokenizer_is_the_same_run_with_and_without_a_second_stage(
    tiny: dict[str, object], write_suite: Write, second_stage: Callable[..., Plan]
) -> None:
    with_priors = [made.key for made in second_stage().runs if made.tokenizer is None]
    assert with_priors == [made.key for made in plan_suite(write_suite(tiny)).runs]


def test_keys_name_what_makes_a_prior_another(second_stage: Callable[..., Plan], small_stage: dict[str, Any]) -> None:
    def key(generation: dict[str, Any]) -> str:
        return str(second_stage(generation, methods=["vq_vae"]).runs[-1].key)

    usual = key({})
    changes = [
        {"training": {"steps": 5, "batch_size": 8}},
        {"prior": {**small_stage["prior"], "width": 16}},
        {"sampling": {"images": 9}},
        {"sampling": {"images": 8, "temperature": 0.9}},
    ]
    assert len({usual, *map(key, changes)}) == 5
    assert key({"training": {**small_stage["training"], "timeout": 100.0}}) == usual


def test_more_priors_on_one_tokenizer(second_stage: Callable[..., Plan]) -> None:
    plan = second_stage({"spread": {"arms": ["simvq"], "seeds": 3}}, seeds=2)
    found = [(prior.arm, prior.seed, prior.prior_seed) for prior in plan.priors]
    assert found == [
        ("vq_vae", 0, 0),
        ("vq_vae", 1, 0),
        ("simvq", 0, 0),
        ("simvq", 0, 1),
        ("simvq", 0, 2),
        ("simvq", 1, 0),
    ]
    assert len({made.key for made in plan.runs}) == 4 + 6


@pytest.mark.parametrize(
    ("generation", "sentence"),
    [
        ({"prior": {"name": "transfomer"}}, "unknown prior `transfomer` (did you mean `transformer`?)"),
        ({"prior": {"name": "transformer", "widht": 8}}, "prior `transformer` has no parameter `widht` (did you mean"),
        ({"prior": {"name": "transformer", "width": 10}}, "a prior of width 10 can't be divided among 4 heads"),
        ({"training": {"batch_size": 8}}, "the key `generation.training.steps` is missing"),
        ({"training": {"steps": 8, "stepz": 9}}, "unknown key `generation.training.stepz` (did you mean `steps`?)"),
        ({"training": {"steps": 8, "warmup_steps": 8}}, "warmup_steps (8) must be fewer than steps (8)"),
        ({"training": {"steps": 1}}, "schedule cosine needs at least 2 steps, not 1"),
        (
            {"training": {"steps": 8, "schedule": "constant", "final_share": 0.1}},
            "final_share is the end of a schedule; set schedule to cosine or linear",
        ),
        ({"sampling": {"temperature": 0.0}}, "`generation.sampling.temperature` must be greater than 0"),
        ({"conditional": True}, "data set `image_folder` has no labels that a prior could be told"),
        ({"features": "inceptoin"}, "generation: `features` must be one of"),
        ({"spread": {"arms": ["simqv"]}}, "`spread` names no arm: `simqv` (did you mean `simvq`?)"),
        ({"guidance": {}}, "`guidance` needs classes that the prior is told, and here it is told none; leave it out"),
        ({"guidance": {"droped": 0.1}}, "unknown key `generation.guidance.droped` (did you mean `dropped`?)"),
        ({"guidance": {"strengths": [2.0]}}, "`generation.guidance.strengths` must have at least 2 entries, not 1"),
        ({"guidance": {"strengths": [2.0, 2.0]}}, "a strength stands there twice, and none is tried twice"),
        ({"classifier": {"steps": 5}}, "`classifier` needs classes that the prior is told"),
        ({"prior": {"name": "native", "depth_width": 9}}, "a prior of width 9 can't be divided among 2 heads"),
    ],
)
def test_mistakes_are_one_sentence(
    refused: Callable[[dict[str, Any], str], None], generation: dict[str, Any], sentence: str
) -> None:
    refused(generation, sentence)


def test_more_joint_codes_than_one_softmax_holds(second_stage: Callable[..., Plan]) -> None:
    methods = ["vq_vae", "lfq", {"method": "residual_vq", "params": {"depth": 13}}]
    plan = second_stage(methods=methods, grid={"codebook_size": [8192]})
    [sentence] = left_out(plan.priors)
    assert sentence == (
        "3 arms have no prior: vq_vae, lfq, residual_vq (8,192 joint codes are more than the 4,096 that one softmax "
        "can hold; choose a smaller codebook_size, or, for codes of levels, digits or bits, `prior: native`, with a "
        "softmax for each)"
    )
    native = second_stage({"prior": "native"}, methods=methods, grid={"codebook_size": [8192]})
    assert [prior.run is not None for prior in native.priors] == [False, True, True]
    assert left_out(native.priors) == [
        "1 arm has no prior: vq_vae (8,192 values of one level are more than the 4,096 that one softmax can hold; "
        "choose a smaller codebook_size)"
    ]


def test_methods_without_codes_or_without_a_bound_of_them(second_stage: Callable[..., Plan]) -> None:
    plan = second_stage(methods=["vq_vae", "sc_vae", "no_quantization", "ll_vq_vae"])
    assert left_out(plan.priors) == [
        "2 arms have no prior: sc_vae, no_quantization (a prior models codes, and this method has none; leave its arm "
        "out of `generation`)",
        "1 arm has no prior: ll_vq_vae (a prior needs a number of codes, and this method's have no bound; leave its "
        "arm out of `generation`)",
    ]


@pytest.fixture
def labelled(monkeypatch: pytest.MonkeyPatch) -> None:
    """The images of the user have classes, and the metrics know such images."""
    known, classes = datasets.create, datasets.trait

    def create(name: str, options: dict[str, Any]) -> Dataset:
        made = known(name, options)
        found = Labels(*(torch.arange(len(split)) % 2 for split in (made.train, made.validation, made.test)))
        return replace(made, labels=lambda: found)

    def trait(name: str, what: str) -> Any:
        return ("even", "odd") if what == "classes" else classes(name, what)

    monkeypatch.setattr(datasets, "create", create)
    monkeypatch.setattr(datasets, "trait", trait)
    monkeypatch.setitem(EXTRACTORS, "toy", _Toy)


class _Toy(Classifier):
    """Means of the channels; the class is whether there is more red than blue."""

    name, distance, num_features, weights = "toy", "fd_toy", 3, "0" * 64

    def __init__(self, device: torch.device) -> None:
        pass

    def __call__(self, images: torch.Tensor) -> torch.Tensor:
        return images.float().mean((2, 3)) / 64

    def classify(self, features: torch.Tensor) -> torch.Tensor:
        return (features[:, 0] > features[:, 2]).long()

    def input_size(self, height: int, width: int) -> tuple[int, int]:
        return height, width


@pytest.mark.usefixtures("labelled")
def test_guidance_and_a_classifier_of_samples(
    second_stage: Callable[..., Plan], tmp_path: Path, run: Callable[[Plan, Store], Outcome]
) -> None:
    wanted = {
        "features": "toy",
        "guidance": {"dropped": 0.3, "strengths": [1.0, 2.0], "images": 6},
        "classifier": {"steps": 2, "batch_size": 4},
    }
    plan = second_stage(wanted, methods=["vq_vae"])
    assert plan.priors[0].run is not None
    assert plan.priors[0].run.config["guidance"] == {"dropped": 0.3, "strengths": [1.0, 2.0], "images": 6}
    # What is not asked for is in no key: those of older records stay.
    assert set(second_stage(methods=["vq_vae"]).runs[-1].config) == {
        *("prior", "classes", "training", "sampling", "features", "seed", "tokenizer"),
    }
    store = Store(tmp_path / "results")
    assert run(plan, store).failed == []
    record = read_record(store.record_path(plan.runs[-1].key))
    metrics = record["metrics"]
    assert metrics["guidance_strength"] in (1.0, 2.0)
    assert set(record["details"]["guidance"]["kid_validation"]) == {"1", "2"}
    of = ("samples", "guided", "reconstructions")
    assert {f"{kind}_class_told" for kind in of} | {f"{kind}_fd_toy" for kind in of} <= set(metrics)
    if metrics["guidance_strength"] == 1.0:
        assert metrics["guided_kid_toy"] == metrics["samples_kid_toy"]
    for kind in ("samples", "reconstructions", "train"):
        assert 0 <= metrics[f"{kind}_trained_accuracy"] <= 1
    # One prior told nothing of some items has another embedding more, and the same number of weights else.
    assert record["details"]["prior"]["weights"] > 0


def test_the_native_track_has_a_prior_for_codes_of_many_digits(
    second_stage: Callable[..., Plan], tmp_path: Path, run: Callable[[Plan, Store], Outcome]
) -> None:
    prior = {"name": "native", "layers": 1, "width": 8, "heads": 2, "depth_width": 8}
    arms = [{"arm": "levels", "method": "residual_vq", "params": {"depth": 2}}, "bsq"]
    plan = second_stage({"prior": prior}, methods=arms, grid={"codebook_size": [16_384]})
    store = Store(tmp_path / "results")
    assert run(plan, store).failed == []
    for made in plan.priors:
        assert made.run is not None
        metrics = read_record(store.record_path(made.run.key))["metrics"]
        assert metrics["nll"] == pytest.approx(14, rel=0.05)
        assert metrics["structure"] == pytest.approx(metrics["single_entropy"] - metrics["nll"], abs=1e-9)
        assert 0 < metrics["samples_usage"] < 1


def test_other_data_than_images(second_stage: Callable[..., Plan]) -> None:
    with pytest.raises(UsageError, match="generation is for images, but `planted` holds `latents`"):
        second_stage(dataset="planted", model="identity", evaluation={})


def test_how_long_priors_take_is_estimated(second_stage: Callable[..., Plan]) -> None:
    plan = second_stage(methods=[{"method": "residual_vq", "params": {"depth": 3}}])
    seconds, basis = estimate_seconds(plan, plan.runs, None, CPU)
    assert seconds > 0
    assert basis == "2 timed for a few steps each"


def test_tokenizers_of_the_evidence_are_those_of_the_suite() -> None:
    arms = ["vq_vae", "simvq"]
    evidence, ours = (plan_suite(name, methods=arms) for name in ("training_length", "generation"))
    there = {made.key for made in evidence.runs if made.steps == 16_000 and made.config["codebook_size"] == 1024}
    assert there == {made.key for made in ours.runs if made.tokenizer is None and made.config["codebook_size"] == 1024}
