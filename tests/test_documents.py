"""The commands that README, CONTRIBUTING and docs/ print: all are understood, and a newcomer's script runs them.

The script is one of the slow tests: it copies what git has into a folder of its own, makes there what the pages tell a
person to bring, and runs command after command as printed. What it can't run stands in `NOT_RUN`, with the reason.
"""

import argparse
import importlib.util
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

from benchmark.cli import _parser
from benchmark.entries import entries
from benchmark.suite.file import find_suite

ROOT = Path(__file__).parents[1]
PAGES = ["README.md", "CONTRIBUTING.md", "SECURITY.md", "results/README.md", "methods/README.md"]
PAGES += sorted(f"docs/{page.name}" for page in (ROOT / "docs").glob("*.md"))
TEXTS = {page: (ROOT / page).read_text(encoding="utf-8") for page in PAGES}
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
TARGETS = set(re.findall(r"^([a-z-]+):", MAKEFILE, re.MULTILINE))
VARIABLES = set(re.findall(r"^([A-Z_]+) +\?=", MAKEFILE, re.MULTILINE))
OPEN = re.compile(r"\.\.\.|\b(?:SUITE|NAME|NAME\.yaml|FOLDER|DIR|KEY|FILE|RUN|folder)$")
"""What a person puts something of their own for."""
THEIRS = {"my.yaml", "paper.yaml", "my_suite.yaml"}
"""Files that the pages tell a person to write."""
HOURS = "hours of training"
NETWORK = "data that it downloads first"
NOT_RUN = {
    "make bench SUITE=codebook_scaling": HOURS,
    'make bench SUITE=codebook_scaling METHODS=simvq,vq_vae SET="grid.codebook_size=[65536]"': HOURS,
    'make bench SUITE=codebook_scaling SET="dataset=cifar10 evaluation.features=efficientnet_lite0 tuned=null" '
    "DEVICE=cuda JOBS=4": HOURS,
    "make bench SUITE=photo_scaling DEVICE=cuda JOBS=4 TIME_LIMIT=540": HOURS,
    "make bench SUITE=collapse_check": HOURS,
    "make bench SUITE=generation_quickstart": "minutes of training",
    "make bench SUITE=mean_shift RESULTS=results/reference": HOURS,
    'make bench SUITE=libraries JOBS=1 SEEDS=1 SET="training.steps=150 grid.codebook_size=[256]"': "minutes alone",
    "make bench SUITE=audio_quickstart": NETWORK,
    "make bench SUITE=audio_overfit": NETWORK,
    "make bench SUITE=audio_scaling DEVICE=cuda": HOURS,
    'make bench SUITE=audio_scaling SET="dataset.name=speech_folder dataset.path=DIR"': HOURS,
    "make plan  SUITE=paper_audio": NETWORK,
    "make tune SUITE=my_suite.yaml": "hours of trials",
    "make page SUITE=codebook_scaling": "results of `make bench SUITE=codebook_scaling`",
    "make verify RUN=simvq-K1024-s0-1a2b3c4d": "a key that nothing has",
    "make perf": "minutes on a machine of its own",
    "make perf DEVICE=cuda": "a GPU",
    "make sensitivity": "ten minutes",
    "make simulate": "minutes",
    "make check": "the target itself, in a sentence",
    "make setup": "the test has an environment",
    "make test": "the tests themselves",
    "make test-all": "the tests themselves",
    "make test-lowest": "the tests themselves",
    "make lint": "in a copy without git's list of files",
    "make lock": "it asks the package index for the newest versions",
    "python -m benchmark licences debian_photos": NETWORK,
    "pip install codebook-bench": "nothing is installed by a test",
    "pip install 'codebook-bench[all]'": "nothing is installed by a test",
    "pip install 'codebook-bench[generation]'": "nothing is installed by a test",
    "pip install 'codebook-bench[libraries]'": "nothing is installed by a test",
    "pip install 'codebook-bench[page]'": "nothing is installed by a test",
    "pip install 'codebook-bench[tensorboard]'": "nothing is installed by a test",
}
SHORT = {
    "training": {"steps": 40, "batch_size": 32, "learning_rate": 2e-3, "schedule": "cosine", "warmup_steps": 5},
    "grid": {"codebook_size": [256]},
    "methods": ["vq_vae", "simvq", "no_quantization"],
}
"""What the suite `quickstart` says in the copy, so that it takes seconds."""


def printed(text: str) -> list[str]:
    """The commands of a page in their order, without what is said of them after `#`."""
    block, inline = r"^ *((?:make|python -m|pip install) [^#\n]*)", r"`((?:make|python -m|pip install) [^`\n]+)`"
    found = []
    for part in re.split(r"(^ *```.*?^ *```$)", text, flags=re.DOTALL | re.MULTILINE):
        if part.lstrip().startswith("```\n"):
            found += re.findall(block, part, re.MULTILINE)
        elif not part.lstrip().startswith("```") or "`make" in part:
            found += re.findall(inline, part)
    return [command.strip() for command in found]


COMMANDS = list(dict.fromkeys(command for page in PAGES for command in printed(TEXTS[page])))
WHOLE = [command for command in COMMANDS if not any(OPEN.search(word) for word in shlex.split(command))]
REGISTERED = {name for text in TEXTS.values() for name in re.findall(r'@register\("(\w+)"\)', text)}


def parsed(words: list[str]) -> argparse.Namespace:
    try:
        return _parser().parse_args(words)
    except SystemExit:
        pytest.fail(f"`python -m benchmark {shlex.join(words)}` is not understood")


def check_benchmark(words: list[str], known: set[str]) -> None:
    """Words after ``python -m benchmark``: options that there are, and names that are here or left open."""
    options = parsed(words)
    named = {*getattr(options, "methods", []), getattr(options, "name", None), getattr(options, "method", None)}
    for name in named - {None, ""} - REGISTERED:
        assert OPEN.search(name) or name in known, f"nothing is called `{name}`"
    suite = getattr(options, "suite", None)
    if suite and suite not in THEIRS and not OPEN.search(suite):
        find_suite(suite)


def check_make(words: list[str], known: set[str]) -> None:
    """A target and variables of the Makefile; what it would run is understood too."""
    target, *pairs = words
    assert target in TARGETS
    assert {pair.partition("=")[0] for pair in pairs} <= VARIABLES
    dry = ["make", "--dry-run", "--no-print-directory", "PYTHON=python", *words]
    lines = subprocess.run(dry, cwd=ROOT, capture_output=True, text=True, check=True).stdout.replace("\\\n", " ")
    for line in lines.splitlines():
        if line.startswith("python -m benchmark "):
            check_benchmark(shlex.split(line)[3:], known)


def test_every_command_is_understood() -> None:
    known = {entry.name for entry in entries()} | {"training", "suite", "table"}
    assert len(COMMANDS) > 50
    for command in COMMANDS:
        words = shlex.split(command)
        if words[0] == "make" and command != "make check":
            check_make(words[1:], known)
        elif words[:3] == ["python", "-m", "benchmark"]:
            check_benchmark(words[3:], known)
        elif words[0] == "python":
            assert importlib.util.find_spec(words[2]), command


def test_the_first_page_stays_short() -> None:
    assert len(TEXTS["README.md"].splitlines()) < 120


def test_what_is_not_run_is_printed_somewhere() -> None:
    assert set(NOT_RUN) <= set(COMMANDS), "NOT_RUN lists commands that no page prints"


def test_every_suite_has_a_place_on_the_page_of_suites() -> None:
    names = {path.stem for path in (ROOT / "suites").glob("*.yaml")}
    assert {name for name in names if f"`{name}`" not in TEXTS["docs/suites.md"]} == set()


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """What git has, of the reference results one suite; and what the pages tell a person to bring."""
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in tracked.splitlines():
        kept = not name.startswith("results/reference/") or name.startswith("results/reference/remedies/")
        if kept and not name.startswith("tests/"):
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, tmp_path / name, follow_symlinks=False)
    shutil.copytree(tmp_path / "results/reference/remedies", tmp_path / "results/remedies")
    (tmp_path / "mine.py").write_text(blocks("CONTRIBUTING.md", "python")[0])
    (tmp_path / "theirs.py").write_text(blocks("docs/libraries.md", "python")[0])
    (tmp_path / "paper.yaml").write_text(blocks("docs/reports.md", "yaml")[0])
    quickstart = {**yaml.safe_load((ROOT / "suites/quickstart.yaml").read_text()), **SHORT}
    (tmp_path / "suites/quickstart.yaml").write_text(yaml.safe_dump(quickstart))
    theirs = yaml.safe_load(blocks("docs/libraries.md", "yaml")[0])
    (tmp_path / "my.yaml").write_text(yaml.safe_dump({**quickstart, **theirs}))
    notebook = json.loads(TEXT_OF_NOTEBOOK)
    cells = ["".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == "code"]
    (tmp_path / "notebook.py").write_text("\n".join(cells).replace('"steps": 300', '"steps": 10'))
    bring_codes(tmp_path)
    return tmp_path


TEXT_OF_NOTEBOOK = (ROOT / "docs" / "python.ipynb").read_text(encoding="utf-8")


def blocks(page: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", TEXTS[page], re.DOTALL)


def bring_codes(folder: Path) -> None:
    """`codes.npy` and its fellows, as a trained tokenizer leaves them."""
    generator = np.random.default_rng(0)
    latents = generator.normal(size=(20, 16, 4)).astype(np.float32)
    codewords = generator.normal(size=(1024, 4)).astype(np.float32)
    np.save(folder / "codes.npy", ((latents[..., None, :] - codewords) ** 2).sum(-1).argmin(-1))
    np.save(folder / "codewords.npy", codewords)
    np.save(folder / "latents.npy", latents)
    for name in ("images", "reconstructed"):
        (folder / name).mkdir()
        for index in range(4):
            pixels = generator.integers(0, 256, (64, 64, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / name / f"{index}.png")


def run(command: str, folder: Path, environment: dict[str, str]) -> None:
    ended = subprocess.run(command, shell=True, cwd=folder, env=environment, capture_output=True, text=True)
    assert ended.returncode == 0, f"`{command}` ended with {ended.returncode}:\n{ended.stdout}\n{ended.stderr}"


@pytest.mark.slow
def test_a_newcomer_runs_what_the_pages_print(checkout: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    programs = tmp_path_factory.mktemp("bin")
    (programs / "python").write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    (programs / "python").chmod(0o755)
    path = f"{programs}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "PYTHONPATH": str(checkout), "PYTHON": sys.executable}
    for command in WHOLE:
        if command not in NOT_RUN:
            run(command, checkout, environment)
    run("python notebook.py", checkout, environment)
    results = checkout / "results"
    assert (results / "quickstart" / "tables" / "main.md").read_text().count("mine") >= 1
    assert len(list((results / "measured" / "runs").iterdir())) >= 1
    assert {file.name for file in (results / "paper" / "tables").glob("*.md")} == {"headline.md", "few.md"}
    assert (results / "mine" / "tables" / "main.md").is_file()
    assert (results / "page" / "index.html").is_file()
