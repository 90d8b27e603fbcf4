"""Seeds hashed from names, so that adding a method changes no other method's numbers."""

import hashlib


def derive_seed(*names: str | int) -> int:
    """A 63-bit seed from names: the same names give the same seed everywhere."""
    digest = hashlib.sha256("\0".join(str(name) for name in names).encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1
