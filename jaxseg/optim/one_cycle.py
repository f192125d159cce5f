"""One cycle of a value, as PyTorch's OneCycleLR has it: phases and how they are passed."""

from collections.abc import Sequence

import numpy as np

from jaxseg.errors import FieldError

STRATEGIES = ("cos", "linear")


def check_strategy(anneal_strategy: str) -> None:
    """Raises FieldError where `anneal` does not know a strategy."""
    if anneal_strategy not in STRATEGIES:
        raise FieldError(
            f"anneal_strategy: found {anneal_strategy!r}, allowed are 'cos' and 'linear'"
        )


def check_part(pct_start: float) -> None:
    """Raises FieldError where the part of a cycle that rises is none."""
    if not 0 <= pct_start <= 1:
        raise FieldError(f"pct_start: needs to be in [0, 1], found {pct_start}")


def anneal(part, start, end, anneal_strategy: str):
    """The value at a `part` in [0, 1] of the way from `start` to `end`; numbers, arrays.

    `linear` is a line, `cos` half a cosine.
    """
    if anneal_strategy == "cos":
        part = (1 - np.cos(np.pi * part)) / 2
    return start + (end - start) * part


def one_cycle(
    t: np.ndarray,
    total: int,
    pct_start: float,
    anneal_strategy: str,
    values: Sequence[float],
) -> np.ndarray:
    """The values at the iterations `t` of a cycle of `total` iterations.

    Smith and Topin, Super-Convergence, arXiv:1708.07120.

    Args:
        t: 0, 1, ...
        total: Iterations of the cycle.
        pct_start: The part of them that the first phase takes, and of three the second.
        anneal_strategy: 'cos' or 'linear'.
        values: Where each phase begins, and where the last one ends: 3 values of two
            phases, 4 of three.

    Raises:
        FieldError: A phase has no length.
    """
    ends = [pct_start * total - 1, 2 * pct_start * total - 2][: len(values) - 2]
    ends.append(total - 1)
    result, begin, done = np.zeros(len(t)), 0.0, np.zeros(len(t), bool)
    for place, end in enumerate(ends):
        here = ~done & ((t <= end) | (place == len(ends) - 1))
        if here.any():
            if end == begin:
                raise FieldError(
                    f"pct_start: {pct_start} of {total} iterations leaves a phase of the "
                    "cycle without a length"
                )
            part = (t[here] - begin) / (end - begin)
            start, goal = values[place], values[place + 1]
            result[here] = anneal(part, start, goal, anneal_strategy)
        done |= here
        begin = end
    return result
