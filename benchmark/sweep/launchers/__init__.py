"""Where runs happen. A launcher takes jobs and yields what becomes of them."""

from benchmark.sweep.launchers.base import Event, Launcher
from benchmark.sweep.launchers.local import LocalLauncher

__all__ = ["Event", "Launcher", "LocalLauncher"]
