"""Pairs: what a window has along the rows and along the columns."""

Pair = int | tuple[int, int]


def as_pair(value: Pair) -> tuple[int, int]:
    """(vertical, horizontal) of one number for both, or of two."""
    return (value, value) if isinstance(value, int) else tuple(value)
