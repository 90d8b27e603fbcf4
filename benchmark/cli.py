"""The command line: what a person types, and the exit code that answers.

0: all is well. 1: a run failed or its files are damaged, weights that an arm names can't be had, or a method breaks its
contract. 2: something was typed or supplied wrong, and nothing was run. 130: interrupted, or stopped by its time limit.
"""

import argparse
import os
import sys
import time
from pathlib import Path
from pkgutil import resolve_name
from typing import Any, NoReturn

from benchmark.extras import extras_named
from benchmark.records.plain import one_line
from methods.core.plugins import load_plugins
from methods.core.usage import UsageError

COMMANDS = {
    "run": ("commands:run", "train what is left of a suite, then write tables and plots"),
    "plan": ("commands:plan", "say what is done, failed and left, and how long it may take"),
    "status": ("commands:status", "show every run that did not end well, with its reason"),
    "verify": ("commands:verify", "run a record's configuration again and compare every number"),
    "tables": ("record_commands:tables", "write tables and plots from the records, training nothing"),
    "page": (
        "record_commands:page",
        "write pages to look at: one HTML file a suite and an index, from the records alone",
    ),
    "measure": ("elsewhere.command:run", "measure codes, reconstructions or latents made elsewhere, training nothing"),
    "thin": ("record_commands:thin", "remove the samples that no plot shows from a folder of results"),
    "merge": ("record_commands:merge", "take over runs that were made elsewhere, each checked first"),
    "simulate": ("record_commands:simulate", "simulate the comparison of arms: its false positives and what it finds"),
    "tune": ("commands:tune", "spend the same trials on every arm and write the choices by validation error"),
    "sensitivity": ("commands:sensitivity", "write a table of what known changes of images do to every metric"),
    "features": (
        "training.codebook_features:write_features",
        "write features of a data set's patches to a file, with which `vqgan_lc` starts",
    ),
    "licences": ("data.parts.photo_list:print_licences", "list the licence and the author of every file of a data set"),
    "list": ("showing:list_all", "list everything that a suite can name, with a sentence each"),
    "show": ("showing:show", "print what a name stands for, its options with defaults, an example"),
    "check": ("checking:check", "test that a method keeps the contract of a quantizer"),
}
"""By name: where a command is found, so that none waits for what another needs (torch), and what it does."""
PLUGIN = "Python file that registers methods, data sets, models, objectives, metrics or plots"
LAUNCHERS = ("local", "ray", "slurm")
LOGGERS = ("tensorboard", "wandb")


def main(arguments: list[str] | None = None) -> None:
    """Run one command and exit."""
    options = _parser().parse_args(arguments, argparse.Namespace(began=time.monotonic()))
    try:
        if getattr(options, "data", None):
            os.environ["CODEBOOK_BENCH_DATA"] = _folder(options.data)
        with extras_named():
            load_plugins(options.plugin)
            code = resolve_name(f"benchmark.{COMMANDS[options.command][0]}")(options)
    except UsageError as error:
        print(one_line(f"error: {error}"), file=sys.stderr)
        code = 2
    except KeyboardInterrupt:
        code = 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 0
    sys.exit(code)


class _Parser(argparse.ArgumentParser):
    """Says what was typed wrong in one sentence, without the lines of all options before it."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, one_line(f"error: {message}; `{self.prog} --help` says what there is") + "\n")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="python -m benchmark", description=__doc__.split("\n\n")[0])
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, (_, sentence) in COMMANDS.items():
        command = commands.add_parser(name, help=sentence, description=sentence)
        command.add_argument("--plugin", action="append", default=[], metavar="FILE", help=PLUGIN)
        if name == "show":
            command.add_argument("name", metavar="NAME", help="of anything that `list` has, or a key such as training")
        if name == "check":
            command.add_argument("method", metavar="METHOD")
        if name in ("check", "show"):
            command.add_argument(
                "--set", action=_Override, default={}, metavar="PARAM=VALUE", help="a parameter of the method"
            )
        if name in ("run", "plan", "status", "tune"):
            command.add_argument("suite", metavar="SUITE", help="a name in suites/ or a YAML file")
            _add_suite_options(command)
        if name == "measure":
            _add_measure_options(command)
        if name == "features":
            _add_features_options(command)
        if name in ("tables", "page"):
            command.add_argument("suite", nargs="?", metavar="SUITE", help="a folder in RESULTS; all, if left out")
        if name == "licences":
            command.add_argument("dataset", metavar="DATASET", help="name of a data set")
        if name == "thin":
            command.add_argument("folder", metavar="FOLDER", help="results of one suite, such as results/quickstart")
        if name == "merge":
            command.add_argument("folder", metavar="DIR", help="results of elsewhere: of several suites, or of one")
        if name == "verify":
            command.add_argument("run", metavar="RUN", help="key of a run in RESULTS, or its folder")
            command.add_argument("--device", default="auto", metavar="D", help="default: the kind it was recorded on")
            command.add_argument("--set", action=_Override, default={}, metavar="dataset.KEY=VALUE", help="a path")
            command.add_argument("--data", metavar="DIR", help="folder with data sets")
        if name in (
            "run",
            "plan",
            "status",
            "tune",
            "tables",
            "page",
            "merge",
            "verify",
            "sensitivity",
            "simulate",
            "measure",
        ):
            command.add_argument("--results", default="results", metavar="DIR", help="default: results")
        if name == "page":
            command.add_argument("--out", metavar="DIR", help="where pages go (default: page in RESULTS)")
        if name == "sensitivity":
            command.add_argument("--data", metavar="DIR", help="folder with data sets")
        if name in ("run", "tune"):
            _add_run_options(command)
    return parser


def _add_suite_options(command: argparse.ArgumentParser) -> None:
    command.add_argument("--methods", type=_names, default=[], metavar="A,B", help="arms or any registered methods")
    command.add_argument("--seeds", type=_positive, metavar="N", help="seeds 0 to N-1")
    command.add_argument("--device", default="auto", metavar="D", help="auto, cpu, cuda, cuda:1")
    command.add_argument("--set", action=_Override, default={}, metavar="KEY=VALUE", help="override a key of the suite")
    command.add_argument("--data", metavar="DIR", help="folder with data sets")


def _add_run_options(command: argparse.ArgumentParser) -> None:
    command.add_argument("--jobs", type=_positive, metavar="N", help="runs at a time")
    command.add_argument(
        "--retry", type=_names, default=[], metavar="STATUS", help="do runs of this status again, also `ok`"
    )
    command.add_argument("--launcher", choices=LAUNCHERS, default="local", help="default: local")
    command.add_argument("--address", metavar="A", help="of a running Ray cluster; else Ray starts on this machine")
    command.add_argument("--cpus", type=_amount, metavar="N", help="CPUs of each run; with Ray also a fraction")
    command.add_argument(
        "--gpus", type=_amount, metavar="N", help="of each run with Ray, also a fraction; of an allocation with Slurm"
    )
    command.add_argument(
        "--slurm", action=_Override, default={}, metavar="KEY=VALUE", help="partition, time, memory, together, ..."
    )
    command.add_argument("--time-limit", metavar="T", help="stop in time, all saved: 540, 9m, 1h30m")
    command.add_argument("--log", choices=LOGGERS, help="show the runs there too, side by side, while they go on")
    command.add_argument("--keep-checkpoints", action="store_true", help="keep the trained weights")


def _add_features_options(command: argparse.ArgumentParser) -> None:
    command.add_argument("dataset", metavar="DATASET", help="name of a data set")
    command.add_argument("--codebook-size", type=_positive, nargs="+", required=True, metavar="K", help="how many")
    command.add_argument("--out", required=True, metavar="FILE", help="a .npy file; {codebook_size} in it stands for K")
    command.add_argument("--set", action=_Override, default={}, metavar="KEY=VALUE", help="an option of the data set")
    command.add_argument("--device", default="auto", metavar="D", help="auto, cpu, cuda, cuda:1")
    command.add_argument("--data", metavar="DIR", help="folder with data sets")


def _add_measure_options(command: argparse.ArgumentParser) -> None:
    array = "a file .npy, .npz or .pt with one array"
    command.add_argument("--codes", metavar="FILE", help=f"{array} of whole numbers, levels in its last axis")
    command.add_argument("--codebook-size", type=_sizes, default=[], metavar="K,K", help="K, or one for each level")
    command.add_argument("--codewords", metavar="FILE", help=f"{array} of floats [K, D] or [levels, K, D]")
    command.add_argument("--latents", metavar="FILE", help=f"{array} of floats [..., D], in the order of the codes")
    of = "a folder of images or sounds, or an array of them"
    command.add_argument("--originals", metavar="DIR", help=of)
    command.add_argument("--reconstructions", metavar="DIR", help=f"{of}, by the same names or in the same order")
    command.add_argument("--sample-rate", type=_positive, metavar="HZ", help="of sounds in an array")
    command.add_argument(
        "--value-range", type=_number, nargs=2, metavar=("LOW", "HIGH"), help="of images that are floats"
    )
    command.add_argument("--set", action=_Override, default={}, metavar="KEY=VALUE", help="an option of the metrics")
    command.add_argument("--device", default="auto", metavar="D", help="auto, cpu, cuda, cuda:1")
    command.add_argument("--as", dest="arm", default="measured", metavar="ARM", help="what it is called in tables")
    command.add_argument("--suite", metavar="SUITE", help="results beside whose arms it is to stand")
    command.add_argument(
        "--at", action=_Override, default={}, metavar="AXIS=VALUE", help="where, on the suite's other axes"
    )
    command.add_argument("--seed", type=_seed, default=0, metavar="N", help="which repetition it is (default: 0)")


def _sizes(text: str) -> list[int]:
    if not all(size.strip().isdecimal() for size in text.split(",")):
        raise argparse.ArgumentTypeError(f"must be a whole number, or one for each level as in 1024,1024, not {text!r}")
    return [int(size) for size in text.split(",")]


def _folder(text: str) -> str:
    """Its whole path; asked before anything is run, as a data set that needs no folder would not miss it."""
    folder = Path(text).expanduser().resolve()
    if not folder.is_dir():
        raise UsageError(f"--data {text} is no folder")
    return str(folder)


def _seed(text: str) -> int:
    return _whole(text, least=0)


def _names(text: str) -> list[str]:
    return [name for name in text.replace(",", " ").split() if name]


def _positive(text: str) -> int:
    return _whole(text, least=1)


def _whole(text: str, least: int) -> int:
    if not text.strip().isdecimal() or int(text) < least:
        raise argparse.ArgumentTypeError(f"must be a whole number of at least {least}, not {text!r}")
    return int(text)


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"must be a number, not {text!r}") from None


def _amount(text: str) -> float:
    number = _number(text)
    if not 0 < number < 1e6:
        raise argparse.ArgumentTypeError(f"must be more than 0, not {text!r}")
    return number


class _Override(argparse.Action):
    """Collects ``KEY=VALUE`` with the value read as YAML."""

    def __call__(self, parser: argparse.ArgumentParser, namespace: argparse.Namespace, values: Any, *_: Any) -> None:
        from benchmark.values import parse_value  # and YAML, which `--help` need not wait for

        key, separator, value = values.partition("=")
        if not separator or not key:
            parser.error(f"{self.option_strings[0]} takes {self.metavar}, not {values!r}")
        try:
            parsed = parse_value(value)
        except UsageError as error:
            parser.error(f"{self.option_strings[0]} {key.strip()}: {error}")
        setattr(namespace, self.dest, {**getattr(namespace, self.dest), key.strip(): parsed})
