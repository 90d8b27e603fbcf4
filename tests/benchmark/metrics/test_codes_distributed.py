"""Two processes with half the test set each count what one process counts."""

import torch

from benchmark.metrics.codes import CodeStatistics, QuantizationError


def count(share: slice) -> list:
    """What is measured of a share of 100 examples with codes of two levels, some of them dropped."""
    generator = torch.Generator().manual_seed(0)
    codes = torch.stack(
        [torch.randint(0, size, (100, 4), generator=generator).square() // size for size in (50, 9)], dim=-1
    )
    codes[::7, 0, 1] = -1
    latents = torch.randn(100, 4, 6, generator=generator)
    quantized = latents + 0.1 * torch.randn(100, 4, 6, generator=generator)
    one, two, error = CodeStatistics((50,), "cpu"), CodeStatistics((50, 9), "cpu"), QuantizationError("cpu")
    one.update(codes[share, :, :1])
    two.update(codes[share])
    error.update(latents[share], quantized[share])
    return [one.compute(), two.compute(), error.compute(), two.counts[1].tolist()]


def of_unequal_shares(rank: int) -> list:
    """As a test set has that does not divide evenly."""
    return count(slice(0, 70) if rank == 0 else slice(70, None))


def test_two_processes_count_as_one(in_two_processes):
    one, two, error, counts = count(slice(None))
    for ours in in_two_processes("of_unequal_shares"):
        assert ours[0] == one
        assert ours[1].keys() == two.keys()
        for name, value in two.items():
            assert abs(ours[1][name] - value) <= 1e-12 * abs(value), name
        assert abs(ours[2] - error) < 1e-12
        assert ours[3] == counts
