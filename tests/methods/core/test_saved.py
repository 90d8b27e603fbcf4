"""What torch.save wrote is read back; of anything else one sentence of our own, without advice to read it unsafely."""

import io
import pickle
from argparse import Namespace
from pathlib import Path

import pytest
import torch

from methods.core.saved import UnreadableError, load_saved


def saved(value: object) -> bytes:
    stream = io.BytesIO()
    torch.save(value, stream)
    return stream.getvalue()


def test_what_was_saved_is_read(tmp_path: Path) -> None:
    (tmp_path / "kept.pt").write_bytes(saved({"numbers": torch.arange(3), "step": 4}))
    for mapped in (False, True):
        found = load_saved(tmp_path / "kept.pt", mapped=mapped)
        assert isinstance(found, dict)
        assert found["numbers"].tolist() == [0, 1, 2]
        assert found["step"] == 4


@pytest.mark.filterwarnings("ignore:Detected pickle protocol")
@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "it holds no plain tensors that torch.save wrote"),
        (b"e: no weights", "it holds no plain tensors that torch.save wrote"),
        (b"no weights", "it holds no plain tensors that torch.save wrote"),
        (pickle.dumps({"a": Namespace(b=1)}), "it holds no plain tensors that torch.save wrote"),
        (saved({"a": Namespace(b=1)}), "it holds no plain tensors that torch.save wrote"),
        *((saved({"a": torch.zeros(99)})[:-cut], "it is cut short") for cut in (1, 50, 300)),
    ],
)
def test_anything_else_is_one_sentence(content: bytes, sentence: str) -> None:
    with pytest.raises(UnreadableError) as raised:
        load_saved(io.BytesIO(content))
    assert str(raised.value) == sentence


def test_a_file_that_is_not_there_is_the_systems_to_say(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        load_saved(tmp_path / "nowhere.pt")
