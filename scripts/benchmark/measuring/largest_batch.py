"""Largest batch: the most images that a program has room for, found by compiling."""

import logging
import math
from collections.abc import Callable

from scripts.benchmark.measuring.abstract_program import DoesNotFit

_log = logging.getLogger("jaxseg")

# How many times more images the next program may have: two measurements that happen
# to be alike would ask for any number.
_FASTEST = 8


def largest_batch(
    memory: Callable[[int], int], capacity: float, start: int
) -> tuple[int, int]:
    """The most images of one device that fit.

    Memory grows about in line with the images, so that a guess from two programs is
    nearly right; what counts in the end is that the result was compiled, and one more
    image was too many.

    Args:
        memory: images of a device -> bytes of the program; raises `DoesNotFit` where
            the compiler refuses it.
        capacity: the bytes that there are.
        start: images of the first program.

    Returns:
        The images, 0 if not even one fits, and how many programs were compiled.
    """
    fits, too_many, compiled = {}, None, 0
    images = start
    while too_many is None or too_many > max(fits, default=0) + 1:
        _log.info("compiling for %d images a device", images)
        compiled += 1
        try:
            size = memory(images)
        except DoesNotFit as error:
            _log.info("%s", error)
            size = math.inf
        if size > capacity:
            _log.info("%d images a device are too many", images)
            too_many = images
        else:
            _log.info("%d images a device take %.2f GB", images, size / 1e9)
            fits[images] = size
        images = _next(fits, capacity, too_many)
    return max(fits, default=0), compiled


def _next(fits, capacity, too_many):
    """How many images the next program has, between those that fit and too many."""
    most = max(fits, default=0)
    before = max((images for images in fits if images < most), default=0)
    # The first guess is low: it takes what does not grow for a part of the images.
    slope = (fits.get(most, 0) - fits.get(before, 0)) / max(most - before, 1)
    room = (capacity - fits.get(most, 0)) / slope if slope > 0 else math.inf
    guess = int(min(most + max(room, 1), _FASTEST * most))
    if too_many is not None and not most < guess < too_many:
        guess = (most + too_many) // 2
    return guess
