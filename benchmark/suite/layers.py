"""Arms whose model is trained layer after layer: what that needs of model, objective and length."""

from pydantic import ValidationError

from benchmark.models import models
from benchmark.records.settings import Training
from benchmark.suite.grid import Point, options_at
from benchmark.suite.schema import Arm, SuiteFile
from methods.core.usage import UsageError


def check_layers(arm: Arm, training: Training, file: SuiteFile, point: Point) -> None:
    """UsageError where ``arm`` is trained layer after layer and its model, objective or steps don't allow it."""
    if not training.layerwise:
        return
    name, option = file.model.name, models.trait(file.model.name, "layers")
    if not option:
        raise UsageError(
            f"layerwise of arm `{arm.arm}` is for a model that is a stack of layers, such as `hqa_stack`, not `{name}`"
        )
    if file.objective.name != "squared_error":
        raise UsageError(
            f"layerwise of arm `{arm.arm}` trains every layer by `squared_error`, latents too; set the objective to "
            f"that, not `{file.objective.name}`"
        )
    layers = models.resolve(name, {**file.model.options, **options_at("model", point)})[option]
    if training.steps is not None and training.steps < layers:
        raise UsageError(
            f"arm `{arm.arm}` shares {training.steps:,} steps out over {layers} layers; give it {layers} steps or more"
        )
    if training.steps is not None:
        _check_shortest(arm, training, training.steps // layers)


def _check_shortest(arm: Arm, training: Training, steps: int) -> None:
    """UsageError where a layer's share of the steps is too short for its schedule."""
    try:
        Training.model_validate({**training.model_dump(), "steps": steps, "devices": 1})
    except ValidationError as error:
        message = error.errors()[0]["ctx"]["error"]
        raise UsageError(f"training of a layer of arm `{arm.arm}`: {message}") from error
