"""Statistics of a batch and what processes share: counted by NumPy, the same from two processes as from one."""

import numpy as np
import pytest
import torch

from methods.parts import processes, statistics

ROWS = torch.arange(20.0).reshape(10, 2)
CODES = torch.tensor([0, 3, 3, 1, 0, 3, 3, 3, 1, 0])


def all_statistics(rows: torch.Tensor, codes: torch.Tensor) -> dict[str, torch.Tensor]:
    torch.manual_seed(4)
    return {
        "counts": statistics.code_counts(codes, 5),
        "sums": statistics.code_sums(rows, codes, 5),
        "num_rows": statistics.num_rows(rows),
        "few": statistics.random_rows(rows, 4),
        "many": statistics.random_rows(rows, 23),
        "one": statistics.random_rows(rows, 1),
        "gathered": processes.gather_rows(rows),
    }


def of_one_process_of_two(rank: int) -> dict[str, torch.Tensor]:
    """Seven rows in the first process and three in the second; the second's random state is another."""
    part = slice(0, 7) if rank == 0 else slice(7, 10)
    found = all_statistics(ROWS[part], CODES[part])
    torch.manual_seed(4 + rank)
    found["drawn by the first"] = statistics.random_rows(ROWS[part], 23)
    found["broadcast"] = processes.broadcast(torch.tensor([5.0 + rank]))
    found["minimum"] = processes.all_reduce_min(torch.tensor([1.0 - rank, 2.0 + rank]))
    # The best of three slots: the first process's, the second's, and at a tie the first's.
    scores = torch.tensor([[5.0, -1.0, 3.0], [4.0, 2.0, 3.0]])[rank]
    found["best"] = processes.best_rows(torch.full((3, 2), 10.0 + rank), lambda rows: scores)
    value = torch.tensor(2.0 + rank, requires_grad=True)
    (processes.sum_over_processes(value) ** 2 * (1 + rank)).backward()
    found["gradient of the sum"] = value.grad
    found["distributed"] = torch.tensor(processes.is_distributed())
    return found


@pytest.fixture(scope="module")
def ranks(in_two_processes):
    return in_two_processes("of_one_process_of_two")


def test_counts_and_sums_are_those_of_numpy():
    found = all_statistics(ROWS, CODES)
    assert found["counts"].tolist() == [3, 2, 0, 5, 0]
    sums = np.zeros((5, 2))
    np.add.at(sums, CODES.numpy(), ROWS.numpy())
    assert found["sums"].tolist() == sums.tolist()
    assert found["num_rows"].item() == 10
    assert found["counts"].sum().item() == CODES.numel()


def test_counts_take_codes_of_any_shape():
    assert statistics.code_counts(CODES.reshape(5, 2, 1), 4).tolist() == [3, 2, 0, 5]


def test_sums_of_half_precision_latents_are_fp32():
    rows = torch.full((3000, 1), 1.001, dtype=torch.bfloat16)
    sums = statistics.code_sums(rows, torch.zeros(3000, dtype=torch.int64), 1)
    assert sums.dtype == torch.float32
    assert sums.item() == pytest.approx(3000 * rows[0].item(), rel=1e-5)


def test_random_rows_are_distinct_rows_of_the_batch_as_long_as_there_are_enough():
    drawn = statistics.random_rows(ROWS, 10)
    assert sorted(drawn[:, 0].tolist()) == ROWS[:, 0].tolist()
    drawn = statistics.random_rows(ROWS, 6)
    assert len(set(drawn[:, 0].tolist())) == 6


def test_more_random_rows_than_rows_draw_each_nearly_equally_often():
    drawn = statistics.random_rows(ROWS, 23)
    times = torch.bincount((drawn[:, 0] / 2).long(), minlength=10)
    assert sorted(times.tolist()) == [2] * 7 + [3] * 3


def test_random_rows_are_uniform():
    torch.manual_seed(0)
    hits = sum(torch.bincount((statistics.random_rows(ROWS, 1)[:, 0] / 2).long(), minlength=10) for _ in range(2000))
    chi_squared = ((hits - 200.0) ** 2 / 200).sum().item()
    assert chi_squared < 27.9  # 99.9 % point at 9 degrees of freedom


def test_two_processes_have_the_statistics_of_one(ranks):
    whole = all_statistics(ROWS, CODES)
    for name, expected in whole.items():
        for rank in range(2):
            assert torch.equal(ranks[rank][name], expected), (name, rank)


def test_the_first_process_draws(ranks):
    torch.manual_seed(4)
    expected = statistics.random_rows(ROWS, 23)
    assert torch.equal(ranks[0]["drawn by the first"], expected)
    assert torch.equal(ranks[1]["drawn by the first"], expected)


def test_broadcast_sends_the_first_process_s_tensor(ranks):
    assert [found["broadcast"].item() for found in ranks] == [5.0, 5.0]
    assert [found["distributed"].item() for found in ranks] == [True, True]


def test_minimum_and_best_row_over_processes(ranks):
    for found in ranks:
        assert found["minimum"].tolist() == [0.0, 2.0]
        assert found["best"].tolist() == [[10.0, 10.0], [11.0, 11.0], [10.0, 10.0]]


def test_sum_over_processes_has_the_gradient_of_all_losses(ranks):
    """Losses s² and 2 s² of the sum s = 2 + 3: both processes get 2 s + 4 s."""
    assert [found["gradient of the sum"].item() for found in ranks] == [30.0, 30.0]


def test_alone_nothing_is_distributed():
    tensor = torch.ones(2)
    assert not processes.is_distributed()
    assert processes.all_reduce(tensor) is tensor
    assert processes.all_reduce_min(tensor) is tensor
    assert processes.sum_over_processes(tensor) is tensor
    assert processes.gather_rows(tensor) is tensor
    assert processes.best_rows(tensor, lambda rows: pytest.fail("scores that nobody asks for")) is tensor
    assert processes.broadcast(tensor) is tensor
