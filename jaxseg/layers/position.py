"""Position tables for images of any size."""

import jax
import jax.numpy as jnp
import numpy as np

from jaxseg.ops.padded.sample_resize import resize_in_bucket
from jaxseg.ops.padded.valid_size import in_bucket
from jaxseg.ops.resize import resize


def resize_positions(
    table: jax.Array | np.ndarray,
    grid: tuple[int, int],
    new_grid: tuple[int, int],
    mode: str,
) -> jax.Array:
    """Resizes a table of positions from one grid of patches to another.

    Args:
        table: (1, 1 + h * w, C), the class token first; of more tokens before the
            patches only the first is kept.
        grid: (h, w) that the table was made for.
        new_grid: (height, width) of the result.
        mode: the mode of `ops.resize`.

    Returns:
        (1, 1 + height * width, C).
    """
    patches = _as_map(table, grid)
    patches = resize(patches, new_grid, mode=mode)
    return jnp.concatenate([table[:, :1], _as_tokens(patches)], axis=1)


def positions_of_image(
    table: jax.Array, grid: tuple[int, int], new_grid: tuple[int, int], mode: str
) -> jax.Array:
    """The positions of an image's tokens, as mmseg's ViT takes them from its table.

    It is the number of tokens that decides: an image of another shape with equally
    many patches keeps the table as it is.

    Args:
        table, grid, new_grid, mode: as of `resize_positions`.

    Returns:
        (1 or N, 1 + height * width, C).
    """
    if (sizes := in_bucket()) is not None:
        return _positions_in_bucket(sizes, table, grid, new_grid, mode)
    if grid[0] * grid[1] == new_grid[0] * new_grid[1]:
        return table
    return resize_positions(table, grid, new_grid, mode)


def _positions_in_bucket(sizes, table, grid, new_grid, mode):
    """(N, 1 + height * width, C): each image's tokens lie in rows of the bucket."""
    height, width = (sizes.length(axis, new_grid[axis]) for axis in range(2))
    batch, count = len(height), grid[0] * grid[1]
    patches = jnp.broadcast_to(_as_map(table, grid), (batch, *grid, table.shape[-1]))
    resized = resize_in_bucket(sizes, patches, new_grid, mode=mode, is_map=False)
    # Where row and column of the bucket lie in the table that is taken as it is.
    rows, columns = jnp.arange(new_grid[0])[:, None], jnp.arange(new_grid[1])
    place = rows * width[:, None, None] + columns
    kept = jnp.take(table[0, -count:], place, axis=0, mode="clip")
    equally_many = (height * width == count)[:, None, None, None]
    tokens = _as_tokens(jnp.where(equally_many, kept, resized))
    first = jnp.broadcast_to(table[:, :1], (batch, 1, table.shape[-1]))
    return jnp.concatenate([first, tokens], axis=1)


def _as_map(table, grid):
    """The patches of (1, 1 + h * w, C) as (1, h, w, C)."""
    patches = jnp.asarray(table)[:, -grid[0] * grid[1] :]
    return patches.reshape(1, *grid, table.shape[-1])


def _as_tokens(x):
    return x.reshape(x.shape[0], -1, x.shape[-1])
