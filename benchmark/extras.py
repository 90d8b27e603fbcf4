"""Packages that come with an extra: where one is not installed, that is a sentence that names the extra."""

from collections.abc import Iterator
from contextlib import contextmanager

from methods.core.usage import UsageError

EXTRAS = {
    **dict.fromkeys(("PIL", "lpips", "skimage", "sklearn", "torch_fidelity", "torchvision"), "images"),
    **dict.fromkeys(("av", "onnxruntime", "pesq", "pystoi", "soundfile", "torchaudio"), "speech"),
    **dict.fromkeys(("fontTools", "matplotlib", "pandas", "scipy", "seaborn", "tabulate"), "reports"),
    "tensorboard": "tensorboard",
    "torchmetrics": "all",
    "wandb": "wandb",
}
"""The extra with which a package comes, by the name of its module."""


class MissingPackageError(UsageError, ModuleNotFoundError):
    """What was asked for needs a package of an extra that is not installed."""


@contextmanager
def extras_named() -> Iterator[None]:
    """Turns the import of a package that is not there into a sentence; also around a function, as a decorator.

    Raises:
        MissingPackageError: a package of an extra is not installed.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        module = (error.name or "").split(".")[0]
        if isinstance(error, MissingPackageError) or module not in EXTRAS:
            raise
        extra = f"pip install 'codebook-bench[{EXTRAS[module]}]'"
        told = f"this needs the package of `{module}`, which is not installed: {extra}"
        raise MissingPackageError(told) from error
