"""Seeds are a fixed function of names."""

import hashlib

from benchmark.seeds import derive_seed


def test_seed_is_the_first_63_bits_of_the_hash():
    digest = hashlib.sha256(b"batches\x1f0\x1f7").hexdigest()
    assert derive_seed("batches", 0, 7) == int(digest[:16], 16) // 2


def test_seeds_differ_by_name_order_and_cut():
    seeds = {derive_seed(*names) for names in [("a", "b"), ("b", "a"), ("ab",), ("a", "b", ""), ("a", 1), ("a", 2)]}
    assert len(seeds) == 6
    assert all(0 <= seed < 2**63 for seed in seeds)
