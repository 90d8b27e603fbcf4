"""Invented Fréchet distances by two networks: who stands the other way round is named, else that the order agrees."""

import json
from collections.abc import Callable
from typing import Any

from benchmark.report.backbones import backbone_notes
from benchmark.report.declarations import PaperTable
from benchmark.report.frame import read
from benchmark.report.grid import Grid
from benchmark.report.quantities import distortion_columns
from benchmark.report.tables import TABLES, paper_table

Make = Callable[..., Any]
LITE0, LITE2 = "fd_efficientnet_lite0", "fd_efficientnet_lite2"
ARMS = ("vq_vae", "cvq_vae", "simvq", "vq_vae_ema")
ORDER = {"vq_vae": 40.0, "cvq_vae": 30.0, "simvq": 20.0, "vq_vae_ema": 35.0}
TURNED = {**ORDER, "cvq_vae": 20.0, "simvq": 30.0}
NOISE = ([0.01, -0.02, 0.01], [0.02, 0.01, -0.02], [-0.01, 0.02, -0.02], [0.01, 0.0, -0.03])


def large(made: Any) -> None:
    """The images are such as both networks were made for."""
    for path in (made.folder / "runs").glob("*/record.json"):
        seen = {name: {"image_size": "64×64"} for name in (LITE0, LITE2)}
        path.write_text(json.dumps({**json.loads(path.read_text()), "details": seen}))


def grid(made: Any, second: dict[int, dict[str, float]]) -> Grid:
    for size, means in second.items():
        for arm, noise in zip(ARMS, NOISE, strict=True):
            made.set_metric(arm, size, LITE0, [ORDER[arm] + off for off in noise])
            made.set_metric(arm, size, LITE2, [2 * means[arm] - off for off in noise])
    large(made)
    return Grid(read(made.folder))


def notes(shown: Grid) -> list[str]:
    return backbone_notes(shown, distortion_columns(shown.results))


def test_arms_whose_order_hangs_on_the_network_are_named(synthetic: Make) -> None:
    made = synthetic((*ARMS, "no_quantization"), sizes=(256, 1024), artefacts=False)
    made.edit_plan(tuned="9 trials an arm")
    shown = grid(made, {256: ORDER, 1024: TURNED})
    [note] = notes(shown)
    assert note.startswith(
        "FD (EfficientNet-Lite0) and FD (EfficientNet-Lite2): the order of arms hangs on the network, for beyond "
        "chance the first is better by the one and the second by the other of `simvq` and `cvq_vae` at K = 1,024. "
        "Kendall's τ of the two orders: K = 256 1.00 (6 pairs, 6 beyond chance); "
        "K = 1,024 0.67 (6 pairs, 6 beyond chance)."
    )
    for name in ("main", "distortion_by_size", "comparison"):
        assert note in TABLES[name](shown).shown_notes
    assert note not in TABLES["usage_by_size"](shown).shown_notes
    for columns, named in (["psnr", LITE0, LITE2], True), (["psnr", LITE0], False):
        declared = PaperTable(name="own", title="of a paper", columns=columns)
        built = paper_table(declared, shown)
        assert built is not None
        assert (note in built.shown_notes) == named


def test_orders_that_agree_are_said_to(synthetic: Make) -> None:
    made = synthetic(ARMS, sizes=(256,), artefacts=False)
    [note] = notes(grid(made, {256: ORDER}))
    assert "hangs on neither network, since no pair that both tell apart beyond chance is turned." in note


def test_one_seed_or_one_network_says_nothing_of_the_order(synthetic: Make) -> None:
    made = synthetic(("vq_vae", "simvq"), sizes=(256,), seeds=1, artefacts=False)
    assert notes(Grid(read(made.folder))) == []
    for arm, values in {"vq_vae": (3.0, 1.0), "simvq": (2.0, 4.0)}.items():
        for name, value in zip((LITE0, LITE2), values, strict=True):
            made.set_metric(arm, 256, name, [value])
    assert notes(Grid(read(made.folder))) == []  # of images that are too small for both
    large(made)
    [note] = notes(Grid(read(made.folder)))
    assert "no pair of arms is told apart by both, so nothing is known of the order" in note
    assert "K = 256 −1.00 (1 pair, – beyond chance)." in note
