"""How a codebook size is split over the levels of a residual quantizer, or the groups of a product."""

from methods.core.usage import UsageError, check_range


def split_size(size: int, depth: int, parts: str = "levels") -> tuple[int, ...]:
    """``depth`` level sizes with product ``size``: equal ones, else powers of two, the larger first."""
    if not isinstance(depth, int):
        raise UsageError(f"depth must be a whole number, not {depth!r}")
    check_range("depth", depth, 1)
    root = round(size ** (1 / depth))
    if root**depth == size:
        return (root,) * depth
    bits = size.bit_length() - 1
    if 2**bits != size or bits < depth:
        raise UsageError(
            f"{size:,} codes can't be split over {depth} {parts}: a codebook size must be n^{depth} for a whole n, or "
            f"a power of two from {2**depth:,} on"
        )
    share, rest = divmod(bits, depth)
    return (2 ** (share + 1),) * rest + (2**share,) * (depth - rest)
