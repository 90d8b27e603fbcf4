"""The schema of a suite file and of what a run is made of."""

from typing import Annotated, Any, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from benchmark.records.settings import MOST_ITEMS, MOST_STEPS, PriorTraining, Training

MOST_SEEDS = 1000


class Strict(BaseModel):
    """No unknown key, no silent conversion."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


class Component(BaseModel):
    """Something chosen by name with its options: a data set, a model, an objective."""

    model_config = ConfigDict(extra="allow", strict=True, frozen=True)
    name: str

    @property
    def options(self) -> dict[str, Any]:
        """The options as typed."""
        return dict(self.model_extra or {})


def _named(value: Any) -> Any:
    return {"name": value} if isinstance(value, str) else value


Named = Annotated[Component, BeforeValidator(_named)]


MODALITY_DEFAULTS: dict[str, dict[str, dict[str, Any]]] = {
    "image": {},
    "latents": {},
    # Speech models trained from the first step at the full rate are reported to end in NaN after 20,000 steps.
    "audio": {
        "model": {"name": "codec"},
        "objective": {"name": "mel_waveform"},
        "training": {"warmup_steps": 500},
    },
}
"""What a suite has where it says nothing, by the modality of its data set, before the defaults of all suites."""


class Variant(BaseModel):
    """What differs of an arm at some points of the grid, which further keys name: ``dataset.law: uniform``."""

    model_config = ConfigDict(extra="allow", strict=True, frozen=True)
    params: dict[str, Any] = Field({}, description="what differs of its parameters there")
    training: dict[str, Any] = Field({}, description="what differs of its training there")

    @property
    def where(self) -> dict[str, Any]:
        """Values of the axes at which it holds."""
        return dict(self.model_extra or {})


class Arm(Strict):
    """One row of an experiment: a method with its parameters and training settings."""

    arm: str = Field(pattern=r"^[A-Za-z0-9_]+$", description="its name in tables, that of the method where left out")
    method: str = Field(description="a registered method")
    params: dict[str, Any] = Field({}, description="its parameters")
    training: dict[str, Any] = Field({}, description="what differs of the suite's training")
    at: list[Variant] = Field([], description="what differs at some places of the grid")
    pretrained: str | None = Field(
        None, description="a published checkpoint that is evaluated in place of a training, {codebook_size} in its name"
    )
    init_from: str | None = Field(
        None,
        description="weights to start from: a run's key, or a file, {codebook_size} and {seed} in its name",
    )


def _arm(value: Any) -> Any:
    if isinstance(value, str):
        return {"arm": value, "method": value}
    if isinstance(value, dict) and "method" in value:
        return {"arm": value["method"], **value}
    return value


class Grid(BaseModel):
    """Where every arm is trained: codebook sizes, and further axes by dotted keys (``dataset.shift: [0, 1, 2]``)."""

    model_config = ConfigDict(extra="allow", strict=True, frozen=True)
    codebook_size: list[Annotated[int, Field(ge=1)]] = Field(min_length=1, description="codes a position can take")

    @property
    def axes(self) -> dict[str, Any]:
        """The axes beside the codebook size, as typed."""
        return dict(self.model_extra or {})


class Tuning(Strict):
    """The budget that `tune` spends on every arm at every size: short trials, and the best few again, longer.

    Where ``steps`` has a third length, that of the training itself, the best of the long trials is tried in full,
    and half a decade below its learning rate, for long trainings like lower rates than short ones.
    """

    codebook_sizes: list[Annotated[int, Field(ge=1)]] = Field([1024], min_length=1, description="each tuned apart")
    learning_rates: list[Annotated[float, Field(gt=0)]] = Field(
        [1e-3, 3e-3, 1e-2], min_length=2, description="of the first trials, half decades (0.001, 0.003, 0.01, ...)"
    )
    steps: list[Annotated[int, Field(ge=1, le=MOST_STEPS)]] = Field(
        [500, 2000],
        min_length=2,
        max_length=3,
        description="of a short trial, of a long one, and of one in full where the best is tried in full, too",
    )
    further: int = Field(
        6, ge=0, le=1000, description="short trials beyond the first, beside the best or outside the range"
    )
    keep: int = Field(3, ge=1, le=1000, description="learning rates whose best settings are tried again, longer")
    seeds: int = Field(2, ge=1, le=MOST_SEEDS, description="of each long trial")

    @model_validator(mode="after")
    def _a_budget_that_can_be_counted(self) -> Self:
        if len(set(self.learning_rates)) < len(self.learning_rates):
            raise ValueError("a learning rate stands there twice, and no trial is made twice")
        if self.steps != sorted(self.steps):
            raise ValueError(
                f"steps grow from a short trial to the longest, not {', '.join(map('{:,}'.format, self.steps))}"
            )
        return self


class Sampling(Strict):
    """How images are drawn from a prior: nothing is cut off, and nothing guided but in the columns of `Guidance`."""

    images: int = Field(10_000, ge=2, le=10**6, description="as many of each class as of any other")
    temperature: float = Field(1.0, gt=0, description="by which logits are divided")


class Guidance(Strict):
    """Samples once more with classifier-free guidance, its strength chosen for every prior by the same rule.

    The prior must also learn what it is to be told no class. Of the strengths the one is chosen whose samples have the
    least kernel distance to validation images.
    """

    dropped: float = Field(0.1, gt=0, lt=1, description="share of training items whose class is not told")
    strengths: list[Annotated[float, Field(ge=1)]] = Field(
        [1.0, 1.5, 2.0, 3.0], min_length=2, description="tried; 1 is none at all"
    )
    images: int = Field(2000, ge=2, le=10**6, description="samples of each strength that is tried")

    @model_validator(mode="after")
    def _different_strengths(self) -> Self:
        if len(set(self.strengths)) < len(self.strengths):
            raise ValueError("a strength stands there twice, and none is tried twice")
        return self


class SampleClassifier(Strict):
    """A small classifier trained on samples, on reconstructions and on real images, as many of each."""

    steps: int = Field(1000, ge=1, le=MOST_STEPS, description="of its training")
    batch_size: int = Field(64, ge=1, le=MOST_ITEMS, description="images a step")


class Spread(Strict):
    """Further priors on one tokenizer of a few arms, that of the first seed: how much of the spread is the prior's."""

    arms: list[str] = Field(min_length=1, description="arms of the suite")
    seeds: int = Field(3, ge=2, le=MOST_SEEDS, description="priors on each of these tokenizers, the usual one counted")


class SecondPrior(Strict):
    """A further prior on the codes of every tokenizer, to see whether the order of arms hangs on the prior.

    It is told of classes and sampled as the first, without guidance and without classifiers of samples.
    """

    prior: Named = Field(description="written as the first")
    training: PriorTraining | None = Field(None, description="that of the first where left out")


class Generation(Strict):
    """The second stage: a prior for the codes of every tokenizer of the suite, and images drawn from it."""

    prior: Named = Field(
        Component(name="transformer"), description="model of the codes; {name: ..., option: ...} gives it options"
    )
    training: PriorTraining = Field(description="of every prior")
    sampling: Sampling = Field(Sampling(), description="of images from a prior")
    features: str | None = Field(
        None, description="network of the distances of samples; that of the evaluation where left out"
    )
    conditional: bool | None = Field(
        None, description="whether a prior is told the class; where the data set has labels, if left out"
    )
    guidance: Guidance | None = Field(None, description="guided samples beside those without, where it is given")
    classifier: SampleClassifier | None = Field(
        None, description="what samples are worth as training images, where it is given"
    )
    spread: Spread | None = Field(None, description="further priors on some tokenizers")
    second: SecondPrior | None = Field(
        None, description="another prior on every tokenizer, in a table beside the first"
    )


class SuiteFile(Strict):
    """One experiment."""

    question: str = Field(description="what the suite answers, the title of its tables")
    needs: str | None = Field(None, description="what a person must have for it, where that is much")
    dataset: Named = Field(description="what is trained on; {name: ..., option: ...} gives it options")
    model: Named = Field(
        Component(name="conv"), description="encoder and decoder, written as a data set; `codec` for sound"
    )
    objective: Named = Field(
        Component(name="squared_error"),
        description="what is minimised, written as a data set; `mel_waveform` for sound",
    )
    training: Training = Field(description="of every arm, which may say otherwise")
    evaluation: dict[str, Any] = Field({}, description="options of the metrics of the data set's modality")
    seeds: int = Field(3, ge=1, le=MOST_SEEDS, description="runs of every arm at every place, seeds 0 to N - 1")
    grid: Grid = Field(description="where every arm is trained")
    methods: list[Annotated[Arm, BeforeValidator(_arm)]] = Field(min_length=1, description="the arms")
    tuning: Tuning = Field(Tuning(), description="the budget of `tune`")
    tuned: str | None = Field(None, description="file of tuned choices, relative to the suite's own folder")
    generation: Generation | None = Field(None, description="the second stage, priors on the codes of all arms")
    tables: list[str | dict[str, Any]] = Field([], description="all that apply, where none is named")
    plots: list[str | dict[str, Any]] = Field([], description="all that apply, where none is named")
