"""Tables of relative positions, made for one window, at the size of another."""

import jax.numpy as jnp
import numpy as np

from jaxseg.ops.resize import resize


def resize_bicubic(table: np.ndarray, side: int, new_side: int) -> np.ndarray:
    """Swin's rule: the offsets are resized as the pixels of an image.

    Args:
        table: (side * side, heads), a row for each offset.
        side: 2 * window - 1 of the square window that it was made for.
        new_side: the same of the result.

    Returns:
        (new_side * new_side, heads).
    """
    x = jnp.asarray(table).reshape(1, side, side, -1)
    resized = resize(x, (new_side, new_side), mode="bicubic")
    return np.asarray(resized).reshape(new_side * new_side, -1)


def resize_geometric(table: np.ndarray, side: int, new_side: int) -> np.ndarray:
    """BEiT's rule (https://arxiv.org/abs/2106.08254): near offsets keep their values.

    The old offsets are spread over the new ones, the further apart the further they are
    from the middle: each step is q times the one before. A cubic spline gives the
    values between them.

    Args:
        table, side, new_side: as of `resize_bicubic`.

    Returns:
        (new_side * new_side, heads) in the dtype of the table, computed in float64.
    """
    from scipy.interpolate import RectBivariateSpline  # which takes long to import

    steps = _ratio(side // 2, new_side // 2) ** np.arange(side // 2)
    half = np.cumsum(steps)
    places = np.concatenate([-half[::-1], [0], half])
    new_places = np.arange(new_side) - new_side // 2
    columns = [
        RectBivariateSpline(places, places, head.reshape(side, side))(
            new_places, new_places
        ).ravel()
        for head in np.asarray(table, np.float64).T
    ]
    return np.stack(columns, axis=1).astype(table.dtype)


def _ratio(count, reach):
    """q, between 1.01 and 1.5, with 1 + q + q^2 + ... = reach for `count` terms.

    By bisection to 1e-6, as in BEiT: the last midpoint is taken.
    """
    low, high = 1.01, 1.5
    while high - low > 1e-6:
        q = (low + high) / 2
        if (1 - q**count) / (1 - q) > reach:
            high = q
        else:
            low = q
    return q
