"""The schema of a suite file and of what a run is made of."""

from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator


class Strict(BaseModel):
    """No unknown key, no silent conversion."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


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


class Training(Strict):
    """How every arm is trained; an arm may override any key."""

    PLACING: ClassVar[tuple[str, ...]] = ("timeout", "devices", "deterministic", "keep")
    """Bound or place a run, or say what it leaves, without changing what it computes beyond rounding."""
    ADDED: ClassVar[tuple[str, ...]] = (
        "schedule",
        "final_share",
        "weight_decay",
        "continuous_share",
        "freeze_encoder",
        "quantizer_learning_rate",
    )
    """Younger than some records: at their defaults left out of a run's key."""

    steps: int | None = Field(None, ge=1, description="None only where they are an axis of the grid")
    batch_size: int = Field(128, ge=1)
    learning_rate: float = Field(1e-3, gt=0)
    schedule: Literal["constant", "cosine", "linear"] = Field("constant", description="after the warm-up")
    warmup_steps: int = Field(0, ge=0)
    final_share: float = Field(0.0, ge=0, le=1, description="of the learning rate, at the end of the schedule")
    optimizer: Literal["adam", "adamw", "sgd"] = "adam"
    weight_decay: float = Field(0.0, ge=0, description="of AdamW, on the autoencoder's weight matrices alone")
    momentum: float = Field(0.9, ge=0, lt=1, description="of SGD")
    clip_norm: float | None = Field(None, gt=0)
    ema_decay: float | None = Field(None, gt=0, lt=1, description="of the evaluated average of weights and codebooks")
    continuous_share: float = Field(0.0, ge=0, lt=1, description="of the steps, the first, that are not quantized")
    freeze_encoder: bool = Field(False, description="as it is when quantization starts")
    quantizer_learning_rate: float | None = Field(None, gt=0, description="the learning rate where left out")
    precision: Literal["fp32", "bf16"] = "fp32"
    timeout: float | None = Field(None, gt=0, description="seconds of training; not part of a run's key")
    devices: int = Field(1, ge=1, description="that share every batch of one run; not part of a run's key")
    deterministic: bool = Field(False, description="slower kernels that repeat exactly; not part of a run's key")
    keep: Literal["weights"] | None = Field(None, description="of a finished run; not part of its key")

    @model_validator(mode="after")
    def _a_share_for_every_device(self) -> Self:
        if self.devices > self.batch_size:
            raise ValueError(f"devices ({self.devices}) must not exceed batch_size ({self.batch_size})")
        return self

    @model_validator(mode="after")
    def _a_schedule_that_fits(self) -> Self:
        steps = self.steps
        if steps is not None and self.warmup_steps > steps:
            raise ValueError(f"warmup_steps ({self.warmup_steps:,}) must not exceed steps ({steps:,})")
        if self.schedule == "constant":
            if self.final_share:
                raise ValueError("final_share is the end of a schedule; set schedule to cosine or linear")
        elif steps is not None and steps < 2:
            raise ValueError(f"schedule {self.schedule} needs at least 2 steps, not {steps}")
        elif steps == self.warmup_steps:
            raise ValueError(f"schedule {self.schedule} needs steps after the {self.warmup_steps:,} of the warm-up")
        return self

    @model_validator(mode="after")
    def _decay_by_adamw(self) -> Self:
        if self.weight_decay and self.optimizer != "adamw":
            raise ValueError(f"weight_decay is for the optimizer adamw, not {self.optimizer}")
        return self

    @model_validator(mode="after")
    def _some_steps_are_quantized(self) -> Self:
        if self.steps is not None and self.continuous_steps >= self.steps:
            raise ValueError(
                f"continuous_share {self.continuous_share:g} of {self.steps:,} steps leaves none quantized"
            )
        return self

    @property
    def continuous_steps(self) -> int:
        """Steps before quantization starts."""
        assert self.steps is not None
        return round(self.continuous_share * self.steps)

    @classmethod
    def scientific(cls, settings: dict[str, Any]) -> dict[str, Any]:
        """What of resolved ``settings`` belongs in a run's key."""
        usual = {name: cls.model_fields[name].default for name in cls.ADDED}
        return {
            name: value
            for name, value in settings.items()
            if name not in cls.PLACING and (name not in usual or value != usual[name])
        }


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
    params: dict[str, Any] = {}
    training: dict[str, Any] = {}

    @property
    def where(self) -> dict[str, Any]:
        """Values of the axes at which it holds."""
        return dict(self.model_extra or {})


class Arm(Strict):
    """One row of an experiment: a method with its parameters and training settings."""

    arm: str = Field(pattern=r"^[A-Za-z0-9_]+$")
    method: str
    params: dict[str, Any] = {}
    training: dict[str, Any] = {}
    at: list[Variant] = []


def _arm(value: Any) -> Any:
    if isinstance(value, str):
        return {"arm": value, "method": value}
    if isinstance(value, dict) and "method" in value:
        return {"arm": value["method"], **value}
    return value


class Grid(BaseModel):
    """Where every arm is trained: codebook sizes, and further axes by dotted keys (``dataset.shift: [0, 1, 2]``)."""

    model_config = ConfigDict(extra="allow", strict=True, frozen=True)
    codebook_size: list[Annotated[int, Field(ge=1)]] = Field(min_length=1)

    @property
    def axes(self) -> dict[str, Any]:
        """The axes beside the codebook size, as typed."""
        return dict(self.model_extra or {})


class Tuning(Strict):
    """The budget that `tune` spends on every arm at every size: short trials, and the best few again, longer."""

    codebook_sizes: list[Annotated[int, Field(ge=1)]] = Field([1024], min_length=1)
    learning_rates: list[Annotated[float, Field(gt=0)]] = Field(
        [1e-3, 3e-3, 1e-2], min_length=2, description="of the first trials, half decades (0.001, 0.003, 0.01, ...)"
    )
    steps: list[Annotated[int, Field(ge=1)]] = Field(
        [500, 2000], min_length=2, max_length=2, description="of a short trial and of a long one"
    )
    further: int = Field(6, ge=0, description="short trials beyond the first, beside the best or outside the range")
    keep: int = Field(3, ge=1, description="learning rates whose best settings are tried again, longer")
    seeds: int = Field(2, ge=1, description="of each long trial")


class SuiteFile(Strict):
    """One experiment."""

    question: str
    needs: str | None = Field(None, description="what a person must have for it, where that is much")
    dataset: Named
    model: Named = Component(name="conv")
    objective: Named = Component(name="squared_error")
    training: Training
    evaluation: dict[str, Any] = Field({}, description="options of the metrics of the data set's modality")
    seeds: int = Field(3, ge=1)
    grid: Grid
    methods: list[Annotated[Arm, BeforeValidator(_arm)]] = Field(min_length=1)
    tuning: Tuning = Tuning()
    tuned: str | None = Field(None, description="file of tuned choices, relative to the suite's own folder")
    tables: list[str | dict[str, Any]] = []
    plots: list[str | dict[str, Any]] = []
