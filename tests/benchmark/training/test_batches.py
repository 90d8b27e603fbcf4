"""Batches are a pure function of seed and step; splits deliver them as inputs."""

import pytest
import torch

from benchmark.data import Dataset
from benchmark.seeds import derive_seed
from benchmark.training import batches as batches_module
from benchmark.training.batches import Batches, DeviceSplit, fits

CPU = torch.device("cpu")


def stream(num_items: int, batch_size: int, seed: int, steps: int) -> list[int]:
    batches = Batches(num_items, batch_size, seed)
    return torch.cat([batches.indices(step) for step in range(steps)]).tolist()


@pytest.mark.parametrize(("num_items", "batch_size"), [(10, 3), (10, 10), (3, 8), (1, 4), (7, 1)])
def test_every_epoch_sees_every_item_once(num_items, batch_size):
    seen = stream(num_items, batch_size, 0, steps=3 * num_items)
    assert len(seen) == 3 * num_items * batch_size
    for start in range(0, len(seen), num_items):
        assert sorted(seen[start : start + num_items]) == list(range(num_items))


def test_batch_size_only_cuts_the_stream():
    assert stream(11, 4, 5, steps=15) == stream(11, 6, 5, steps=10)


def test_any_step_can_come_first():
    forward = Batches(10, 4, 0)
    expected = [forward.indices(step) for step in range(20)]
    backward = Batches(10, 4, 0)
    for step in reversed(range(20)):
        assert torch.equal(backward.indices(step), expected[step])
    assert torch.equal(Batches(10, 4, 0).indices(17), expected[17])


def test_seed_and_epoch_change_the_order():
    first, second = stream(100, 100, 0, 2)[:100], stream(100, 100, 0, 2)[100:]
    assert len({tuple(first), tuple(second), tuple(stream(100, 100, 1, 1))}) == 3


def test_indices_leave_global_randomness_alone():
    torch.manual_seed(3)
    before = torch.random.get_rng_state()
    Batches(10, 4, 0).indices(5)
    assert torch.equal(torch.random.get_rng_state(), before)


def test_order_of_an_epoch_is_drawn_from_its_hashed_seed():
    generator = torch.Generator().manual_seed(derive_seed("batches", 9, 2))
    expected = torch.randperm(8, generator=generator)
    assert torch.equal(Batches(8, 4, 9).indices(5), expected[4:])


def split(num_items: int) -> DeviceSplit:
    items = torch.arange(num_items, dtype=torch.uint8).view(-1, 1, 1, 1)
    return DeviceSplit(items, Dataset.to_input, CPU)


def test_batch_of_indices_as_inputs():
    inputs = split(10).batch(torch.tensor([3, 3, 0]))
    assert inputs.shape == (3, 1, 1, 1)
    torch.testing.assert_close(inputs.flatten(), torch.tensor([3 / 127.5 - 1, 3 / 127.5 - 1, -1.0]))


@pytest.mark.parametrize(("num_items", "batch_size", "sizes"), [(10, 4, [4, 4, 2]), (3, 8, [3]), (2, 1, [1, 1])])
def test_batches_in_order_with_a_ragged_end(num_items, batch_size, sizes):
    items = split(num_items)
    pieces = list(items.batches(batch_size))
    assert len(items) == num_items
    assert [len(piece) for piece in pieces] == sizes
    raw = ((torch.cat(pieces).flatten() + 1) * 127.5).round().int()
    assert raw.tolist() == list(range(num_items))


def test_a_split_too_large_for_the_device_travels_by_batch(monkeypatch):
    monkeypatch.setattr(batches_module, "fits", lambda items, device: False)
    travelled = []

    def travel(self: DeviceSplit, piece: torch.Tensor) -> torch.Tensor:
        travelled.append(piece.dtype)
        return piece.to(self.device)

    monkeypatch.setattr(DeviceSplit, "_travel", travel)
    items = split(10)
    assert not items.resident
    torch.testing.assert_close(items.batch(torch.tensor([7])).flatten(), torch.tensor([7 / 127.5 - 1]))
    assert [len(piece) for piece in items.batches(6)] == [6, 4]
    assert travelled == [torch.uint8] * 3


def test_a_quarter_of_free_cuda_memory_may_hold_raw_items(monkeypatch):
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (400, 1000))
    cuda = torch.device("cuda")
    assert fits(torch.zeros(100, dtype=torch.uint8), cuda)
    assert not fits(torch.zeros(101, dtype=torch.uint8), cuda)
    assert fits(torch.zeros(101, dtype=torch.uint8), CPU)
