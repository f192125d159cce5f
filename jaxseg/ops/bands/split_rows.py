"""Split rows: feature maps whose rows lie on several devices, while a model is traced.

One image that is too large for a device is inferred by several: each holds a band of
its rows, and of every feature map. Operations that look beyond their own rows fetch
those they need from the devices next to theirs, so nothing is ever gathered.

No model knows of this. Inside `rows_over` the functions of `ops` ask `split` of what
they are given, and exchange rows; what has no such form raises `CannotSplit`. A map
that is the same on all devices (a pooled one, a parameter) is not split: `jax.shard_map`
keeps account of which is which, so it must run with `check_vma`.
"""

import contextlib
import contextvars
import dataclasses
from collections.abc import Callable, Iterator

import jax
import jax.numpy as jnp
import numpy as np


class CannotSplit(Exception):
    """An operation that cannot run on a band of rows, and why."""


@dataclasses.dataclass(frozen=True)
class SplitRows:
    """How the rows of feature maps are split.

    Attributes:
        axis: manual axis of the enclosing `jax.shard_map`.
        bands: its size.
        size: (height, width) of the whole image.
    """

    axis: str
    bands: int
    size: tuple[int, int]

    def number(self) -> jax.Array:
        """Which band this device has, counted from the top."""
        return jax.lax.axis_index(self.axis)

    def own(self, parts: np.ndarray) -> jax.Array:
        """This band's of an array with a leading axis over the bands."""
        return jnp.asarray(parts)[self.number()]

    def with_neighbours(
        self, x: jax.Array, above: int, below: int, fill: float = 0
    ) -> jax.Array:
        """A band with rows of the bands around it.

        Args:
            x: (N, H, W, C), this device's rows.
            above, below: how many rows are added; negative: taken away.
            fill: value of rows beyond the border of the image.

        Returns:
            (N, above + H + below, W, C).
        """
        rows = x.shape[1]
        parts = [
            *self._fetched(x, above, down=True),
            x[:, max(-above, 0) : rows - max(-below, 0)],
            *self._fetched(x, below, down=False),
        ]
        y = jnp.concatenate(parts, axis=1)
        if fill == 0:  # what ppermute gives where no device sends
            return y
        place = self.number() * rows - above + jnp.arange(y.shape[1])
        inside = (place >= 0) & (place < self.bands * rows)
        return jnp.where(inside[:, None, None], y, jnp.asarray(fill, x.dtype))

    def _fetched(self, x, count, down):
        """Rows from the bands above (sent down), or from those below, in order."""
        rows, parts = x.shape[1], []
        for hop in range(1, -(-max(count, 0) // rows) + 1):
            some = min(count - (hop - 1) * rows, rows)
            sent = x[:, rows - some :] if down else x[:, :some]
            pairs = [(i, i + hop) for i in range(self.bands - hop)]
            if not down:
                pairs = [(to, sender) for sender, to in pairs]
            if pairs:
                parts.append(jax.lax.ppermute(sent, self.axis, pairs))
            else:
                parts.append(jnp.zeros_like(sent))
        return parts[::-1] if down else parts


_current: contextvars.ContextVar[SplitRows | None] = contextvars.ContextVar(
    "split_rows", default=None
)


@contextlib.contextmanager
def rows_over(split_rows: SplitRows) -> Iterator[None]:
    """A model that is traced inside has bands of rows, inside `jax.shard_map`."""
    token = _current.set(split_rows)
    try:
        yield
    finally:
        _current.reset(token)


def split(x: jax.Array | None = None) -> SplitRows | None:
    """How x is split; None if all of it is on every device.

    Args:
        x: a feature map (N, H, W, C), or None to ask whether any is.
    """
    current = _current.get()
    if current is None or x is None:
        return current
    varying = jax.typeof(x).manual_axis_type.varying
    return current if current.axis in varying else None


def refuse_split(x: jax.Array, operation: str) -> None:
    """Raises CannotSplit if x is split, for an operation that needs all its pixels."""
    if split(x) is not None:
        raise CannotSplit(operation)


def windows_of_band(
    x: jax.Array,
    window: tuple[int, int],
    stride: tuple[int, int],
    padding: tuple[int, int],
    dilation: tuple[int, int] = (1, 1),
    fill: float = 0,
) -> tuple[jax.Array, tuple[int, int]]:
    """Prepares x (N, H, W, C) for an operation with sliding windows.

    Args:
        x, window, stride, padding, dilation, fill: as of `valid_size.mask_windows`.

    Returns:
        x with the rows that its own windows see, and the padding that is left to add:
        none above and below. Both as they are where x is not split.

    Raises:
        CannotSplit: if the windows do not divide over the bands.
    """
    bands = split(x)
    if bands is None:
        return x, padding
    rows, reach, step = x.shape[1], dilation[0] * (window[0] - 1), stride[0]
    whole = rows * bands.bands
    windows = (whole + 2 * padding[0] - reach - 1) // step + 1
    if rows % step or windows * step != whole:
        raise CannotSplit(
            f"windows of {window[0]}x{window[1]} with stride {step}, padding "
            f"{padding[0]} and dilation {dilation[0]} make {windows} rows of {whole}, "
            f"which do not divide over {bands.bands} devices"
        )
    below = reach - padding[0] - (step - 1)
    return bands.with_neighbours(x, padding[0], below, fill), (0, padding[1])


def rows_of_transposed(
    bands: SplitRows,
    x: jax.Array,
    window: int,
    stride: int,
    padding: int,
    run: Callable[[jax.Array], jax.Array],
) -> jax.Array:
    """A transposed convolution of a band.

    Args:
        bands: how x is split.
        x: (N, H, W, C).
        window, stride, padding: the length, stride and padding of the convolution's
            rows.
        run: the convolution of an image.

    Returns:
        This device's rows of the result.

    Raises:
        CannotSplit: if the result is not `stride` times as high.
    """
    if window - 2 * padding != stride:
        raise CannotSplit(
            f"a transposed convolution of {window} rows with stride {stride} and "
            f"padding {padding}, which makes no {stride} rows of one"
        )
    # So many rows above and below reach the result of this band.
    near = -(-window // stride)
    y = run(bands.with_neighbours(x, near, near))
    return y[:, near * stride : (near + x.shape[1]) * stride]
