"""Latents that hardly fill their dimensions, and codebooks that are hard on a search by bounds."""

import torch


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def flat(rows, dim=64, rank=4, noise=0.05, seed=0):
    """Rows that hardly fill their dimensions, about an origin of their own."""
    return normal(rows, rank, seed=seed) @ normal(rank, dim, seed=99) + noise * normal(rows, dim, seed=seed + 1) + 3.0


def exact_codes(latents, codewords):
    """The lowest index of the least distance in fp64."""
    distances = torch.cdist(latents.double(), codewords.double(), compute_mode="donot_use_mm_for_euclid_dist")
    return distances.nan_to_num(nan=torch.inf, posinf=torch.inf).argmin(1)


CODEBOOKS = {
    "all equal": lambda codewords: codewords[:1].repeat(len(codewords), 1),
    "duplicates": lambda codewords: codewords[torch.arange(len(codewords)) % (len(codewords) // 4)],
    "neighbouring duplicates": lambda codewords: codewords.repeat_interleave(3, 0)[: len(codewords)],
    "one far outlier": lambda codewords: codewords.index_fill(0, torch.tensor([77]), 1e6),
    "one outlier beyond fp32's squares": lambda codewords: codewords.index_fill(0, torch.tensor([77]), 1e30),
    "outside the latents' plane": lambda codewords: 3.0 + 2.0 * normal(*codewords.shape, seed=8),
    "collapsed": lambda codewords: 1e-3 * codewords,
    "a line": lambda codewords: normal(len(codewords), 1) @ normal(1, codewords.shape[1]),
    "not finite": lambda codewords: codewords.index_fill(
        0, torch.arange(5, 3 * len(codewords) // 4, 3), torch.nan
    ).index_fill(0, torch.tensor([6]), -torch.inf),
    "from tiny to huge": lambda codewords: codewords * torch.logspace(-20, 20, len(codewords))[:, None],
}
"""What each makes of `flat` codewords ``[K, D]``, K above 77."""
