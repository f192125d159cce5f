"""Context: what looks at a whole feature map, whatever part of it a device has.

A plain `x.mean((1, 2))` of a map that is padded to a bucket (`ops/padded`) counts
the padding, and of a map whose rows are split over devices (`ops/bands`) leaves out the
rows of the others. These functions know of both, as the convolutions, poolings and
resizes of `ops` do. A module that opts into padding or bands looks at whole maps through
them.
"""

import dataclasses
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from jaxseg.ops.attention import attend
from jaxseg.ops.bands.split_rows import SplitRows, split
from jaxseg.ops.narrow import times, wide
from jaxseg.ops.padded.valid_size import in_bucket
from jaxseg.ops.pool import adaptive_avg_pool


@dataclasses.dataclass(frozen=True)
class _Pixels:
    """The pixels of a map (N, H, W, C) that are image.

    Attributes:
        mask: (N, H, W, 1) bool, or None where all of the map is.
        count: how many there are on all devices; (N, 1, 1, 1) where samples differ.
        bands: how the map is split, or None.
    """

    mask: jax.Array | None
    count: jax.Array | int
    bands: SplitRows | None

    @classmethod
    def of(cls, x: jax.Array) -> "_Pixels":
        height, width = x.shape[1:3]
        if (sizes := in_bucket()) is not None:
            count = sizes.length(0, height) * sizes.length(1, width)
            mask = sizes.mask(height, width)[..., None]
            return cls(mask, count[:, None, None, None], None)
        bands = split(x)
        return cls(None, height * width * (bands.bands if bands else 1), bands)

    def filled(self, x, value):
        """x with `value` in place of what is no image."""
        if self.mask is None:
            return x
        return jnp.where(self.mask, x, jnp.asarray(value, x.dtype))

    def sum(self, x):
        """(N, H, W, C) -> (N, 1, 1, C)."""
        total = self.filled(x, 0).sum((1, 2), keepdims=True)
        return self.over_bands(jax.lax.psum, total)

    def max(self, x):
        """(N, H, W, C) -> (N, 1, 1, C)."""
        largest = self.filled(x, -np.inf).max((1, 2), keepdims=True)
        return self.over_bands(jax.lax.pmax, largest)

    def over_bands(self, collective, x):
        return x if self.bands is None else collective(x, self.bands.axis)


def _note_size(x, size):
    """Notes in a bucket that a map made of x has one size, whatever the image's."""
    if (sizes := in_bucket()) is not None:
        for axis, length in enumerate(size):
            lengths = sizes.lengths(axis, x.shape[1 + axis])
            sizes.set_lengths(axis, length, np.full_like(lengths, length))


def global_mean(x: jax.Array) -> jax.Array:
    """The mean over all pixels, torch's AdaptiveAvgPool2d(1).

    Args:
        x: (N, H, W, C).

    Returns:
        (N, 1, 1, C) in x's dtype.
    """
    return adaptive_avg_pool(x, (1, 1))


def global_max(x: jax.Array) -> jax.Array:
    """The largest value of all pixels, torch's AdaptiveMaxPool2d(1).

    Args:
        x: (N, H, W, C).

    Returns:
        (N, 1, 1, C).
    """
    _note_size(x, (1, 1))
    return _Pixels.of(x).max(x)


def spatial_softmax(x: jax.Array) -> jax.Array:
    """The softmax over all pixels, of each channel.

    Args:
        x: (N, H, W, C); computed in float32 at least.

    Returns:
        (N, H, W, C) in x's dtype, 0 where the map is no image.
    """
    pixels = _Pixels.of(x)
    precise = wide(x)
    largest = jax.lax.stop_gradient(pixels.max(precise))
    exponentials = pixels.filled(jnp.exp(precise - largest), 0)
    return (exponentials / pixels.sum(exponentials)).astype(x.dtype)


def pixel_product(
    weights: jax.Array, x: jax.Array, precision: jax.lax.Precision | None = None
) -> jax.Array:
    """Sums over all pixels of x, weighted in several ways.

    Args:
        weights: (N, H, W, K).
        x: (N, H, W, C) of the same pixels.
        precision: the precision of the product, as of `jax.lax.dot_general`.

    Returns:
        (N, K, C). As a map (N, K, 1, C) it can go to other operations.
    """
    _note_size(x, (weights.shape[3], 1))
    return pixel_sums(weights, x, precision)


def pixel_sums(
    weights: jax.Array, x: jax.Array, precision: jax.lax.Precision | None = None
) -> jax.Array:
    """What `pixel_product` gives, where nothing makes a map of it.

    A bucket takes no image where a map has the length that K is noted as.
    """
    pixels = _Pixels.of(x)
    filled = (pixels.filled(part, 0) for part in (weights, x))
    total = jnp.einsum("nhwk,nhwc->nkc", *filled, precision=precision)
    return pixels.over_bands(jax.lax.psum, total)


def pyramid_pixels(x: jax.Array, scales: tuple[int, ...]) -> jax.Array:
    """The pixels of a pyramid of pooled maps, one below the other.

    Args:
        x: (N, H, W, C).
        scales: sides of the pooled maps.

    Returns:
        (N, K, 1, C), K the sum of the scales' squares: a map for other operations.
    """
    pooled = [adaptive_avg_pool(x, (scale, scale)) for scale in scales]
    pixels = [y.reshape(len(x), -1, 1, x.shape[3]) for y in pooled]
    _note_size(x, (sum(scale**2 for scale in scales), 1))
    return jnp.concatenate(pixels, axis=1)


def count_of_pixels(x: jax.Array) -> jax.Array | int:
    """How many pixels of a map (N, H, W, C) are image.

    Returns:
        A number, or (N, 1, 1, 1) int32 where it differs from sample to sample.
    """
    return _Pixels.of(x).count


def group_norm(x: jax.Array, groups: int, eps: float) -> jax.Array:
    """torch's group_norm without its scale and bias. https://arxiv.org/abs/1803.08494

    Args:
        x: (N, H, W, C), floating point; computed in float32 at least.
        groups: divides C.
        eps: added to the variance.

    Returns:
        (N, H, W, C) in x's dtype.
    """
    pixels = _Pixels.of(x)
    precise = wide(x)
    count = pixels.count * (x.shape[3] // groups)

    def mean(values):
        """Over the pixels and the channels of a group, for each channel."""
        sums = pixels.sum(values).reshape(len(x), groups, -1).sum(-1, keepdims=True)
        sums = jnp.broadcast_to(sums, (*sums.shape[:2], x.shape[3] // groups))
        return sums.reshape(len(x), 1, 1, x.shape[3]) / count

    # The mean of the centred squares: E[x^2] - E[x]^2 would lose the variance where
    # the mean is large.
    centred = precise - mean(precise)
    var = mean(jnp.square(centred))
    return (centred * jax.lax.rsqrt(var + eps)).astype(x.dtype)


def pixel_attention(
    q: jax.Array,
    k: jax.Array,
    v: jax.Array,
    scale: float | None = None,
    *,
    heads: int = 1,
    drop: Callable[[jax.Array], jax.Array] | None = None,
) -> jax.Array:
    """softmax(scale q k^T) v, in which each pixel of q sees all pixels of k and v.

    Args:
        q: (N, H, W, heads * d), the channels of one head after those of the other.
        k: (N, h, w, heads * d), the same map or another one.
        v: (N, h, w, heads * e) of the pixels of k.
        scale: the factor of the products; None takes 1 / sqrt(d).
        heads: the number of attention heads.
        drop: applied to the probabilities (N, heads, H * W, h * w), or None.

    Returns:
        (N, H, W, heads * e) in q's dtype.
    """
    scale = (q.shape[-1] // heads) ** -0.5 if scale is None else scale
    pixels = _Pixels.of(k)
    v = pixels.filled(v, 0)
    tokens = [
        x.reshape(len(x), -1, heads, x.shape[3] // heads)
        for x in (times(q, scale), k, v)
    ]
    if pixels.bands is not None:
        y = _attention_of_bands(pixels.bands, *tokens)
    else:
        mask = pixels.mask
        valid = None if mask is None else mask.reshape(len(k), 1, -1)
        y = attend(*tokens, valid, drop)
    return y.reshape(*q.shape[:3], v.shape[3])


def _attention_of_bands(bands, q, k, v):
    """q (N, L, heads, d) of this device, k and v (N, M, heads, d) of which all have a part.

    The keys and values go round from device to device, and the sums of the softmax are
    scaled where a larger product comes: https://arxiv.org/abs/2310.01889
    """
    pairs = [(i, (i + 1) % bands.bands) for i in range(bands.bands)]
    largest, total, y = -jnp.inf, 0.0, 0.0
    for hop in range(bands.bands):
        if hop > 0:
            k, v = jax.lax.ppermute((k, v), bands.axis, pairs)
        scores = wide(jnp.einsum("nlhd,nmhd->nhlm", q, k))
        new = jnp.maximum(largest, scores.max(-1, keepdims=True))
        exponentials, shrunk = jnp.exp(scores - new), jnp.exp(largest - new)
        total = total * shrunk + exponentials.sum(-1, keepdims=True)
        part = jnp.einsum("nhlm,nmhe->nhle", exponentials.astype(v.dtype), v)
        y = y * shrunk + wide(part)
        largest = new
    return (y / total).astype(q.dtype).swapaxes(1, 2)
