"""Codes from elsewhere have the numbers that a run's have, and every mistake in them is one sentence."""

import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from benchmark.elsewhere import measure
from methods import UsageError

CODES = np.array([[0, 1, 1], [3, 3, 3]])


def test_usage_and_what_goes_with_it() -> None:
    metrics = measure(CODES, 4).metrics
    assert metrics["usage"] == 0.75
    assert metrics["dead"] == 1
    assert metrics["tokens"] == 6
    frequencies = np.array([1, 2, 3]) / 6
    assert metrics["perplexity"] == pytest.approx(np.exp(-(frequencies * np.log(frequencies)).sum()))
    assert metrics["ceiling"] == pytest.approx(1 - 0.75**6)
    assert "quantization_error" not in metrics


@pytest.mark.parametrize("suffix", [".npy", ".npz", ".pt"])
def test_every_kind_of_file_holds_the_same_codes(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"codes{suffix}"
    if suffix == ".pt":
        torch.save(torch.from_numpy(CODES), path)
    elif suffix == ".npz":
        np.savez(path, CODES)
    else:
        np.save(path, CODES.astype(">u2"))
    found = measure(path, [4])
    assert found.metrics == measure(CODES, 4).metrics
    assert [counts.tolist() for counts in found.counts] == [[1, 2, 0, 3]]
    assert len(found.sources["codes"]) == 64


def test_levels_are_counted_together_and_apart_without_dropped_ones() -> None:
    codes = np.array([[0, 1], [1, -1], [1, 1], [0, 1]])
    metrics = measure(codes, [2, 3]).metrics
    assert metrics["usage"] == 2 / 6
    assert metrics["tokens"] == 3
    assert metrics["usage_level_1"] == 1
    assert metrics["usage_level_2"] == pytest.approx(1 / 3)
    assert metrics["tokens_level_1"] == 4


def test_codewords_and_latents_say_how_well_they_fit() -> None:
    codewords = np.array([[0.0, 0.0], [2.0, 0.0], [9.0, 9.0]], np.float32)
    latents = np.array([[[0.5, 0.0], [2.0, 1.0]], [[0.0, -0.5], [3.0, 0.0]]], np.float32)
    nearest = measure(codewords=codewords, latents=latents)
    assert nearest.counts[0].tolist() == [2, 2, 0]
    variation = ((latents.reshape(-1, 2) - latents.reshape(-1, 2).mean(0)) ** 2).sum()
    assert nearest.metrics["quantization_error"] == pytest.approx((0.25 + 1 + 0.25 + 1) / variation)
    assert nearest.metrics["effective_rank_used"] == pytest.approx(1)
    others = measure(np.array([[0, 1], [0, 2]]), codewords=codewords, latents=latents)
    assert others.metrics["quantization_error"] == pytest.approx((0.25 + 1 + 0.25 + 36 + 81) / variation)


def test_the_codewords_of_several_levels_are_summed() -> None:
    codewords = np.array([[[0.0], [2.0]], [[0.0], [0.5]]], np.float32)
    latents, codes = np.array([[2.5], [0.0]], np.float32), np.array([[1, 1], [0, 0]])
    assert measure(codes, codewords=codewords, latents=latents).metrics["quantization_error"] == 0
    dropped = np.array([[1, -1], [0, 0]])
    error = measure(dropped, codewords=codewords, latents=latents).metrics["quantization_error"]
    assert error == pytest.approx(0.25 / (2 * 1.25**2))


BAD: dict[str, tuple[dict[str, Any], str]] = {
    "nothing": (
        {},
        "there is nothing to measure: give codes, latents with codewords, or originals and reconstructions",
    ),
    "no size": ({"codes": CODES}, "the codebook size is missing: without it nobody knows"),
    "floats": ({"codes": CODES / 2, "codebook_size": 4}, "codes must be whole numbers, not float64"),
    "booleans": ({"codes": CODES > 1, "codebook_size": 4}, "codes must be whole numbers, not bool"),
    "objects": ({"codes": np.array([None]), "codebook_size": 4}, "codes must be numbers, not of type object"),
    "too high": ({"codes": CODES, "codebook_size": 3}, "codes lie from 0 to 2 .* not at 3"),
    "too low": ({"codes": CODES - 2, "codebook_size": 4}, "codes lie from 0 to 3 .* not at -2"),
    "beyond 64 bits": ({"codes": np.array([2**64 - 1], np.uint64), "codebook_size": 4}, "numbers beyond 64 bits"),
    "empty": ({"codes": CODES[:0], "codebook_size": 4}, r"codes are empty, of shape \[0, 3\]: there is nothing to"),
    "levels": (
        {"codes": CODES, "codebook_size": [4, 4]},
        r"codes: the codebook sizes .* are of 2 levels, which stand in the last axis, not in shape \[2, 3",
    ),
    "size": ({"codes": CODES, "codebook_size": 0}, "the codebook size must be a whole number of at least 1, not 0"),
    "size of another type": ({"codes": CODES, "codebook_size": "16"}, "a whole number, or a list of one for .* '16'"),
    "size of no type": ({"codes": CODES, "codebook_size": None}, "a whole number, or a list of one for each level"),
    "ragged": ({"codes": [[1, 2], [3]], "codebook_size": 4}, "codes must be one array, not a list of lists"),
    "device": ({"codes": CODES, "codebook_size": 4, "device": "tpu"}, "tpu is no device"),
    "beyond memory": ({"codes": CODES, "codebook_size": 10**20}, "takes more memory than this machine has"),
    "all dropped": ({"codes": CODES * 0 - 1, "codebook_size": 4}, "codes are all -1, which stands for a dropped one"),
    "complex": ({"codes": torch.zeros(3, dtype=torch.complex64), "codebook_size": 4}, "a plain tensor of numbers"),
    "sparse": ({"codes": torch.eye(3).long().to_sparse(), "codebook_size": 4}, "not torch.sparse_coo of int64"),
    "meta": ({"codes": torch.zeros(3, device="meta"), "codebook_size": 4}, "without values"),
    "other size": (
        {"codes": CODES, "codebook_size": 4, "codewords": np.zeros((5, 2), np.float32)},
        "the codebook size is 4, but there are 5 codewords",
    ),
    "flat codewords": (
        {"codes": CODES, "codewords": np.zeros(4, np.float32)},
        r"codewords must be floats of shape \[K, D\]",
    ),
    "latents alone": ({"latents": np.zeros((4, 2), np.float32), "codebook_size": 4}, "give the codewords too"),
    "nor a size": ({"latents": np.zeros((4, 2), np.float32)}, "give the codewords too"),
    "widths": (
        {"latents": np.zeros((4, 3), np.float32), "codewords": np.zeros((4, 2), np.float32)},
        "as wide as the codewords",
    ),
    "count": (
        {"codes": CODES, "latents": np.zeros((4, 2), np.float32), "codewords": np.zeros((4, 2), np.float32)},
        "there are 6 codes a level and 4 latents",
    ),
    "not finite": (
        {"latents": np.full((4, 2), np.nan), "codewords": np.zeros((4, 2))},
        "latents hold values that are not finite",
    ),
    "options": ({"codes": CODES, "codebook_size": 4, "options": {"features": None}}, "options, sample rate and range"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_mistake_is_one_sentence(case: str) -> None:
    given, message = BAD[case]
    with pytest.raises(UsageError, match=message):
        measure(**given)


@pytest.mark.parametrize("size", [np.int64(4), np.array([4]), torch.tensor([4]), (4,)])
def test_a_size_may_come_from_numpy(size: Any) -> None:
    assert measure(CODES, size).metrics["usage"] == 0.75


@pytest.mark.parametrize("suffix", [".npy", ".npz", ".pt"])
def test_a_file_that_is_cut_short_or_empty_is_called_so(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"codes{suffix}"
    {".npy": np.save, ".npz": np.savez, ".pt": lambda file, of: torch.save(torch.from_numpy(of), file)}[suffix](
        path, CODES
    )
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) - 20])
    with pytest.raises(UsageError, match="is cut short"):
        measure(path, 4)
    path.write_bytes(b"")
    with pytest.raises(UsageError, match="is empty"):
        measure(path, 4)


@pytest.mark.filterwarnings("error")
def test_a_file_with_more_than_an_array_says_what_is_in_it(tmp_path: Path) -> None:
    path = tmp_path / "several.pt"
    torch.save({"codes": torch.zeros(3)}, path)
    with pytest.raises(UsageError, match=r"holds one entry \(codes\), not one array; save the one that is meant"):
        measure(path, 4)
    torch.save([torch.zeros(3), torch.zeros(3)], path)
    with pytest.raises(UsageError, match="holds 2 entries, not one array"):
        measure(path, 4)
    path.write_bytes(pickle.dumps({"codes": os.system}))  # of which PyTorch warns before it refuses it
    with pytest.raises(UsageError, match="holds no plain array of numbers"):
        measure(path, 4)


def test_files_are_read_without_executing_anything(tmp_path: Path) -> None:
    class Planted:
        def __reduce__(self) -> Any:
            return (Path.touch, (tmp_path / "executed",))

    np.save(tmp_path / "objects.npy", np.array([Planted()]), allow_pickle=True)
    torch.save({"codes": Planted()}, tmp_path / "objects.pt")
    torch.save({"codes": torch.zeros(3)}, tmp_path / "several.pt")
    np.savez(tmp_path / "several.npz", a=CODES, b=CODES)
    (tmp_path / "rubbish.npy").write_bytes(b"no array")
    np.save(tmp_path / "whole.npy", CODES)
    (tmp_path / "cut.npy").write_bytes((tmp_path / "whole.npy").read_bytes()[:-1])
    with pytest.raises(UsageError, match=r"^codes \(.*whole.npy\) lie from 0 to 2 .* not at 3"):
        measure(tmp_path / "whole.npy", 3)
    with pytest.raises(UsageError, match=r"codes: .*cut.npy is cut short"):
        measure(tmp_path / "cut.npy", 4)
    os.mkfifo(tmp_path / "pipe.npy")
    with pytest.raises(UsageError, match="is no file but a pipe"):
        measure(tmp_path / "pipe.npy", 4)
    for name in ("objects.npy", "objects.pt", "rubbish.npy"):
        with pytest.raises(UsageError, match=f"codes: .*{name} holds no plain array"):
            measure(tmp_path / name, 4)
    for name, held in (("several.pt", r"one entry \(codes\)"), ("several.npz", r"2 entries \(a, b\)")):
        with pytest.raises(UsageError, match=f"{name} holds {held}, not one array"):
            measure(tmp_path / name, 4)
    with pytest.raises(UsageError, match="there is no file .*missing.npy"):
        measure(tmp_path / "missing.npy", 4)
    with pytest.raises(UsageError, match="must be a file .npy, .npz or .pt, not codes.csv"):
        measure("codes.csv", 4)
    assert not (tmp_path / "executed").exists()
