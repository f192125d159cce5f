"""HLO shapes: arrays and tuples of a compiled program's text, and what they take."""

import dataclasses
import math
import re

_BITS = {"pred": 8, "token": 0, "opaque": 0}
_ARRAY = re.compile(
    r"(?P<dtype>[a-z]\w*)\[(?P<sides>[^\]]*)\](?:\{(?P<layout>[^}]*)\})?"
)
_TILE = re.compile(r"\(([\d*,]+)\)")
_SPACE = re.compile(r"S\((\d+)\)")


@dataclasses.dataclass(frozen=True)
class Array:
    """An array as a device holds it.

    Attributes:
        dtype: of HLO, such as `bf16`.
        sides: of its dimensions.
        order: the dimensions from the outermost in memory to the innermost.
        tiles: the sizes of the tiles, outer ones first; none where it lies row by row.
        space: the memory: 0 is the device's main one (HBM).
    """

    dtype: str
    sides: tuple[int, ...]
    order: tuple[int, ...]
    tiles: tuple[tuple[int, ...], ...] = ()
    space: int = 0

    @property
    def bytes(self) -> int:
        """Bytes in memory, with what fills up the tiles."""
        sides = [self.sides[axis] for axis in self.order]
        for tile in self.tiles:
            sides = _tiled(sides, tile)
        return math.prod(sides) * self._bits // 8

    @property
    def useful_bytes(self) -> int:
        """Bytes of the values alone."""
        return math.prod(self.sides) * self._bits // 8

    @property
    def padding(self) -> tuple[float, ...]:
        """By how much the tiles enlarge each dimension: 8.0 of 16 in tiles of 128."""
        # The tiles within the first ones cut those up, and fill nothing.
        first = self.tiles[0] if self.tiles else ()
        groups = []
        for axis, step in zip(reversed(self.order), reversed(first), strict=False):
            if step:
                groups.append([axis, step, self.sides[axis]])
            else:  # joined to the dimension inside of it
                groups[-1][2] *= self.sides[axis]
        factors = [1.0] * len(self.sides)
        for axis, step, side in groups:
            factors[axis] = -(-side // step) * step / max(side, 1)
        return tuple(factors)

    @property
    def _bits(self):
        if self.dtype in _BITS:
            return _BITS[self.dtype]
        # Of c64 the whole number, of f8e4m3fn what stands before the exponent.
        return int(re.search(r"\d+", self.dtype)[0])

    def __str__(self):
        return f"{self.dtype}[{','.join(map(str, self.sides))}]"


def read_arrays(text: str) -> tuple[Array, ...]:
    """The arrays of a shape, those of a tuple of tuples in a row."""
    return tuple(_read_array(match) for match in _ARRAY.finditer(text))


def _read_array(match):
    # A dynamic dimension is written with its bound: <=8.
    sides = tuple(int(side.strip(" <=")) for side in _split(match["sides"]))
    dimensions, _, details = (match["layout"] or "").partition(":")
    order = tuple(int(axis) for axis in reversed(_split(dimensions)))
    # T(8,128)(2,1) is followed by other entries, which have parentheses too.
    tiles = re.search(r"T((?:\([\d*,]+\))+)", details)
    space = _SPACE.search(details)
    return Array(
        dtype=match["dtype"],
        sides=sides,
        order=order or tuple(range(len(sides))),
        tiles=tuple(
            tuple(0 if side == "*" else int(side) for side in _split(tile))
            for tile in (_TILE.findall(tiles[1]) if tiles else ())
        ),
        space=int(space[1]) if space else 0,
    )


def _split(text):
    return [part for part in text.split(",") if part]


def _tiled(sides, tile):
    """The sides of an array cut into tiles: of the grid, then of one tile.

    XLA's "tiled layout": a tile covers the innermost dimensions; a `*` in it (here 0)
    joins a dimension to the next one.
    """
    sides = [1] * (len(tile) - len(sides)) + list(sides)
    outer, inner = sides[: len(sides) - len(tile)], sides[len(sides) - len(tile) :]
    joined, factor = [], 1
    for side, step in zip(inner, tile, strict=True):
        factor *= side
        if step:
            joined.append((factor, step))
            factor = 1
    grid = [-(-side // step) for side, step in joined]
    return [*outer, *grid, *(step for _, step in joined)]
