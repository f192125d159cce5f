"""Windows that slide over an image: what a convolution or a pooling looks through."""

import dataclasses
from collections.abc import Callable, Iterator, Sequence

import jax
import jax.numpy as jnp
import numpy as np


@dataclasses.dataclass(frozen=True)
class Windows:
    """Where the windows lie; pairs are (vertical, horizontal).

    XLA's CPU backend makes one fast loop of a sum over slices, where its own windowed
    operations take up to 100 times as long. `slices` and `spread` say such sums.

    Attributes:
        sides: taps of a window.
        stride: step from one window to the next, in pixels.
        padding: pixels added on either side.
        dilation: distance between two taps, in pixels.
    """

    sides: tuple[int, int]
    stride: tuple[int, int]
    padding: tuple[int, int]
    dilation: tuple[int, int] = (1, 1)

    def count(self, size: tuple[int, int]) -> tuple[int, int]:
        """Number of windows in an image of a size, along both axes."""
        how = (self.sides, self.stride, self.padding, self.dilation)
        height, width = (
            (pixels + 2 * pad - dilation * (side - 1) - 1) // stride + 1
            for pixels, side, stride, pad, dilation in zip(size, *how, strict=True)
        )
        return height, width

    def pad(self, x: jax.Array, value: float = 0) -> jax.Array:
        """(N, H, W, C) with the padding around it."""
        rows, columns = ((pad, pad, 0) for pad in self.padding)
        value = np.asarray(value, x.dtype)
        return jax.lax.pad(x, value, ((0, 0, 0), rows, columns, (0, 0, 0)))

    def taps(self) -> Iterator[tuple[int, int]]:
        """The taps (i, j) of a window, row by row."""
        return ((i, j) for i in range(self.sides[0]) for j in range(self.sides[1]))

    def cut(self, row: jax.Array, tap: int, count: int, axis: int) -> jax.Array:
        """What one tap of every window sees along axis 1 or 2 of a padded image."""
        stride = self.stride[axis - 1]
        start = tap * self.dilation[axis - 1]
        stop = start + stride * (count - 1) + 1
        return jax.lax.slice_in_dim(row, start, stop, stride, axis)

    def slices(self, padded: jax.Array) -> Iterator[jax.Array]:
        """What each tap sees, (N, H', W', C) each, in the order of `taps`."""
        rows, columns = self.padding
        height, width = padded.shape[1] - 2 * rows, padded.shape[2] - 2 * columns
        count = self.count((height, width))
        for i, j in self.taps():
            yield self.cut(self.cut(padded, i, count[0], 1), j, count[1], 2)

    def spread(
        self,
        arrays: Sequence[jax.Array],
        size: tuple[int, int],
        share: Callable[..., jax.Array],
    ) -> jax.Array:
        """Adds at every pixel the shares of the windows that see it.

        The transpose of `slices`. With a stride, pixels of one phase (row modulo
        stride, column modulo stride) are seen by the same taps: each phase is a sum
        of its own, with no zeros between the windows, and they are interleaved.

        Args:
            arrays: (N, H', W', C) each, a value for every window.
            size: (H, W) of the image.
            share: (tap, *arrays) -> what a window gives to the pixel that this tap
                of it sees. Zeros must give zero.

        Returns:
            (N, H, W, C).
        """
        rows = self._phases(0, size[0], arrays[0].shape[1])
        columns = self._phases(1, size[1], arrays[0].shape[2])
        pads = ((0, 0, 0), rows.pads, columns.pads, (0, 0, 0))
        padded = [jax.lax.pad(x, np.zeros((), x.dtype), pads) for x in arrays]

        def phase(vertical, horizontal):
            total = None
            for i, top in vertical:
                for j, left in horizontal:
                    parts = [
                        x[:, top : top + rows.pixels, left : left + columns.pixels]
                        for x in padded
                    ]
                    new = share((i, j), *parts)
                    total = new if total is None else total + new
            return total

        grid = [[phase(v, h) for h in columns.taps] for v in rows.taps]
        first = next(x for line in grid for x in line if x is not None)
        grid = [
            [jnp.zeros_like(first) if x is None else x for x in line] for line in grid
        ]
        mixed = jnp.stack([jnp.stack(line, 3) for line in grid], 2)
        batch, _, _, _, _, channels = mixed.shape
        height = rows.pixels * self.stride[0]
        width = columns.pixels * self.stride[1]
        full = mixed.reshape(batch, height, width, channels)
        top, left = self.padding
        return full[:, top : top + size[0], left : left + size[1]]

    def _phases(self, axis, size, count):
        """How the pixels of an axis are seen, phase by phase."""
        stride, dilation = self.stride[axis], self.dilation[axis]
        pixels = -(-(size + self.padding[axis]) // stride)
        reach = dilation * (self.sides[axis] - 1) // stride
        taps = [[] for _ in range(stride)]
        for tap in range(self.sides[axis]):
            # Pixel stride * m + phase is this tap's of window m - back.
            back, phase = divmod(tap * dilation, stride)
            taps[phase].append((tap, reach - back))
        return _Phases(pixels, (reach, pixels - count, 0), taps)


@dataclasses.dataclass(frozen=True)
class _Phases:
    """One axis of `Windows.spread`.

    Attributes:
        pixels: number of pixels of a phase, the padding before the image included.
        pads: what is added before and after the windows (negative: cut), and between.
        taps: for each phase the taps that see its pixels, each with the place where its
            windows begin among the padded ones.
    """

    pixels: int
    pads: tuple[int, int, int]
    taps: list[list[tuple[int, int]]]
