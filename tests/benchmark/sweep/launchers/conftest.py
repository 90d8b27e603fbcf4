"""Ray in these tests has a token and keeps to this machine, as where we start it; settled before it is imported."""

from importlib.util import find_spec

from benchmark.sweep.launchers.ray import keep_private

if find_spec("ray") is not None:
    keep_private()
