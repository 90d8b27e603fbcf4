"""A suite file becomes runs, and every mistake in it one located sentence."""

import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from benchmark.records.plan import read_plan
from benchmark.records.run import KEY, run_key
from benchmark.records.store import Store
from benchmark.suite.file import find_suite
from benchmark.suite.plan import plan_suite
from benchmark.suite.plan_file import write_plan
from methods import Card, UsageError, get

Write = Callable[[dict[str, object] | str], str]

TEXT = """\
question: Who collapses?
dataset: photos
model: {name: conv, latent_dim: 8}
training:
  steps: 10
  learning_rate: 1e-3
grid: {codebook_size: [16, 64]}
seeds: 2
methods:
  - vq_vae
  - {arm: kmeans_start, method: vq_vae, params: {init: kmeans}, training: {learning_rate: 0.01}}
"""


def test_cells_are_arms_by_sizes_by_seeds(write_suite: Write) -> None:
    plan = plan_suite(write_suite(TEXT))
    assert [(cell.arm, cell.codebook_size, cell.seed) for cell in plan.cells] == [
        (arm, size, seed) for arm in ("vq_vae", "kmeans_start") for size in (16, 64) for seed in (0, 1)
    ]
    assert len({run.key for run in plan.runs}) == 8
    assert plan.runs[0].config["training"]["learning_rate"] == 1e-3
    assert plan.cells[-1].run is not None
    assert plan.cells[-1].run.config["training"]["learning_rate"] == 0.01
    assert plan.cells[-1].run.config["params"] == {"beta": 0.25, "init": "kmeans"}


def test_a_key_names_the_science_and_nothing_else(write_suite: Write) -> None:
    def keys(text: str, **options: object) -> list[str]:
        return [run.key for run in plan_suite(write_suite(text), **options).runs]  # type: ignore[arg-type]

    base = keys(TEXT)
    assert base[0].startswith("vq_vae-K16-s0-")
    assert keys(TEXT.replace("arm: kmeans_start", "arm: renamed")) == base
    assert keys(TEXT.replace("  - vq_vae\n", "  - {method: vq_vae, params: {beta: 0.25}}\n")) == base
    assert keys(TEXT.replace("steps: 10", "steps: 10\n  timeout: 60\n  devices: 2\n  deterministic: true")) == base
    assert set(keys(TEXT, overrides={"model.width": 32})).isdisjoint(base)
    assert set(keys(TEXT, overrides={"training.precision": "bf16"})).isdisjoint(base)
    assert keys(TEXT, methods=["simvq", "vq_vae"])[:1] != base[:1]
    assert set(keys(TEXT, methods=["simvq", "vq_vae"])) & set(base) == set(
        base[0:1] + base[2:3] + base[4:5] + base[6:7]
    )


def test_moving_a_folder_of_images_changes_no_key(
    tiny: dict[str, object], images: Path, write_suite: Write, tmp_path: Path
) -> None:
    before = [run.key for run in plan_suite(write_suite(tiny)).runs]
    moved = Path(shutil.copytree(images, tmp_path / "elsewhere"))
    tiny["dataset"] = {"name": "image_folder", "path": str(moved), "size": 16}
    assert [run.key for run in plan_suite(write_suite(tiny)).runs] == before
    (moved / "00.png").unlink()
    assert [run.key for run in plan_suite(write_suite(tiny)).runs] != before


def test_a_size_free_method_is_one_run_for_all_sizes(write_suite: Write) -> None:
    plan = plan_suite(write_suite(TEXT), methods=["no_quantization"])
    assert len(plan.cells) == 4
    assert [run.key.rsplit("-", 1)[0] for run in plan.runs] == ["no_quantization-s0", "no_quantization-s1"]


def test_a_size_that_a_method_cannot_have_is_an_explained_cell(write_suite: Write) -> None:
    plan = plan_suite(write_suite(TEXT.replace("[16, 64]", "[24, 64]")), methods=["residual_vq", "vq_vae"])
    reasons = {(cell.arm, cell.codebook_size): cell.unavailable for cell in plan.cells}
    assert "24 codes can't be split over 4 levels" in str(reasons["residual_vq", 24])
    assert [cell for cell in reasons if reasons[cell] is None] == [("residual_vq", 64), ("vq_vae", 24), ("vq_vae", 64)]


def test_an_arm_that_can_have_no_size_matters_where_it_is_wanted(write_suite: Write) -> None:
    file = write_suite(TEXT.replace("methods:", "methods:\n  - residual_vq"))
    small = {"grid.codebook_size": [3]}
    with pytest.raises(UsageError, match=r"arm `residual_vq`: .*3 codes can't be split over 4 levels"):
        plan_suite(file, overrides=small)
    assert {cell.arm for cell in plan_suite(file, overrides=small, methods=["vq_vae"]).cells} == {"vq_vae"}


def test_a_size_declared_too_large_for_a_cpu_is_an_explained_cell_there(write_suite: Write) -> None:
    file = write_suite(TEXT.replace("[16, 64]", "[4096, 8192]"))
    on = {kind: plan_suite(file, methods=["sq_vae"], device=kind).cells for kind in ("cpu", "cuda")}
    assert [cell.unavailable for cell in on["cpu"]][::2] == [None, "`sq_vae` is declared up to 4,096 codes on a CPU"]
    assert all(cell.unavailable is None for cell in on["cuda"])


def test_a_plug_in_method_can_be_asked_for_by_name(write_suite: Write) -> None:
    assert [arm.arm for arm in plan_suite(write_suite(TEXT), methods=["vq_vae_ema", "kmeans_start"]).arms] == [
        "vq_vae_ema",
        "kmeans_start",
    ]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("seeds: 2", "sedes: 2", r"tiny.yaml:8: unknown key `sedes` \(did you mean `seeds`\?\)"),
        ("steps: 10", "step: 10", r"tiny.yaml:\d: (the key `training.steps` is missing|unknown key `training.step`)"),
        ("steps: 10", "steps: ten", r"tiny.yaml:5: `training.steps` must be a whole number.*'ten'"),
        ("steps: 10", "steps: 0", r"tiny.yaml:5: `training.steps` must be at least 1"),
        (
            "steps: 10",
            "steps: 10\n  devices: 200",
            r"tiny.yaml:4: training: devices \(200\) must not exceed",
        ),
        ("learning_rate: 0.01", "devices: 200", r"training of arm `kmeans_start`: devices \(200\) must not exceed"),
        ("steps: 10", "steps: true", r"tiny.yaml:5: `training.steps` must be a whole number"),
        ("[16, 64]", "[]", r"tiny.yaml:7: `grid.codebook_size` must have at least 1 entry, not 0"),
        ("[16, 64]", "[16, 16]", r"tiny.yaml:7: codebook size 16 stands there twice"),
        ("[16, 64]", "[0]", r"tiny.yaml:7: `grid.codebook_size.0` must be at least 1"),
        ("- vq_vae\n", "- vqvae\n", r"tiny.yaml:10: unknown method `vqvae` \(did you mean `vq_vae`\?\)"),
        (
            "init: kmeans",
            "start: kmeans",
            r"tiny.yaml:11: arm `kmeans_start`: `vq_vae` has no parameter `start`; it has: `beta`, `init`",
        ),
        (
            "init: kmeans",
            "init: kmean",
            r"tiny.yaml:11: arm `kmeans_start`: init must be one of .*did you mean `kmeans`",
        ),
        (
            "init: kmeans",
            "beta: big",
            r"tiny.yaml:11: arm `kmeans_start`: `vq_vae`: `beta` must be a number, not 'big'",
        ),
        ("dataset: photos", "dataset: foto", r"tiny.yaml:2: unknown data set `foto`.*there are: .*photos"),
        ("latent_dim: 8", "latent_dims: 8", r"tiny.yaml:3: model `conv` has no parameter `latent_dims` \(did you"),
        (
            "latent_dim: 8",
            "latent_dim: 8.5",
            r"tiny.yaml:3: model `conv`: `latent_dim` must be a whole number, not 8.5",
        ),
        ("latent_dim: 8", "width: 0", r"tiny.yaml:3: model `conv`: width must be a whole number from 1 to 65536"),
        ("latent_dim: 8", "width: 9999999", r"tiny.yaml:3: .* width must be a whole number from 1 to 65536"),
        (
            "latent_dim: 8",
            "residual_blocks: 999",
            r"tiny.yaml:3: .* must be a whole number from 0 to 256",
        ),
        (
            "steps: 10",
            "steps: 1000000000000",
            r"tiny.yaml:5: .*steps` must be at most 1,000,000,000,",
        ),
        ("latent_dim: 8", "downsampling: 6", r"tiny.yaml:3: model `conv`: downsampling must be a power of two"),
        (
            "dataset: photos",
            "dataset: shifted",
            r"tiny.yaml:3: model `conv` is for `image` data, but `shifted` holds",
        ),
        ("name: conv", "name: convv", r"tiny.yaml:3: unknown model `convv` \(did you mean `conv`\?\)"),
        (", method: vq_vae, params", ", method: vq_vae, param", r"tiny.yaml:11: unknown key `methods.1.param`"),
        ("arm: kmeans_start, ", "", r"tiny.yaml:11: there are two arms called `vq_vae`"),
        ("params: {init: kmeans}, training: {learning_rate: 0.01}", "params: {}", r"are the same run twice"),
        ("learning_rate: 0.01", "lr: 0.01", r"tiny.yaml:11: arm `kmeans_start`: unknown training key `lr`"),
        ("learning_rate: 0.01", "learning_rate: -1", r"tiny.yaml:11: training of arm `kmeans_start`: `learning_rate`"),
        (
            "- vq_vae\n",
            "- {method: residual_vq, params: {depth: 7}}\n",
            r"tiny.yaml:10: arm `residual_vq`: 16 codes can't be split over 7",
        ),
        ("question: Who collapses?", "- a\n- b", r"not valid YAML"),
        ("seeds: 2", "seeds: 2\nseeds: 3", r"tiny.yaml:9: the key `seeds` stands here twice"),
        ("learning_rate: 1e-3", "learning_rate: .inf", r"tiny.yaml:6: `.inf` is no finite number"),
        ("learning_rate: 1e-3", "learning_rate: 1e999", r"tiny.yaml:6: `1e999` is no finite number"),
        ("seeds: 2", "seeds: !!int ''", r"tiny.yaml:8: can't read `` as tag:yaml.org,2002:int"),
        ("seeds: 2", "<<: {seeds: 2}", r"tiny.yaml:8: merge keys \(`<<`\) are not read; write out what they stand for"),
        ("[16, 64]", "[1,024]", r"tiny.yaml:7: does `1,024` mean 1024, then write it without the comma, or two"),
        ("seeds: 2", "seeds: 1000000000", r"tiny.yaml:8: `seeds` must be at most 1,000"),
        (
            "[16, 64]}",
            f"[16], training.clip_norm: {[*range(1, 401)]}, training.ema_decay: {[*range(400)]}}}",
            r"tiny.yaml:7: 160,000 places of the grid, 2 seeds and 2 arms make 640,000 runs, more than 50,000; divide",
        ),
        ("seeds: 2", "seeds: !!python/object:os.system {}", r"tiny.yaml:8: "),
        (
            "seeds: 2",
            "seeds: 2\ntables:\n  - main\n  - {name: few, of: mian}",
            r"tiny.yaml:11: table `few`: unknown table `mian` .did you mean `main`",
        ),
        (
            "seeds: 2",
            "seeds: 2\nplots:\n  - name: few\n    of: usage\n    arms: [vq_vae,\n      simqv]",
            r"tiny.yaml:13: plot `few`: `arms` names no arm: `simqv`",
        ),
    ],
)
def test_a_mistake_is_one_sentence_with_file_and_line(old: str, new: str, message: str, write_suite: Write) -> None:
    assert old in TEXT
    with pytest.raises(UsageError, match=message) as caught:
        plan_suite(write_suite(TEXT.replace(old, new)))
    assert "\n" not in str(caught.value)


def test_a_mistaken_override_is_named(write_suite: Write) -> None:
    file = write_suite(TEXT)
    with pytest.raises(UsageError, match="--set training.step: unknown key `training.step` .did you mean `steps`"):
        plan_suite(file, overrides={"training.step": 3})
    with pytest.raises(UsageError, match="--set training.steps: `training.steps` must be a whole number"):
        plan_suite(file, overrides={"training.steps": "many"})
    with pytest.raises(UsageError, match="`question` is not a section"):
        plan_suite(file, overrides={"question.x": 1})


def test_an_override_of_the_protocol_gets_its_own_folder(write_suite: Write) -> None:
    file = write_suite(TEXT)
    assert plan_suite(file, overrides={"training.steps": 7}).suite.name == "tiny@training.steps=7"
    assert plan_suite(file, overrides={"grid.codebook_size": [32]}).suite.name == "tiny"


@pytest.mark.parametrize(("stem", "folder"), [("..", None), (".", None), (".hidden", "hidden"), ("a b", "a_b")])
def test_a_suite_name_stays_inside_the_results_folder(stem: str, folder: str | None, tmp_path: Path) -> None:
    file = tmp_path / f"{stem}.yaml"
    file.write_text(TEXT)
    if folder is None:
        with pytest.raises(UsageError, match="needs a name"):
            plan_suite(str(file))
    else:
        assert plan_suite(str(file)).suite.name == folder


@pytest.mark.parametrize("content", ["", "[1, 2]", "text", "&a [*a]", "\x00", "a: " * 100])
def test_rubbish_is_a_usage_error(content: str, write_suite: Write) -> None:
    with pytest.raises(UsageError):
        plan_suite(write_suite(content))


def test_unknown_suite_suggests_the_nearest() -> None:
    with pytest.raises(UsageError, match="unknown suite `quickstrat` .did you mean `quickstart`"):
        find_suite("quickstrat")
    with pytest.raises(UsageError, match="there is no suite file nowhere.yaml"):
        find_suite("nowhere.yaml")


def test_one_layer_of_a_method_is_called_so_and_not_ranked(tmp_path: Path) -> None:
    store = Store(tmp_path / "results")
    write_plan(plan_suite("smoke", methods=["vq_vae", "hqa"]), store)
    arms = read_plan(store.folder / "plan.json")["arms"]
    assert [(arm["arm"], arm["method"], arm.get("ranked", True)) for arm in arms] == [
        ("vq_vae", "vq_vae", True),
        ("hqa", "hqa", False),
    ]
    assert "ranked" not in arms[0]


def test_a_reference_is_called_so(tmp_path: Path) -> None:
    store = Store(tmp_path / "results")
    write_plan(plan_suite("remedies", methods=["vq_vae", "no_quantization", "kmeans"]), store)
    arms = read_plan(store.folder / "plan.json")["arms"]
    assert [(arm["arm"], arm.get("reference")) for arm in arms] == [
        ("vq_vae", None),
        ("no_quantization", True),
        ("kmeans", True),
    ]


def test_key_depends_on_every_part() -> None:
    config = {"method": "m", "codebook_size": 8, "seed": 0, "params": {"beta": 0.25}}
    assert run_key(config) == run_key(dict(reversed(config.items())))
    assert run_key(config) != run_key({**config, "params": {"beta": 0.5}})


def test_two_configurations_never_share_a_key(monkeypatch: pytest.MonkeyPatch, write_suite: Write) -> None:
    rates = [0.001 * (1 + index) for index in range(8)]
    suite = {
        "question": "?",
        "dataset": "photos",
        "model": "conv",
        "training": {"steps": 4},
        "grid": {"codebook_size": [8], "training.learning_rate": rates},
        "methods": ["vq_vae"],
        "seeds": 1,
    }
    apart = plan_suite(write_suite(suite))
    assert [len(run.key.rpartition("-")[2]) for run in apart.runs] == [8] * 8
    monkeypatch.setattr("benchmark.records.run.DIGITS", 1)
    plan = plan_suite(write_suite(suite))
    assert len({run.key for run in plan.runs}) == 8
    lengths = [len(run.key.rpartition("-")[2]) for run in plan.runs]
    short = Counter(run_key(run.config) for run in plan.runs)
    assert lengths == [32 if short[run_key(run.config)] > 1 else 1 for run in plan.runs]
    assert 32 in lengths
    assert all(KEY.fullmatch(run.key) for run, length in zip(plan.runs, lengths, strict=True) if length == 32)
    for cell in plan.cells:
        assert plan.key_at(cell.arm, cell.point, 8, 0) == cell.run.key


def test_what_an_arm_does_not_promise_is_in_the_plan(tiny: dict[str, Any], write_suite: Write, tmp_path: Path) -> None:
    theirs = {"arm": "theirs", "method": "vector_quantize_pytorch", "params": {"class": "SimVQ"}}
    for devices, noisy in ((1, None), (2, [Card.SAME_AS_ONE])):
        suite = {**tiny, "methods": ["vq_vae", theirs, "gumbel_vq"]}
        suite["training"] = {**tiny["training"], "devices": devices}
        write_plan(plan_suite(write_suite(suite)), Store(tmp_path / "results"))
        said = {arm["arm"]: arm.get("not_promised") for arm in read_plan(tmp_path / "results" / "plan.json")["arms"]}
        assert said["vq_vae"] is None
        assert "output and way back differ by rounding" in said["theirs"][0]
        # What a card says of several processes is of no matter where there is one.
        assert said["gumbel_vq"] == (noisy and [get("gumbel_vq").card.distributed])


def test_what_an_arm_does_otherwise_than_its_authors_is_in_the_plan(
    tiny: dict[str, Any], write_suite: Write, tmp_path: Path
) -> None:
    theirs = {"arm": "as_published", "method": "sq_vae", "params": {"temperature_decay": 1e-5}}
    half = {"arm": "half", "method": "sq_vae", "params": {"final_temperature": 0.5}}
    write_plan(plan_suite(write_suite({**tiny, "methods": ["vq_vae", "sq_vae", theirs, half]})), Store(tmp_path / "r"))
    said = {arm["arm"]: arm.get("not_as_published") for arm in read_plan(tmp_path / "r" / "plan.json")["arms"]}
    assert said["vq_vae"] is said["as_published"] is None
    assert said["sq_vae"].startswith("its temperature falls from 1 to 0.15 over the run")
    assert said["half"].startswith("its temperature falls from 1 to 0.5 over the run")
