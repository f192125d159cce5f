"""Upsampled logits: bilinearly resized maps that never exist at full size.

At 512 x 512 pixels and 150 classes the float32 logits of one image are 157 MB, and
the usual loss passes over them eight times. A strip is a few output rows: it is
resized, used and, for a loss, differentiated at once, while it is in the cache.
Logits that are of full size already are cut too: what a loss makes of them on its
way is several times their size.
"""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxseg.ops.interpolation import AxisTable, linear_table
from jaxseg.ops.narrow import wide
from jaxseg.ops.platform import by_platform, on_tpu
from jaxseg.ops.resize import interpolate_axis, resize

# Bytes of a strip's float32 logits: within a core's cache, or an accelerator's.
_CPU_STRIP_BYTES = 2 << 20
_STRIP_BYTES = 64 << 20


@dataclasses.dataclass(frozen=True, eq=False)
class Upsampled:
    """Logits before their upsampling, and what they are upsampled to.

    Attributes:
        source: (N, h, w, C), any floating type.
        size: (H, W) to upsample to.
        align_corners: `align_corners` of the upsampling.
    """

    source: jax.Array
    size: tuple[int, int]
    align_corners: bool = False

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """(N, H, W, C)."""
        return (self.source.shape[0], *self.size, self.source.shape[3])

    @property
    def channels(self) -> int:
        """C."""
        return self.source.shape[-1]

    @property
    def dtype(self):
        """The type of the upsampled logits: float32 at least."""
        return jnp.promote_types(self.source.dtype, jnp.float32)

    def whole(self) -> jax.Array:
        """All the logits at once, (N, H, W, C)."""
        source = self.source.astype(self.dtype)
        return resize(source, self.size, align_corners=self.align_corners)

    def by_plan(self, form: Callable[..., Any], *args: Any) -> Any:
        """`form(plan, *args)`, with the plan of the platform that a program is for."""
        on_cpu, elsewhere = (self._plan(b) for b in (_CPU_STRIP_BYTES, _STRIP_BYTES))
        if on_cpu is elsewhere:
            return form(on_cpu, *args)
        forms = (functools.partial(form, plan) for plan in (on_cpu, elsewhere))
        return by_platform(*forms, *args)

    def _plan(self, limit):
        """How the output rows are cut into strips of so many bytes."""
        batch, height, width, channels = self.shape
        rows = int(np.clip(limit // (batch * width * channels * 4), 1, height))
        double = self.source.dtype == jnp.float64
        in_size = self.source.shape[1:3]
        return _make_plan(in_size, tuple(self.size), self.align_corners, rows, double)


@dataclasses.dataclass(frozen=True, eq=False)
class Plan:
    """How the output rows are cut.

    Attributes:
        rows: output rows of a strip; the last strip may reach past the image.
        height: output rows of the image.
        extent: input rows that a strip needs.
        starts: (strips,) first of those input rows.
        maps: (strips, rows, extent) matrices from those input rows to the output
            rows; of logits that keep their size, (strips,) the first row's place.
        columns: the resize along the width, or None where the size is kept.
    """

    rows: int
    height: int
    extent: int
    starts: np.ndarray
    maps: np.ndarray
    columns: AxisTable | None

    def cut(self, arrays):
        """What a loop over the strips runs over.

        Args:
            arrays: (N, H, W, ...) each.

        Returns:
            The first input row, the map, which rows lie in the image (1, rows, 1),
            and the arrays' rows (N, rows, W, ...), each with a leading axis over the
            strips.
        """
        strips = len(self.starts)
        extra = strips * self.rows - self.height

        def cut(array):
            array = jnp.pad(array, ((0, 0), (0, extra)) + ((0, 0),) * (array.ndim - 2))
            shape = (array.shape[0], strips, self.rows, *array.shape[2:])
            return jnp.moveaxis(array.reshape(shape), 1, 0)

        row = np.arange(strips * self.rows).reshape(strips, 1, self.rows, 1)
        inside = row < self.height
        return self.starts, self.maps, inside, [cut(array) for array in arrays]

    def take(self, x, start):
        """The input rows of the strip that begins with input row `start`."""
        return jax.lax.dynamic_slice_in_dim(x, start, self.extent, axis=1)

    def upsample(self, source, strip_map):
        """The logits (N, rows, W, C) of a strip's input rows, float32 at least."""
        source = wide(source)
        if self.columns is None:
            # Only the last strip has a place above 0: rows past the image are zero.
            padded = jnp.pad(source, ((0, 0), (0, self.rows), (0, 0), (0, 0)))
            return jax.lax.dynamic_slice_in_dim(padded, strip_map, self.rows, axis=1)
        stretched = interpolate_axis(source, self.columns, 2)
        rows = jnp.asarray(strip_map, stretched.dtype)
        return on_tpu(_rows_of_maps, _rows_of_matrices, rows, stretched)


# Accelerators would round the factors of both forms to 10 or 7 bits.
_HIGHEST = jax.lax.Precision.HIGHEST


def _rows_of_matrices(strip_map, x):
    """The product of (rows, extent) and each image, (N, rows, W, C).

    One plain product an image: over four axes it is up to ten times slower on a CPU.
    """
    batch, extent, width, channels = x.shape
    matrices = x.reshape(batch, extent, width * channels)
    product = jnp.matmul(strip_map, matrices, precision=_HIGHEST)
    return product.reshape(batch, len(strip_map), width, channels)


def _rows_of_maps(strip_map, x):
    """As `_rows_of_matrices`, for TPUs.

    Matrices of W * C columns are copied into another layout and back, float32 and
    through the chip's main memory: of 4 images of 19 classes, 64x128 to 512x1024, value
    and gradient of a loss take a v5e 27 million cycles by the compiler's estimate, and
    so 2.5.
    """
    return jnp.einsum("oh,nhwc->nowc", strip_map, x, precision=_HIGHEST)


@functools.lru_cache(maxsize=256)
def _make_plan(in_size, size, align_corners, rows, double):
    strips = -(-size[0] // rows)
    if in_size == size:
        first = np.arange(strips, dtype=np.int32) * rows
        starts = np.minimum(first, size[0] - rows).astype(np.int32)
        return Plan(rows, size[0], rows, starts, first - starts, None)
    table = linear_table(in_size[0], size[0], align_corners, None, double)
    first = table.index[::rows].min(axis=1)
    last = np.array(
        [table.index[i * rows : (i + 1) * rows].max() for i in range(strips)]
    )
    extent = int((last - first).max()) + 1
    starts = np.minimum(first, in_size[0] - extent).astype(np.int32)
    dense = np.zeros((strips * rows, in_size[0]))
    dense[: size[0]] = table.matrix
    maps = np.stack(
        [
            dense[i * rows : (i + 1) * rows, start : start + extent]
            for i, start in enumerate(starts)
        ]
    )
    columns = linear_table(in_size[1], size[1], align_corners, None, double)
    return Plan(rows, size[0], extent, starts, maps, columns)
