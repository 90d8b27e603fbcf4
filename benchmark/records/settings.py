"""The training settings of a run, of a prior too: types, defaults, what must fit together, which belong in its key."""

from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

MOST_STEPS = 10**9
MOST_ITEMS = 2**20
"""Of a batch. More than these is a slip of the hand, and would go on for ever or take all memory."""


def check_schedule(schedule: str, steps: int | None, warmup_steps: int, final_share: float) -> None:
    """A ValueError where a ``schedule`` does not fit the ``steps`` of a training; without those the rest is checked."""
    if steps is not None and warmup_steps > steps:
        raise ValueError(f"warmup_steps ({warmup_steps:,}) must not exceed steps ({steps:,})")
    if schedule in ("constant", "plateau") and final_share:
        raise ValueError("final_share is the end of a schedule; set schedule to cosine or linear")
    if schedule == "constant" or steps is None:
        return
    if steps < 2:
        raise ValueError(f"schedule {schedule} needs at least 2 steps, not {steps}")
    if schedule != "plateau" and steps == warmup_steps:
        raise ValueError(f"schedule {schedule} needs steps after the {steps:,} of the warm-up")


class Training(BaseModel):
    """How every arm is trained; an arm may override any key."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)

    PLACING: ClassVar[tuple[str, ...]] = ("timeout", "devices", "deterministic", "keep")
    """Bound or place a run, or say what it leaves, without changing what it computes beyond rounding."""
    ADDED: ClassVar[tuple[str, ...]] = (
        "schedule",
        "final_share",
        "weight_decay",
        "continuous_share",
        "freeze_encoder",
        "quantizer_learning_rate",
        "betas",
        "unquantized_share",
        "unquantized_unit",
        "plateau_steps",
        "plateau_patience",
        "plateau_factor",
        "flat_share",
        "layerwise",
        "compile",
    )
    """Younger than some records: at their defaults left out of a run's key."""

    steps: int | None = Field(None, ge=1, le=MOST_STEPS, description="None only where they are an axis of the grid")
    batch_size: int = Field(128, ge=1, le=MOST_ITEMS, description="items a step, of all devices together")
    learning_rate: float = Field(1e-3, gt=0, description="at the end of the warm-up")
    schedule: Literal["constant", "cosine", "linear", "plateau"] = Field("constant", description="after the warm-up")
    warmup_steps: int = Field(0, ge=0, description="over which the rate rises from 0")
    final_share: float = Field(0.0, ge=0, le=1, description="of the learning rate, at the end of the schedule")
    flat_share: float = Field(
        0.0, ge=0, lt=1, description="of the steps after the warm-up, at the full rate before the schedule falls"
    )
    plateau_steps: int | None = Field(
        None, ge=1, description="of schedule plateau: the validation error is seen so often, in steps"
    )
    plateau_patience: int = Field(3, ge=0, description="times in a row without a new best, which change nothing yet")
    plateau_factor: float = Field(0.5, gt=0, lt=1, description="by which the rate is multiplied at the next")
    optimizer: Literal["adam", "adamw", "radam", "sgd"] = Field("adam", description="but of what a method moves itself")
    weight_decay: float = Field(0.0, ge=0, description="of AdamW, on the autoencoder's weight matrices alone")
    betas: list[Annotated[float, Field(ge=0, lt=1)]] = Field(
        [0.9, 0.999], min_length=2, max_length=2, description="of Adam, AdamW and RAdam"
    )
    momentum: float = Field(0.9, ge=0, lt=1, description="of SGD")
    clip_norm: float | None = Field(None, gt=0, description="largest norm of all gradients together")
    ema_decay: float | None = Field(None, gt=0, lt=1, description="of the evaluated average of weights and codebooks")
    continuous_share: float = Field(0.0, ge=0, lt=1, description="of the steps, the first, that are not quantized")
    unquantized_share: float = Field(0.0, ge=0, lt=1, description="of a training batch that passes by the quantizer")
    unquantized_unit: Literal["items", "positions"] = Field("items", description="what is drawn to pass by it")
    freeze_encoder: bool = Field(False, description="as it is when quantization starts")
    layerwise: bool = Field(
        False,
        description="a stack's layers one after another, each on the latents of the one below; the steps are shared",
    )
    quantizer_learning_rate: float | None = Field(None, gt=0, description="the learning rate where left out")
    precision: Literal["fp32", "bf16"] = Field("fp32", description="of the autoencoder; quantizers run in fp32")
    compile: bool = Field(
        False,
        description="encoder, decoder and, where it is one graph, quantizer by `torch.compile`, for one device",
    )
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
    def _compiled_on_one_device(self) -> Self:
        if self.compile and self.devices > 1:
            raise ValueError(f"compile is for one device a run, not {self.devices}")
        return self

    @model_validator(mode="after")
    def _a_schedule_that_fits(self) -> Self:
        check_schedule(self.schedule, self.steps, self.warmup_steps, self.final_share)
        if self.schedule in ("constant", "plateau") and self.flat_share:
            raise ValueError("flat_share is what comes before a schedule falls; set schedule to cosine or linear")
        return self

    @model_validator(mode="after")
    def _plateaus_are_looked_for(self) -> Self:
        if self.schedule == "plateau":
            if self.plateau_steps is None:
                raise ValueError(
                    "schedule plateau needs plateau_steps: how often the validation error is seen, in steps"
                )
            if self.steps is not None and self.plateau_steps > self.steps:
                raise ValueError(f"plateau_steps ({self.plateau_steps:,}) must not exceed steps ({self.steps:,})")
            if self.continuous_share:
                raise ValueError("schedule plateau can't go on when quantization starts; leave out continuous_share")
        elif given := [name for name in ("plateau_steps", "plateau_patience", "plateau_factor") if self._is_set(name)]:
            raise ValueError(f"{given[0]} is of the schedule plateau, not of {self.schedule}; set schedule to plateau")
        return self

    def _is_set(self, name: str) -> bool:
        return bool(getattr(self, name) != type(self).model_fields[name].default)

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

    @model_validator(mode="after")
    def _a_unit_for_a_share(self) -> Self:
        if self.unquantized_unit != "items" and not self.unquantized_share:
            raise ValueError("unquantized_unit says of what unquantized_share is drawn; set unquantized_share")
        return self

    @model_validator(mode="after")
    def _nothing_across_layers(self) -> Self:
        across = {
            "continuous_share": self.continuous_share > 0,
            "freeze_encoder": self.freeze_encoder,
            "ema_decay": self.ema_decay is not None,
            "schedule plateau": self.schedule == "plateau",
        }
        unfit = next((name for name, is_set in across.items() if is_set), None)
        if self.layerwise and unfit is not None:
            raise ValueError(f"{unfit} can't be combined with layerwise, which trains one layer after another")
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


class PriorTraining(BaseModel):
    """How the prior of every arm is trained, by AdamW on matrices and embeddings alike."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)

    PLACING: ClassVar[tuple[str, ...]] = ("timeout",)

    steps: int = Field(ge=1, le=MOST_STEPS, description="of the prior")
    batch_size: int = Field(64, ge=1, le=MOST_ITEMS, description="items a step")
    learning_rate: float = Field(1e-3, gt=0, description="at the end of the warm-up")
    schedule: Literal["constant", "cosine", "linear"] = Field("cosine", description="after the warm-up")
    warmup_steps: int = Field(0, ge=0, description="over which the rate rises from 0")
    final_share: float = Field(0.0, ge=0, le=1, description="of the learning rate, at the end of the schedule")
    weight_decay: float = Field(0.01, ge=0, description="of AdamW")
    clip_norm: float | None = Field(1.0, gt=0, description="largest norm of all gradients together")
    timeout: float | None = Field(None, gt=0, description="seconds of training; not part of a run's key")

    @model_validator(mode="after")
    def _a_warm_up_that_fits(self) -> Self:
        if self.warmup_steps >= self.steps:
            raise ValueError(f"warmup_steps ({self.warmup_steps:,}) must be fewer than steps ({self.steps:,})")
        check_schedule(self.schedule, self.steps, self.warmup_steps, self.final_share)
        return self

    @property
    def scientific(self) -> dict[str, Any]:
        """What belongs in a run's key."""
        return {name: value for name, value in self.model_dump().items() if name not in self.PLACING}
