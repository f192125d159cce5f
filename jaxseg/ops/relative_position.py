"""Relative position bias: what scores gain by the offset between query and key.

A table has a row for every offset in a window, rows of the window first, as in Swin
(https://arxiv.org/abs/2103.14030). PyTorch looks the pairs of places up by a table of
indices; here the table's rows are moved into their places, so that neither pass has
indices.
"""

import jax
import jax.numpy as jnp
import numpy as np

from jaxseg.ops.skew import skewed


def relative_position_index(window: tuple[int, int]) -> np.ndarray:
    """The table's row for each pair of places, as PyTorch's models keep it.

    Args:
        window: (height, width).

    Returns:
        (L, L) int64, query by key, L = height * width.
    """
    height, width = window
    rows, columns = np.divmod(np.arange(height * width), width)
    down = rows[:, None] - rows + height - 1
    right = columns[:, None] - columns + width - 1
    return down * (2 * width - 1) + right


def relative_position_bias(table: jax.Array, window: tuple[int, int]) -> jax.Array:
    """The biases of all pairs of places in a window.

    Args:
        table: ((2 * height - 1) * (2 * width - 1), heads).
        window: (height, width).

    Returns:
        (heads, L, L), query by key.
    """
    height, width = window
    heads = table.shape[1]
    # The table has query minus key, `skewed` takes key minus query.
    x = jnp.flip(table.T.reshape(heads, 2 * height - 1, 2 * width - 1), (1, 2))
    x = jnp.broadcast_to(x[:, None], (heads, height, *x.shape[1:]))
    x = skewed(x).reshape(-1, 1, 2 * width - 1, 1)  # of each pair of rows
    x = skewed(jnp.broadcast_to(x, (len(x), width, *x.shape[2:])))
    x = x.reshape(heads, height, height, width, width).swapaxes(2, 3)
    return x.reshape(heads, height * width, height * width)


def relative_position_index_with_token(window: tuple[int, int]) -> np.ndarray:
    """As `relative_position_index`, with a class token before the places, as in BEiT.

    Three more rows of the table are for the token's query and the places' keys, the
    places' queries and the token's key, and the token's query and key.

    Args:
        window: (height, width).

    Returns:
        (1 + L, 1 + L) int64.
    """
    index = np.pad(relative_position_index(window), ((1, 0), (1, 0)))
    first = (2 * window[0] - 1) * (2 * window[1] - 1)
    index[0], index[:, 0], index[0, 0] = first, first + 1, first + 2
    return index


def relative_position_bias_with_token(
    table: jax.Array, window: tuple[int, int]
) -> jax.Array:
    """As `relative_position_bias`, with a class token before the places, as in BEiT.

    Args:
        table: ((2 * height - 1) * (2 * width - 1) + 3, heads).
        window: (height, width).

    Returns:
        (heads, 1 + L, 1 + L).
    """
    x = relative_position_bias(table[:-3], window)
    heads, length = x.shape[:2]
    to_places, to_token, to_itself = table[-3:, :, None, None]
    left = jnp.broadcast_to(to_token, (heads, length, 1))
    above = jnp.broadcast_to(to_places, (heads, 1, length))
    x = jnp.concatenate([left, x], axis=2)
    above = jnp.concatenate([to_itself, above], axis=2)
    return jnp.concatenate([above, x], axis=1)
