"""Threads take every part of the work once, whatever runtime there is."""

import numpy as np
import pytest
import torch

from methods.parts import threads

pytest.importorskip("numba")


@pytest.fixture(scope="module")
def count_up():
    """A loop that adds one to each item of its first array, and notes the sizes of the parts in its second."""
    from methods.parts.bounded_kernels import _arrays, _for_threads, _take

    kinds = "f4:1 i8:2"
    arrays = _arrays(kinds)

    @_for_threads(kinds)
    def loop(table):
        items, sizes, todo = arrays(table)
        first = _take(todo, 0, todo[1])
        while first < items.shape[0]:
            last = min(first + todo[1], items.shape[0])
            for n in range(first, last):
                items[n] += 1
            sizes[0, first] = last - first
            first = _take(todo, 0, todo[1])

    return loop


@pytest.fixture(params=[3])
def thread_count(request):
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield
    torch.set_num_threads(before)


def shared(loop, count, least):
    items, sizes = np.zeros(count, np.float32), np.zeros((1, count), np.int64)
    threads.share(loop, (items, sizes), count, least)
    return items, sizes[sizes > 0].tolist()


@pytest.mark.usefixtures("thread_count")
class TestThreeThreads:
    def test_every_item_is_done_once(self, count_up):
        if threads._parallel() is None:
            pytest.skip("torch has another runtime for its threads here")
        for _ in range(20):
            items, sizes = shared(count_up, 1000, 10)
            assert (items == 1).all()
            assert sizes == [42] * 23 + [34]

    def test_no_part_is_smaller_than_told(self, count_up):
        items, sizes = shared(count_up, 1000, 300)
        assert (items == 1).all()
        assert sum(sizes) == 1000
        assert min(sizes[:-1]) >= 300

    def test_without_that_runtime_one_thread_does_all(self, count_up, monkeypatch):
        monkeypatch.setattr(threads, "_LIBRARY", "libnothing.so")
        monkeypatch.setattr(threads, "_parallel", threads._parallel.__wrapped__)
        items, sizes = shared(count_up, 1000, 10)
        assert (items == 1).all()
        assert sizes == [1000]


@pytest.mark.usefixtures("thread_count")
@pytest.mark.parametrize("thread_count", [1], indirect=True)
def test_one_thread_has_one_part(count_up):
    assert shared(count_up, 1000, 10)[1] == [1000]
    assert shared(count_up, 5, 10)[1] == [5]


def test_arrays_of_other_kinds_are_refused(count_up):
    with pytest.raises(AssertionError):
        threads.share(count_up, (np.zeros(10), np.zeros((1, 10), np.int64)), 10, 1)
    with pytest.raises(AssertionError):
        threads.share(count_up, (np.zeros((10, 2), np.float32)[:, 0], np.zeros((1, 10), np.int64)), 10, 1)
