"""Replacement of unused codewords: counters and windows followed by hand."""

import torch

from methods.parts.activity import ActivityWindow, LeastRecentlyUsed


def codes(*values: int) -> torch.Tensor:
    return torch.tensor(values)


def test_counter_starts_again_with_use_and_falls_due_after_the_timeout() -> None:
    torch.manual_seed(0)
    lru = LeastRecentlyUsed(3, timeout=3, noise=0.0)
    latents = torch.tensor([[5.0, 7.0], [5.0, 7.0]])
    lru.observe(latents, codes(0, 0))
    assert lru.remaining.tolist() == [3, 2, 2]
    assert lru.take_replacements() is None
    lru.observe(latents, codes(0, 1))
    assert lru.remaining.tolist() == [3, 3, 1]
    lru.observe(latents, codes(0, 1))
    assert lru.remaining.tolist() == [3, 3, 3]
    replaced, rows = lru.take_replacements()
    assert replaced.tolist() == [2]
    assert rows.tolist() == [[5.0, 7.0]]
    assert lru.take_replacements() is None


def test_counters_stay_between_one_and_the_timeout() -> None:
    torch.manual_seed(0)
    lru = LeastRecentlyUsed(16, timeout=4, noise=0.01)
    for _ in range(30):
        lru.observe(torch.randn(6, 2), torch.randint(0, 5, (6,)))
        assert 1 <= lru.remaining.min() <= lru.remaining.max() <= 4


def test_noise_is_relative_to_the_norm_of_the_row() -> None:
    torch.manual_seed(0)
    lru = LeastRecentlyUsed(4001, timeout=1, noise=0.01)
    lru.observe(torch.tensor([[300.0, 400.0]]), codes(0))
    _, rows = lru.take_replacements()
    deviation = (rows - torch.tensor([300.0, 400.0])).std().item()
    assert abs(deviation - 5.0) < 0.2, "0.01 · |(300, 400)| = 5"


def test_timeout_zero_never_replaces() -> None:
    lru = LeastRecentlyUsed(3, timeout=0, noise=0.1)
    for _ in range(5):
        lru.observe(torch.ones(1, 2), codes(0))
    assert lru.take_replacements() is None


def test_window_counts_steps_not_latents() -> None:
    window = ActivityWindow(3, interval=2, threshold=0.75)
    window.observe(codes(0, 0, 0, 1))
    assert window.take_replacements(weighted=False) is None
    window.observe(codes(0, 0, 2, 2))
    assert window.steps_used.tolist() == [2, 1, 1]
    inactive, sources = window.take_replacements(weighted=False)
    assert inactive.tolist() == [1, 2], "used in 1 of 2 steps, below 0.75"
    assert sources.tolist() == [0, 0]
    assert window.steps_used.tolist() == [0, 0, 0]
    assert window.steps == 0


def test_active_codes_are_copied_evenly_or_by_their_use() -> None:
    torch.manual_seed(0)
    used = [3, 1, *[0] * 4000]
    draws = {}
    for weighted in (False, True):
        window = ActivityWindow(len(used), interval=3, threshold=0.01)
        for step in range(3):
            window.observe(codes(0, 1) if step == 0 else codes(0))
        _, sources = window.take_replacements(weighted=weighted)
        draws[weighted] = torch.bincount(sources, minlength=2).tolist()
    assert draws[False] == [2000, 2000]
    assert abs(draws[True][0] - 3000) < 120, "in proportion 3 to 1"


def test_nothing_to_copy_from_and_nothing_to_replace() -> None:
    for threshold, chosen in ((1.0, codes(0)), (0.0, codes(0))):
        window = ActivityWindow(2, interval=2, threshold=threshold)
        window.observe(chosen)
        window.observe(codes(1))
        assert window.take_replacements(weighted=True) is None
        assert window.steps == 0
