"""Values as a person types them, in a suite's file or by ``--set``: YAML, with ``1e-3`` a number."""

import re
from typing import Any

import yaml


class Loader(yaml.SafeLoader):
    """The safe loader, which also reads ``1e-3`` as a number, as YAML 1.2 does."""


Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"^[-+]?(\d+(\.\d*)?|\.\d+)[eE][-+]?\d+$"), list("-+0123456789.")
)


def parse_value(text: str) -> Any:
    """The value of ``--set key=value``, read as YAML."""
    try:
        return yaml.load(text, Loader=Loader)
    except yaml.YAMLError:
        return text
