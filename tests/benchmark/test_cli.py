"""What a person types and what they get: exit codes, single sentences, tables at the end."""

import errno
import re
import shutil
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

import pytest

from benchmark.cli import main
from benchmark.records.files import write_atomic
from benchmark.records.record import empty_record
from benchmark.records.store import Store
from benchmark.suite.plan import plan_suite
from methods.contract import CheckResult

Write = Callable[[dict[str, object] | str], str]
ROOT = Path(__file__).parents[2]


def _call(*arguments: str) -> int:
    with pytest.raises(SystemExit) as end:
        main(list(arguments))
    assert isinstance(end.value.code, int)
    return end.value.code


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["run", "quickstrat"], "error: unknown suite `quickstrat` (did you mean `quickstart`?)"),
        (["run", "quickstart", "--methods", "simqv"], "error: unknown method `simqv` (did you mean `simvq`?)"),
        (
            ["run", "quickstart", "--set", "training.stepz=3"],
            "unknown key `training.stepz` (did you mean `steps`?)",
        ),
        (["plan", "quickstart", "--data", "nowhere"], "error: --data nowhere is no folder"),
        (["run", "quickstart", "--device", "cuda:99x"], "error: --device cuda:99x is no device"),
        (["run", "quickstart", "--retry", "fail"], "--retry takes a status"),
        (["thin", "nowhere"], "there is no nowhere/plan.json"),
        (["run", "quickstart", "--plugin", "nowhere.py"], "error: plug-in nowhere.py: there is no such file"),
        (["tables", "quickstart", "--results", "nowhere"], "there are no results in nowhere/quickstart"),
        (["show", "simqv"], "error: nothing is called `simqv` (did you mean `simvq`?)"),
        (
            ["run", "quickstart", "--jobs", "two"],
            "error: argument --jobs: must be a whole number of at least 1, not 'two'",
        ),
        (["run", "quickstart", "--launcher", "slrm"], "argument --launcher: invalid choice: 'slrm'"),
        (["run", "quickstart", "--log", "file"], "argument --log: invalid choice: 'file'"),
        (
            ["measure", "--codes", "c.npy", "--seed", "x"],
            "argument --seed: must be a whole number of at least 0, not 'x'",
        ),
        (["measure", "--codes", "c.npy", "--codebook-size", "8k"], "or one for each level as in 1024,1024, not '8k'"),
        (["measure", "--value-range", "0", "x"], "argument --value-range: must be a number, not 'x'"),
        (["mesure"], "argument COMMAND: invalid choice: 'mesure'"),
        (["check", "vq_vae", "--set", "bta=1"], "`vq_vae` has no parameter `bta` (did you mean `beta`?)"),
    ],
)
def test_a_mistake_is_one_sentence_and_exit_code_2(
    arguments: list[str],
    sentence: str,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert _call(*arguments) == 2
    errors = capsys.readouterr().err
    assert sentence in errors
    assert len(errors.strip().splitlines()) == 1
    assert not list(tmp_path.rglob("record.json"))


def test_a_results_folder_that_cannot_be_written(
    tiny: dict[str, object], write_suite: Write, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")
    assert _call("run", write_suite(tiny), "--results", str(tmp_path / "file")) == 2
    assert "can't be written" in capsys.readouterr().err


@pytest.mark.usefixtures("commands_in_process")
def test_run_plan_status_and_tables(
    tiny: dict[str, object], write_suite: Write, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    suite, results = write_suite({**tiny, "plots": ["usage"]}), str(tmp_path / "results")
    assert _call("plan", suite, "--results", results) == 0
    before = capsys.readouterr().out
    assert "0 of 2 runs done, 2 left" in before
    assert re.search(r"on \w+ with \d at a time \(2 timed for a few steps each\)", before)
    assert _call("run", suite, "--results", results, "--jobs", "2") == 0
    folder = tmp_path / "results" / "tiny"
    assert (folder / "summary.csv").read_text().count("\n") == 3
    tables = sorted(path.name for path in (folder / "tables").iterdir())
    written = (folder / "tables" / tables[0]).read_bytes()
    capsys.readouterr()
    assert _call("plan", suite, "--results", results) == 0
    assert "2 of 2 runs done, 0 left" in capsys.readouterr().out
    assert _call("status", suite, "--results", results) == 0
    assert "2 ok" in capsys.readouterr().out
    other = Path(shutil.copytree(folder, folder.with_name("another"), ignore=shutil.ignore_patterns("tables")))
    assert _call("tables", "--results", results) == 0  # of both, each in a process of its own where there are cores
    printed = capsys.readouterr().out.split()
    assert [Path(line).parts[-3] for line in printed] == sorted(Path(line).parts[-3] for line in printed)
    for one in (folder, other):
        assert (one / "tables" / tables[0]).read_bytes() == written
        assert str(one / "tables" / tables[0]) in printed or tables[0].endswith((".csv", ".tex"))


def test_a_run_that_stands_at_every_size_is_counted_once(
    tiny: dict[str, object], write_suite: Write, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tiny |= {"methods": ["no_quantization"], "grid": {"codebook_size": [4, 8]}}
    assert _call("plan", write_suite(tiny), "--results", str(tmp_path)) == 0
    [one, other] = [
        line.split("=")[1].split(maxsplit=1) for line in capsys.readouterr().out.splitlines() if "K =" in line
    ]
    assert [one, other] == [["4", "1 left"], ["8", "1 left (counted above)"]]


def test_status_obeys_no_record(
    tiny: dict[str, object], write_suite: Write, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    suite, store = write_suite({**tiny, "methods": ["vq_vae"]}), Store(tmp_path / "results" / "tiny")
    (run,) = plan_suite(suite).runs
    ends = {
        "status": "failed",
        "reason": "\x1b[2Kall is well\r\nother-K8-s0-0123abcd: ok",
        "traceback": "a\n\tb\x1b]0;gone\x07 \u202etxt.exe\udc80\n",
    }
    store.write_record(run.key, {**empty_record(run), **ends})
    assert _call("status", suite, "--results", str(tmp_path / "results")) == 1
    shown = capsys.readouterr().out.split("\n\n")[1]
    traceback = "    a\n    \tb\\x1b]0;gone\\x07 \\u202etxt.exe\\udc80\n"
    assert shown == f"{run.key}: failed: \\x1b[2Kall is well other-K8-s0-0123abcd: ok\n{traceback}"


def test_no_question_and_no_message_writes_a_line_of_its_own(
    tiny: dict[str, object], write_suite: Write, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    suite = write_suite({**tiny, "question": "\x1b[2JWhat?\n2 of 2 runs done", "needs": "\u202ea lot\nof time"})
    monkeypatch.setattr("benchmark.sweep.estimate.estimate_seconds", lambda *_: (1.0, "guessed"))
    assert _call("plan", suite, "--results", "nowhere") == 0
    first, second, *_ = capsys.readouterr().out.splitlines()
    assert (first, second) == (r"tiny: \x1b[2JWhat? 2 of 2 runs done", r"needs \u202ea lot of time")
    broken = CheckResult("holds", "It holds.", False, "ValueError: half \ud800\nok   It holds.")
    monkeypatch.setattr("benchmark.checking.check_quantizer", lambda *_, **__: [broken])
    assert _call("check", "vq_vae") == 1
    assert capsys.readouterr().out.splitlines()[1] == r"     ValueError: half \ud800 ok   It holds."


@pytest.mark.usefixtures("commands_in_process")
def test_a_report_that_was_cut_short_is_written_by_the_next_call(
    tiny: dict[str, object],
    write_suite: Write,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    suite = write_suite({**tiny, "methods": ["vq_vae"], "tables": ["main"], "plots": ["usage", "rank_frequency"]})
    arguments = ["run", suite, "--results", str(tmp_path / "results")]
    folder = tmp_path / "results" / "tiny"
    wanted = [f"plots/{name}" for name in ("rank_frequency.pdf", "rank_frequency.png", "usage.pdf", "usage.png")]

    def call() -> list[str]:
        assert _call(*arguments) == 0
        return capsys.readouterr().out.splitlines()

    def plots() -> list[str]:
        return sorted(path.relative_to(folder).as_posix() for path in folder.glob("plots/*"))

    with monkeypatch.context() as patched:
        left = iter(range(5))  # the summary, a table in three forms and a picture; then the disk is full

        def write(path: Path, content: str | bytes) -> None:
            if next(left, None) is None:
                raise OSError(errno.ENOSPC, "No space left on device")
            write_atomic(path, content)

        patched.setattr(import_module("benchmark.report.build"), "write_atomic", write)
        assert _call(*arguments) == 2
    assert "usage.pdf can't be written: No space left on device" in capsys.readouterr().err
    assert plots() == ["plots/usage.png"]
    assert call() == [str(folder / name) for name in ("tables/main.md", "plots/usage.png", "plots/rank_frequency.png")]
    assert plots() == wanted
    assert call() == [f"nothing new; tables and plots are in {folder}"]
    (folder / "plots" / "usage.png").unlink()
    assert len(call()) == 3
    assert plots() == wanted
    assert call() == [f"nothing new; tables and plots are in {folder}"]


@pytest.mark.usefixtures("commands_in_process")
def test_a_failed_run_ends_with_exit_code_1_and_status_says_why(
    tiny: dict[str, object], write_suite: Write, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    suite, results = write_suite({**tiny, "training": {"steps": 10, "timeout": 1e-6}}), str(tmp_path / "results")
    assert _call("run", suite, "--results", results) == 1
    assert "2 runs did not end well" in capsys.readouterr().err
    assert _call("status", suite, "--results", results) == 1
    out = capsys.readouterr().out
    assert "2 timeout" in out
    assert "OutOfTimeError" in out


@pytest.mark.usefixtures("commands_in_process")
def test_what_can_not_be_run_is_said_and_the_rest_is_done(
    tiny: dict[str, object], write_suite: Write, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    results = ("--results", str(tmp_path / "results"))
    missing = {"arm": "started", "method": "simvq", "init_from": "missing.pt"}
    said = "unavailable: started at K = 8 and 24: `init_from` of arm `started` names missing.pt, which is no file"
    suite = write_suite({**tiny, "methods": ["residual_vq", missing], "grid": {"codebook_size": [8, 24]}, "seeds": 2})
    sized = {**tiny, "methods": ["residual_vq"], "grid": {"codebook_size": [16, 24]}, "plots": ["usage"]}

    assert _call("run", suite, *results, "--methods", "started") == 2
    assert capsys.readouterr().err.startswith(f"error: nothing of tiny can be run; {said}")
    assert not (tmp_path / "results").exists()
    assert _call("plan", suite, *results, "--methods", "started") == 1
    assert "unavailable: `init_from` of arm `started` names missing.pt" in capsys.readouterr().out
    assert _call("status", suite, *results, "--methods", "started") == 0
    assert capsys.readouterr().out.startswith(f"tiny: no runs\n  {said}")

    assert _call("run", write_suite(sized), *results) == 0  # a size that a method can't have is no mistake
    assert capsys.readouterr().err.count("unavailable: residual_vq at K = 24: 24 codes can't be split over 4") == 1
    both = {**sized, "methods": ["residual_vq", missing], "seeds": 2}
    assert _call("run", write_suite(both), *results) == 1
    told = capsys.readouterr().err
    assert told.count(said.replace("8 and 24", "16 and 24")) == told.count("residual_vq at K = 24") == 1
    assert len(list((tmp_path / "results" / "tiny" / "runs").glob("residual_vq-K16-*"))) == 2


def test_tune_ends_where_there_is_nothing_to_try(
    tiny: dict[str, object], write_suite: Write, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    budget = {"codebook_sizes": [8192], "learning_rates": [0.01, 0.1], "steps": [2, 4], "keep": 1, "seeds": 1}
    suite = write_suite({**tiny, "methods": ["sq_vae"], "tuning": budget})
    assert _call("tune", suite, "--results", str(tmp_path / "results"), "--device", "cpu") == 2
    assert "error: nothing of tiny can be run; unavailable: sq_vae at K = 8,192: `sq_vae` is" in capsys.readouterr().err


@pytest.mark.usefixtures("commands_in_process")
def test_methods_of_an_earlier_call_stay_in_the_table(
    tiny: dict[str, object], write_suite: Write, tmp_path: Path
) -> None:
    suite, results = write_suite({**tiny, "plots": ["usage"]}), str(tmp_path / "results")
    assert _call("run", suite, "--results", results, "--methods", "vq_vae_ema") == 0
    assert _call("run", suite, "--results", results, "--methods", "vq_vae") == 0
    table = (tmp_path / "results" / "tiny" / "summary.csv").read_text()
    assert "vq_vae_ema-K8" in table
    assert "vq_vae-K8" in table


def test_list_and_show_name_what_is_there(capsys: pytest.CaptureFixture[str]) -> None:
    assert _call("list") == 0
    out = capsys.readouterr().out
    assert all(word in out for word in ("simvq", "quickstart", "photos", "conv"))
    assert _call("show", "simvq") == 0
    out = capsys.readouterr().out
    assert "arXiv 2411.02038" in out
    assert "beta = 0.25" in out
    assert "over a run: nothing by default" in out
    assert _call("show", "bsq") == 0
    assert "over a run: the weight of the loss falls" in capsys.readouterr().out


@pytest.mark.usefixtures("own_registries", "commands_in_process")
def test_the_plug_ins_in_contributing_work_on_the_first_try(
    tiny: dict[str, object], write_suite: Write, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "CONTRIBUTING.md").read_text(), re.DOTALL)
    assert [block.count("\n") < 30 for block in blocks] == [True, True]
    arguments = ["--results", str(tmp_path / "results"), "--cpus", "1"]
    for number, block in enumerate(blocks):
        (tmp_path / f"mine{number}.py").write_text(block)
        arguments += ["--plugin", str(tmp_path / f"mine{number}.py")]
    assert _call("check", "mine", "--plugin", str(tmp_path / "mine0.py")) == 0
    seen = "seen: two processes end where one with the whole batch does; its card says nothing of it"
    assert seen in capsys.readouterr().out
    suite = {**tiny, "evaluation": {**tiny["evaluation"], "extra": ["clipped"]}, "plots": ["clipping"]}
    assert _call("run", write_suite(suite), "--methods", "mine", *arguments) == 0
    results = tmp_path / "results" / "tiny"
    assert "mine-K8" in (results / "summary.csv").read_text()
    assert "Clipped, % ↓" in (results / "tables" / "main.md").read_text()
    assert [file.name for file in (results / "plots").glob("*.png")] == ["clipping.png"]


@pytest.mark.usefixtures("commands_in_process")
def test_tune_spends_the_trials_and_a_suite_refers_to_the_best(
    tiny: dict[str, object], write_suite: Write, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tiny["tuning"] = {"codebook_sizes": [8], "steps": [2, 3], "learning_rates": [0.01, 0.03], "further": 0, "keep": 1}
    suite, results = write_suite({**tiny, "methods": ["vq_vae"]}), str(tmp_path / "results")
    assert _call("tune", suite, "--results", results) == 0
    out = capsys.readouterr().out
    assert "6 trials of 2 steps an arm on image_folder at K = 8 with the schedule constant" in out
    assert "the best again for 3 steps (2 trials, 2 seeds)" in out
    assert len(list((tmp_path / "results").glob("tiny@tuning/runs/*/record.json"))) == 8
    assert len((tmp_path / "tuned" / "tiny.csv").read_text().splitlines()) == 1 + 8
    plan = plan_suite(write_suite({**tiny, "methods": ["vq_vae"], "tuned": "tuned/tiny.yaml"}))
    assert plan.suite.choices is not None
    [choice] = plan.suite.choices.arms["vq_vae"]
    assert plan.runs[0].config["training"]["learning_rate"] == choice.learning_rate in (0.01, 0.03)
    assert plan.runs[0].config["params"]["beta"] == choice.params["beta"]
