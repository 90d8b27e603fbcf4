"""`--log tensorboard`: one folder of events a run, so that the runs of a suite stand side by side."""

import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from benchmark.records.run import Run


class TensorBoard:
    """``RESULTS/SUITE/tensorboard/RUN``: histories and test metrics as scalars, samples as images and sounds.

    Rank–frequency is a scalar along ranks in place of steps. ``tensorboard --logdir`` with the folder above the runs'
    shows them.
    """

    def __init__(self, folder: Path) -> None:
        # Through PyTorch, which needs the package too; asked here so that what is missing is said before a run.
        import tensorboard  # noqa: F401
        from torch.utils.tensorboard import SummaryWriter

        self.folder = folder / "tensorboard"
        self.failures: tuple[type[Exception], ...] = (OSError,)
        self._make = SummaryWriter
        self._writers: dict[str, Any] = {}

    def begin(self, run: Run) -> None:
        """An empty folder for the run."""
        place = self.folder / run.label.replace(" ", "-")
        shutil.rmtree(place, ignore_errors=True)
        self._writers[run.key] = self._make(str(place), flush_secs=10)

    def scalars(self, run: Run, step: int, values: Mapping[str, float]) -> None:
        """By the names of the columns."""
        for name, value in values.items():
            self._writers[run.key].add_scalar(f"training/{name}", value, step)

    def curve(self, run: Run, name: str, points: Iterable[tuple[int, float]]) -> None:
        """A scalar along its own axis."""
        for place, value in points:
            self._writers[run.key].add_scalar(name, value, place)

    def sample(self, run: Run, path: Path) -> None:
        """A picture or a sound."""
        name = f"samples/{path.stem}"
        if path.suffix == ".png":
            from PIL import Image

            with Image.open(path) as image:
                self._writers[run.key].add_image(name, np.asarray(image.convert("RGB")), dataformats="HWC")
        else:
            import soundfile

            wave, rate = soundfile.read(path, dtype="float32")
            self._writers[run.key].add_audio(name, wave[None], sample_rate=rate)

    def end(self, run: Run, metrics: Mapping[str, float]) -> None:
        """Test metrics at the last step."""
        for name, value in metrics.items():
            self._writers[run.key].add_scalar(f"test/{name}", value, run.steps)
        self._writers.pop(run.key).close()
