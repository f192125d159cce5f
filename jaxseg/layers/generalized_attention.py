"""Generalized attention: contents and relative positions, each weighed or not.

An Empirical Study of Spatial Attention Mechanisms in Deep Networks,
https://arxiv.org/abs/1904.05873
"""

import math

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from jaxseg.errors import FieldError
from jaxseg.layers.conv import Conv2d
from jaxseg.layers.plugin import Plugin
from jaxseg.layers.transformer import Linear
from jaxseg.ops.narrow import spread, times, wide
from jaxseg.ops.resize import resize

# mmcv's kaiming_init with a=1 and fan_in.
_start = nn.initializers.variance_scaling(1.0, "fan_in", "uniform")

_WAVE_LENGTH = 1000

# Rows and columns of the table of near pixels in mmcv's files, by channels of the map.
_SIDES = {256: 84, 512: 42}


class GeneralizedAttention(Plugin, kw_only=True):
    """mmcv's GeneralizedAttention, MMDetection's empirical attention.

    A pixel's weight for another one is a softmax of up to four terms, which
    `attention_type` asks for by 1. The block starts as if it were not there. It holds
    the weights of all pairs of pixels, as mmcv's does: (N, heads, h * w, h' * w').

    Attributes:
        spatial_range: pixels that are further away, in rows or columns, are left out;
            -1: none are.
        num_heads: heads of C // num_heads channels each.
        position_embedding_dim: channels of the sines of a difference in place, which 4
            divides; -1: those of the map.
        position_magnitude: the differences are multiplied by it.
        kv_stride: every so many rows and columns have keys and values.
        q_stride: every so many rows and columns have queries; the result is resized.
        attention_type: four digits: whether the terms of the query's content with the
            key's content, of the query's content with the relative position, of the
            key's content alone, and of the relative position alone are there. (With
            the second and without the fourth mmcv takes the query of the transposed
            pixel for rows, and fails on maps that are not square. Here it does not.)
        The other is Plugin's.
    """

    spatial_range: int = -1
    num_heads: int = 9
    position_embedding_dim: int = -1
    position_magnitude: float = 1
    kv_stride: int = 2
    q_stride: int = 1
    attention_type: str = "1111"

    abbr = "gen_attention_block"
    # All pixels are compared with all others, at the image's own size.
    takes_padding = False
    takes_bands = False

    def __post_init__(self):
        if len(self.attention_type) != 4 or set(self.attention_type) - set("01"):
            raise FieldError(
                f"attention_type: is {self.attention_type!r}, allowed: four digits, "
                "each 0 or 1"
            )
        for name in ("num_heads", "kv_stride", "q_stride"):
            if getattr(self, name) < 1:
                raise FieldError(
                    f"{name}: is {getattr(self, name)}, allowed: 1 or more"
                )
        super().__post_init__()

    @nn.compact
    def __call__(self, x, train: bool):
        """(N, h, w, C) -> the same shape."""
        del train
        of_queries = x[:, :: self.q_stride, :: self.q_stride]
        of_keys = x[:, :: self.kv_stride, :: self.kv_stride]
        scores = self._scores(of_queries, of_keys)
        weights = scores.reshape(*scores.shape[:4], -1)
        weights = jax.nn.softmax(weights, axis=-1)
        weights = jnp.broadcast_to(weights, (len(x), *weights.shape[1:]))
        weights = weights.astype(x.dtype)
        value = self._of_heads(of_keys, "value_conv")
        value = value.reshape(len(x), -1, *value.shape[3:])
        y = jnp.einsum("nahwm,nmad->nhwad", weights, value)
        y = y.reshape(*y.shape[:3], -1)
        y = Conv2d(x.shape[-1], kernel_init=_start, name="proj_conv")(y)
        if self.q_stride > 1:
            y = resize(y, x.shape[1:3])
        gamma = self.param("gamma", nn.initializers.zeros, (1,))
        # Without queries all pixels get one vector.
        return x + spread(spread(gamma, y) * y, x)

    def _of_heads(self, x, name):
        """A 1x1 convolution into (N, h, w, heads, C // heads)."""
        width = x.shape[-1] // self.num_heads
        y = Conv2d(width * self.num_heads, bias=False, kernel_init=_start, name=name)(x)
        return y.reshape(*x.shape[:3], self.num_heads, width)

    def _scores(self, x, keys):
        """What the softmax is taken of, in float32 at least.

        Args:
            x: (N, h, w, C) of the queries.
            keys: (N, h', w', C).

        Returns:
            (N, heads, h, w, h', w'); N, h and w are 1 where they do not matter.
        """
        by_content, by_place, content, place = (c == "1" for c in self.attention_type)
        query = self._of_heads(x, "query_conv") if by_content or by_place else None
        key = self._of_heads(keys, "key_conv") if by_content or content else None
        scores = jnp.zeros((1, self.num_heads, 1, 1, *keys.shape[1:3]))
        scores = scores.astype(jnp.promote_types(x.dtype, jnp.float32))
        if key is not None:
            bias = self._bias("appr_bias", x) if content else None
            asked = _asked(query if by_content else None, bias, len(x))
            scores += jnp.einsum("nhwad,nijad->nahwij", asked.astype(x.dtype), key)
        if by_place or place:
            bias = self._bias("geom_bias", x) if place else None
            asked = _asked(query if by_place else None, bias, 1)
            n, h, w, *heads = asked.shape
            rows = self._places("appr_geom_fc_y", x, keys, 1)
            by_row = jnp.broadcast_to(asked, (n, len(rows), w, *heads))
            columns = self._places("appr_geom_fc_x", x, keys, 2)
            by_column = jnp.broadcast_to(asked, (n, h, len(columns), *heads))
            by_row, by_column = (y.astype(x.dtype) for y in (by_row, by_column))
            scores += jnp.einsum("nhwad,hiad->nahwi", by_row, rows)[..., None]
            scores += jnp.einsum("nhwad,wjad->nahwj", by_column, columns)[..., None, :]
        if self.spatial_range >= 0:
            # As in mmcv, what the keys alone weigh is limited as for the first pixel.
            size = (1, 1) if self.attention_type == "0010" else x.shape[1:3]
            far = self.far(size, keys.shape[1:3])
            scores = jnp.where(far, -jnp.inf, scores)
        return scores

    def _bias(self, name, x):
        width = x.shape[-1] // self.num_heads
        bound = (2 * width) ** -0.5
        bias = self.param(
            name,
            lambda key, shape: jax.random.uniform(
                key, shape, minval=-bound, maxval=bound
            ),
            (self.num_heads * width,),
        )
        return bias.reshape(1, 1, 1, self.num_heads, width)

    def _places(self, name, x, keys, axis):
        """What the differences in place along an axis say, (h, h', heads, d)."""
        channels = self.position_embedding_dim
        channels = channels if channels > 0 else x.shape[-1]
        if channels % 4:
            raise FieldError(
                f"position_embedding_dim is {channels} in {'.'.join(self.path)}, "
                "allowed: what 4 divides"
            )
        places = (np.arange(m.shape[axis]) for m in (x, keys))
        queries, keys = (
            p * s for p, s in zip(places, (self.q_stride, self.kv_stride), strict=True)
        )
        difference = (queries[:, None] - keys) * self.position_magnitude
        waves = _WAVE_LENGTH ** (4 / channels * np.arange(channels // 4))
        angles = difference[..., None] / waves
        sines = jnp.asarray(np.concatenate([np.sin(angles), np.cos(angles)], -1))
        width = x.shape[-1] // self.num_heads
        linear = Linear(self.num_heads * width, False, _start, name=name)
        y = linear(sines.astype(x.dtype))
        y = y.reshape(*difference.shape, self.num_heads, width)
        return times(y, math.sqrt(0.5))

    def far(self, size: tuple[int, int], keys: tuple[int, int]) -> np.ndarray:
        """Which keys lie beyond `spatial_range`, (h, w, h', w') bool.

        Args:
            size: (h, w) of the queries.
            keys: (h', w').
        """
        rows, columns = (
            self._is_near(*counts) for counts in zip(size, keys, strict=True)
        )
        return ~(rows[:, None, :, None] & columns[None, :, None, :])

    def constraint_map(self, channels: int) -> np.ndarray | None:
        """mmcv's table `local_constraint_map`, uint8; None where it has none."""
        side = _SIDES.get(channels)
        if side is None or self.spatial_range < 0:
            return None
        keys = (side - 1) // self.kv_stride + 1
        return self.far((side, side), (keys, keys)).astype(np.uint8)

    def _is_near(self, count, keys):
        place, key = np.arange(count)[:, None], np.arange(keys)
        first = (place - self.spatial_range) // self.kv_stride
        last = (place + self.spatial_range + 1) // self.kv_stride
        return (key >= first) & (key <= last)


def _asked(query, bias, batch):
    """What keys and places are compared with, in float32 at least.

    A bias is added to the queries (N, h, w, heads, d), or stands alone for all pixels of
    the batch, which share its gradient.
    """
    if query is None:
        return jnp.broadcast_to(wide(bias), (batch, *bias.shape[1:]))
    return wide(query if bias is None else query + spread(bias, query))
