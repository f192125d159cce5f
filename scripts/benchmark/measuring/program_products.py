"""Products of a program: its convolutions and matrix products, and what tiles add.

A TPU multiplies whole tiles. Where an array's dimension does not fill the tiles of its
layout, such as 19 channels those of 128, the rest is multiplied, too: `padded_flops`
counts every dimension of a product as the layout that enlarges it the most does. XLA's
own name for the dimensions is used: those of the batch, of features and of space.
"""

import dataclasses
import functools
import math
import re
from collections.abc import Iterator

import numpy as np

from scripts.benchmark.measuring.hlo_shape import Array
from scripts.benchmark.measuring.program_text import Instruction, Program
from scripts.benchmark.measuring.program_traffic import running, with_inner

PRODUCTS = ("convolution", "dot")
_WINDOW = re.compile(r"\bwindow=\{([^}]*)\}")
_LABELS = re.compile(r"\bdim_labels=(\w+)_(\w+)->(\w+)")


@dataclasses.dataclass(frozen=True)
class Product:
    """A convolution or a matrix product.

    Attributes:
        opcode: `convolution` or `dot`; a TPU has convolutions alone.
        arrays: the two factors and the result.
        flops: of one run: two for each multiplication of values.
        padded_flops: of one run, with what fills up the tiles.
        precision: in which both factors are multiplied, such as `highest`; of two
            that differ both, `highest+default`.
        times, in_loop, op_name: as of `program_traffic.Operation`.
    """

    opcode: str
    arrays: tuple[Array, Array, Array]
    flops: float
    padded_flops: float
    precision: str
    times: int
    in_loop: bool
    op_name: str

    @property
    def bytes(self) -> int:
        """Bytes of the values of the three arrays."""
        return sum(array.useful_bytes for array in self.arrays)

    def __str__(self):
        left, right, result = self.arrays
        return f"{left} x {right} -> {result}"


def products(program: Program) -> list[Product]:
    """Every product of a program, those inside fusions too."""
    found = []
    for computation, one, times, in_loop in running(program):
        for place, inner in with_inner(program, computation, one):
            if inner.opcode not in PRODUCTS:
                continue
            factors = (place.instructions[name].arrays[0] for name in inner.operands)
            arrays = (*factors, inner.arrays[0])
            count = _flops_of[inner.opcode](inner, arrays)
            padding = math.prod(
                max(array.padding[axis] for array, axis in places)
                for places in _dimensions_of[inner.opcode](inner, arrays)
            )
            found.append(
                Product(
                    opcode=inner.opcode,
                    arrays=arrays,
                    flops=count,
                    padded_flops=count * padding,
                    precision=_precision(inner),
                    times=times,
                    in_loop=in_loop,
                    op_name=inner.op_name or one.op_name,
                )
            )
    return found


def _convolution_flops(one, arrays):
    left, right, result = arrays
    labels = _labels(one)
    steps = _window(one)
    features = right.sides[labels[1].index("i")]  # of one group
    images, channels = (result.sides[labels[2].index(axis)] for axis in "bf")
    taps = 1
    for axis, step in zip(_space(labels), steps, strict=True):
        sides = (left.sides[labels[0].index(axis)], result.sides[labels[2].index(axis)])
        taps *= _taps(*sides, *step)
    return 2 * images * channels * features * taps


def _dot_flops(one, arrays):
    left, _, result = arrays
    contracted = (left.sides[axis] for axis in _axes(one, "lhs_contracting"))
    return 2 * math.prod(result.sides) * math.prod(contracted)


def _convolution_dimensions(one, arrays):
    """For each dimension of a convolution, the arrays that have it, and where."""
    left, right, result = arrays
    labels = _labels(one)
    names = [("b", None, "b"), ("f", "i", None), (None, "o", "f")]
    names += [(axis,) * 3 for axis in _space(labels)]
    for name in names:
        yield [
            (array, label.index(axis))
            for array, label, axis in zip(
                (left, right, result), labels, name, strict=True
            )
            if axis is not None
        ]


def _dot_dimensions(one, arrays) -> Iterator[list[tuple[Array, int]]]:
    """As `_convolution_dimensions`, of a dot: its result has batch, left, right."""
    left, right, result = arrays
    batch = zip(_axes(one, "lhs_batch"), _axes(one, "rhs_batch"), strict=True)
    contracted = [_axes(one, f"{side}_contracting") for side in ("lhs", "rhs")]
    for a, b in zip(*contracted, strict=True):
        yield [(left, a), (right, b)]
    place = 0
    for a, b in batch:
        yield [(left, a), (right, b), (result, place)]
        place += 1
    for array, side, used in ((left, "lhs", 0), (right, "rhs", 1)):
        taken = {*_axes(one, f"{side}_batch"), *contracted[used]}
        for axis in range(len(array.sides)):
            if axis not in taken:
                yield [(array, axis), (result, place)]
                place += 1


_flops_of = {"convolution": _convolution_flops, "dot": _dot_flops}
_dimensions_of = {"convolution": _convolution_dimensions, "dot": _dot_dimensions}


def _labels(one: Instruction):
    return _LABELS.search(one.attributes).groups()


def _space(labels):
    """The names of the dimensions of space, `0`, `1`, ..."""
    return sorted(axis for axis in labels[0] if axis.isdecimal())


def _window(one):
    """(taps, stride, before, dilation of the input, of the kernel) of each dimension."""
    found = _WINDOW.search(one.attributes)
    parts = dict(part.split("=") for part in found[1].split()) if found else {}
    if "size" not in parts:
        return []
    sizes = [int(side) for side in parts["size"].split("x")]

    def each(name, default):
        return parts[name].split("x") if name in parts else [default] * len(sizes)

    before = [int(pad.split("_")[0]) for pad in each("pad", "0_0")]
    rest = (map(int, each(n, "1")) for n in ("stride", "lhs_dilate", "rhs_dilate"))
    strides, of_input, of_kernel = rest
    return list(zip(sizes, strides, before, of_input, of_kernel, strict=True))


@functools.cache
def _taps(side, results, taps, stride, before, of_input, of_kernel):
    """How many pairs of a result and a tap see a value, along one dimension."""
    starts = np.arange(results)[:, None] * stride - before
    places = starts + np.arange(taps) * of_kernel
    is_inside = (places >= 0) & (places < (side - 1) * of_input + 1)
    return int(np.count_nonzero(is_inside & (places % of_input == 0)))


def _precision(one):
    found = re.search(r"\boperand_precision=\{([^}]*)\}", one.attributes)
    return "+".join(dict.fromkeys(found[1].split(","))) if found else "default"


def _axes(one, name):
    found = re.search(rf"\b{name}_dims=\{{([\d,]*)\}}", one.attributes)
    return [int(axis) for axis in found[1].split(",") if axis] if found else []
