"""One trained configuration and the key that names it."""

import hashlib
import json
import re
from dataclasses import dataclass, replace
from typing import Any

WEIGHTS = "weights.pt"
"""The file of a run's trained weights, the averaged ones where it has an average."""
DIGITS = 8
"""Hexadecimal digits of the hash in a run's key, where no other configuration of the suite has the same."""
PRIOR = "prior_"
"""What the key of a prior begins with."""
KEY = re.compile(r"[A-Za-z0-9_]+(-K[0-9]+)?-s[0-9]+-[0-9a-f]{8}([0-9a-f]{24})?")
"""What a run's key, and so its folder, looks like."""


def suite_folder(name: str) -> str:
    """``name`` as the folder of a suite's results, of letters, digits and ``._-=@``; empty where nothing is left.

    Never hidden, never `.` or `..`, and within a file system's 255 bytes.
    """
    kept = "".join(char if char.isalnum() or char in "._-=@" else "_" for char in name)
    return kept.encode()[:200].decode(errors="ignore").lstrip(".")


def label_of(key: str, arm: str, config: dict[str, Any]) -> str:
    """The key of a run or a record, after the arm where that has a name of its own."""
    return key if arm == tokenizer_of(config).get("method") else f"{arm} {key}"


def tokenizer_of(config: dict[str, Any]) -> dict[str, Any]:
    """The configuration of the tokenizer: what a prior's ``config`` names, else ``config`` itself."""
    named = config.get("tokenizer", config)
    return named if isinstance(named, dict) else {}


_NOT_TRAINED = {
    "measured": "it was measured from files made elsewhere",
    "pretrained": "it evaluates a published checkpoint",
    "init_from": "it starts from other weights",
}
"""By a key of a configuration."""


def why_not_trained(config: dict[str, Any]) -> str | None:
    """Why a run of ``config`` was not trained from the start, in words; None where it was."""
    return next((words for key, words in _NOT_TRAINED.items() if key in config), None)


@dataclass(frozen=True)
class Run:
    """One trained configuration. ``config`` alone makes the key; ``dataset_options`` may hold paths.

    ``timeout`` (seconds of training), ``devices`` and ``deterministic`` bound and place it; ``keep`` says what of it
    stays: its trained ``weights``, or nothing. ``pretrained``: the file of a checkpoint that is evaluated in place of a
    training; ``config`` has its hash. ``init_from``: a file of weights, or the key of a finished run that kept its own,
    from which the training starts; ``config`` has the hash of the one and the key of the other.
    ``tokenizer``: of a prior, the key of the run whose codes it models, whose configuration its own holds.
    """

    key: str
    arm: str
    suite: str
    config: dict[str, Any]
    dataset_options: dict[str, Any]
    timeout: float | None = None
    devices: int = 1
    deterministic: bool = False
    keep: str | None = None
    pretrained: str | None = None
    init_from: str | None = None
    tokenizer: str | None = None

    @property
    def label(self) -> str:
        """How it is spoken of: see `label_of`."""
        return label_of(self.key, self.arm, self.config)

    @property
    def steps(self) -> int:
        """Of its training."""
        return int(self.config["training"]["steps"])

    def is_of(self, record: dict[str, Any]) -> bool:
        """Whether ``record`` is of this configuration, and not of another one under the same key."""
        return json.dumps(record["config"], sort_keys=True) == json.dumps(self.config, sort_keys=True)

    def is_finished(self, record: dict[str, Any] | None) -> bool:
        """Whether ``record`` of this run, which may be missing, is all that is wanted of it."""
        if record is None:
            return False
        return record["status"] != "ok" or self.keep is None or WEIGHTS in record.get("files", {})


def run_key(config: dict[str, Any], *, long: bool = False) -> str:
    """``method-K1024-s0-1a2b3c4d``: readable, then a hash of the scientific configuration, ``long`` or short.

    That of a prior begins with ``prior_`` and goes on with what its tokenizer is.
    """
    named = tokenizer_of(config)
    digest = hashlib.sha256(json.dumps(config, sort_keys=True).encode()).hexdigest()[: 32 if long else DIGITS]
    size = "" if named["codebook_size"] is None else f"-K{named['codebook_size']}"
    return f"{'' if named is config else PRIOR}{named['method']}{size}-s{named['seed']}-{digest}"


def with_long_key(run: Run) -> Run:
    """``run`` by a key that no other configuration has, where the short one is that of two."""
    return replace(run, key=run_key(run.config, long=True))
