"""All that `make perf` measures, by name."""

from benchmark.perf.cases import Group
from benchmark.perf.search import SEARCH, TRAINED
from benchmark.perf.steps import STEPS
from benchmark.perf.training import TRAININGS

GROUPS: dict[str, Group] = {group.name: group for group in (SEARCH, *TRAINED, *STEPS, *TRAININGS)}
