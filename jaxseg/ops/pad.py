"""Padding of feature maps with something else than the same zeros on all sides."""

import jax
import jax.numpy as jnp

from jaxseg.ops.bands.split_rows import refuse_split
from jaxseg.ops.padded.valid_size import NoMaskedForm, in_bucket

# torch's names of padding modes, as NumPy's.
PADDING_MODES = {"reflect": "reflect", "replicate": "edge", "circular": "wrap"}


def pad_map(x: jax.Array, padding: tuple[int, int], mode: str) -> jax.Array:
    """Pads feature maps from their own values.

    Args:
        x: (N, H, W, C).
        padding: pixels added (above and below, left and right).
        mode: `reflect` (without the border), `replicate` or `circular`.

    Returns:
        (N, H + 2 * padding[0], W + 2 * padding[1], C).

    Raises:
        NoMaskedForm: in a padding bucket, where the border is not the map's.
        CannotSplit: of a map that is split by rows.
    """
    refuse_split(x, f"padding of mode {mode!r}")
    if in_bucket() is not None:
        raise NoMaskedForm(f"padding of mode {mode!r}")
    rows, columns = padding
    widths = ((0, 0), (rows, rows), (columns, columns), (0, 0))
    return jnp.pad(x, widths, mode=PADDING_MODES[mode])


def pad_zeros(x: jax.Array, padding: int) -> jax.Array:
    """Pads feature maps with zeros that are not a convolution's own.

    Args:
        x: (N, H, W, C).
        padding: pixels added on each of the four sides.

    Raises:
        NoMaskedForm: in a padding bucket, where the border is not the map's.
        CannotSplit: of a map that is split by rows.
    """
    refuse_split(x, "padding of a map before a 1x1 convolution")
    if in_bucket() is not None:
        raise NoMaskedForm("padding of a map before a 1x1 convolution")
    sides = (padding, padding)
    return jnp.pad(x, ((0, 0), sides, sides, (0, 0)))


def pad_same(x: jax.Array, window: int, stride: int) -> jax.Array:
    """Pads with zeros so that windows make ceil(H / stride) x ceil(W / stride) pixels.

    mmcv's Conv2dAdaptivePadding, which is TensorFlow's "SAME": where the number of zeros
    is odd, the additional one stands below and on the right.

    Args:
        x: (N, H, W, C).
        window, stride: side and step of the windows in pixels.

    Raises:
        NoMaskedForm: in a padding bucket, where the border is not the map's.
        CannotSplit: of a map that is split by rows.
    """
    refuse_split(x, "padding that depends on the size of the whole map")
    if in_bucket() is not None:
        raise NoMaskedForm("padding that depends on the size of the map")
    totals = [max(-(-n // stride) * stride - stride + window - n, 0) for n in x.shape]
    rows, columns = ((total // 2, total - total // 2) for total in totals[1:3])
    return jnp.pad(x, ((0, 0), rows, columns, (0, 0)))
