"""Bucket plan: padded sizes that images share; few programs serve many sizes."""

import dataclasses
import operator
from collections.abc import Mapping, Sequence

import numpy as np

Size = tuple[int, int]

# An image as a tuple: its (height, width) at every scale, then its original one.
Item = tuple[Size, ...]

# Sides of buckets are multiples of this, unless all images in them have one side. It is
# what most networks divide a side by; multiples of 32 would be 1 to 3 % more padding.
# Where a network wants such multiples, images have them, and so do their buckets.
_STEP = 8

# Distinct items above which similar ones are taken together before the search, whose
# time grows with the cube of their number.
_MOST_ITEMS = 200


@dataclasses.dataclass(frozen=True)
class Bucket:
    """Sizes that images are padded to; those of an exact one are the images' own.

    Attributes:
        images: (height, width) of the network's input, one a scale.
        canvas: (height, width) of the results.
        resized: for each scale, whether an image's size there is not its original one.
        padded: whether images may be smaller.
    """

    images: tuple[Size, ...]
    canvas: Size
    resized: tuple[bool, ...]
    padded: bool

    def holds(self, item: Item) -> bool:
        """Whether an image fits."""
        sides = zip((*self.images, self.canvas), item, strict=True)
        fits = all(h <= height and w <= width for (height, width), (h, w) in sides)
        return fits and all(map(operator.ge, self.resized, _resized(item)))

    @property
    def area(self) -> int:
        """Pixels of the network's input, over all scales."""
        return sum(height * width for height, width in self.images)


def exact_bucket(item: Item) -> Bucket:
    """The bucket of images of one size alone."""
    return Bucket(item[:-1], item[-1], _resized(item), padded=False)


def plan_buckets(items: Mapping[Item, int], most: int) -> list[Bucket]:
    """Finds buckets for images that leave little padding.

    Beginning with a bucket for every size, those two are joined that cost the fewest
    pixels of padding, until so few are left.

    Args:
        items: how many images there are of each.
        most: number of buckets.

    Returns:
        The buckets, the smallest first; each image fits into one of them.
    """
    low, high, counts = _similar(items)
    while len(counts) > most:
        joined = _area(np.maximum(high[:, None], high[None]))
        cost = (counts[:, None] + counts) * joined
        alone = counts * _area(high)
        cost = cost - alone[:, None] - alone
        cost[np.tril_indices(len(cost))] = np.inf
        i, j = np.unravel_index(cost.argmin(), cost.shape)
        low[i] = np.minimum(low[i], low[j])
        high[i] = np.maximum(high[i], high[j])
        counts[i] += counts[j]
        low, high, counts = (np.delete(array, j, 0) for array in (low, high, counts))
    sides = np.where(low == high, high, -(-high // _STEP) * _STEP)
    boxes = [tuple(map(tuple, box)) for box in sides.astype(int).tolist()]
    resized = tuple(map(any, zip(*map(_resized, items), strict=True)))
    buckets = {Bucket(box[:-1], box[-1], resized, padded=True) for box in boxes}
    return sorted(buckets, key=lambda bucket: (bucket.area, bucket.images))


def _resized(item):
    return tuple(size != item[-1] for size in item[:-1])


def _area(boxes):
    """Pixels of the network's input; boxes (..., scales + 1, 2), the canvas last."""
    return boxes[..., :-1, :].prod(-1).sum(-1)


def _similar(items):
    """Smallest and largest sides, (n, scales + 1, 2) floats, and counts of items."""
    sizes = np.array(list(items), float)
    numbers = np.array(list(items.values()), float)
    step = 1
    while True:
        rounded = -(-sizes // step)
        flat = rounded.reshape(len(sizes), -1)
        _, group = np.unique(flat, axis=0, return_inverse=True)
        group, count = group.ravel(), group.max() + 1
        if count <= _MOST_ITEMS:
            break
        step *= 2
    low = np.full((count, *sizes.shape[1:]), np.inf)
    high, counts = np.zeros_like(low), np.zeros(count)
    np.minimum.at(low, group, sizes)
    np.maximum.at(high, group, sizes)
    np.add.at(counts, group, numbers)
    return low, high, counts


def pad_to(arrays: Sequence[np.ndarray], size: Size, value: int = 0) -> np.ndarray:
    """(N, *size, ...) of arrays (H, W, ...), padded at the bottom and right."""
    shape = (len(arrays), *size, *arrays[0].shape[2:])
    padded = np.full(shape, value, arrays[0].dtype)
    for place, array in zip(padded, arrays, strict=True):
        place[: array.shape[0], : array.shape[1]] = array
    return padded
