"""Widths of scaled networks: multiples of a number."""


def make_divisible(value: float, divisor: int = 8) -> int:
    """The multiple of a divisor that is nearest, but at least 0.9 of the value."""
    nearest = max(divisor, int(value + divisor / 2) // divisor * divisor)
    return nearest if nearest >= 0.9 * value else nearest + divisor
