"""Photometric distortion, as OpenCV and MMSegmentation compute it on bytes.

Every step ends in whole numbers from 0 to 255, as there: a trip to HSV and back rounds,
so the steps cannot be joined. Hue and saturation come out exactly; of the way back, one
channel in 20 000 differs by one grey level (more, if it is distorted further) where the
device does not join a product and a sum into one rounding, as OpenCV does. OpenCV also rounds, instead of truncating, in
the last columns of a row that its vectors do not fill; widths of crops that are
multiples of 64 have none.
"""

import jax
import jax.numpy as jnp


def distort(images: jax.Array, distortion: jax.Array) -> jax.Array:
    """Brightness, contrast, saturation and hue of each image of a batch.

    Args:
        images: (N, H, W, 3) uint8, RGB.
        distortion: (N, 5) float32: brightness (added), contrast (factor), whether
            contrast comes before saturation and hue (1 or 0), saturation (factor), hue
            (added, units of two degrees). A step with NaN is left out.

    Returns:
        (N, H, W, 3) uint8.
    """
    columns = (column[:, None, None] for column in distortion.T)
    brightness, contrast, contrast_first, saturation, hue = columns
    x = tuple(images[..., channel].astype(jnp.float32) for channel in range(3))
    x = _where_drawn(brightness, x, lambda c: c + brightness)
    early = jnp.where(contrast_first == 1, contrast, jnp.nan)
    late = jnp.where(contrast_first == 1, jnp.nan, contrast)
    x = _where_drawn(early, x, lambda c: c * contrast)

    h, s, v = rgb_to_hsv(*x)
    changed = hsv_to_rgb(h, _to_byte(s * saturation), v)
    x = _select(saturation, changed, x)
    h, s, v = rgb_to_hsv(*x)
    x = _select(hue, hsv_to_rgb(jnp.mod(h + hue, 180.0), s, v), x)

    x = _where_drawn(late, x, lambda c: c * contrast)
    return jnp.stack(x, axis=-1).astype(jnp.uint8)


def _where_drawn(value, channels, step):
    return _select(value, [_to_byte(step(c)) for c in channels], channels)


def _select(value, changed, channels):
    left_out = jnp.isnan(value)
    return tuple(
        jnp.where(left_out, old, new)
        for old, new in zip(channels, changed, strict=True)
    )


def _to_byte(x):
    return jnp.floor(jnp.clip(x, 0, 255))


def rgb_to_hsv(
    red: jax.Array, green: jax.Array, blue: jax.Array
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """OpenCV's COLOR_RGB2HSV of bytes, in its fixed-point arithmetic, exactly.

    Args:
        red, green, blue: whole numbers from 0 to 255, of a floating-point type.

    Returns:
        Hue from 0 to 179, saturation and value from 0 to 255, in the same type.
    """
    dtype = red.dtype
    red, green, blue = (c.astype(jnp.int32) for c in (red, green, blue))
    value = jnp.maximum(jnp.maximum(red, green), blue)
    chroma = value - jnp.minimum(jnp.minimum(red, green), blue)
    saturation = (chroma * _rounded_quotient(255 << 12, value) + (1 << 11)) >> 12
    sector = jnp.where(
        value == red,
        green - blue,
        jnp.where(value == green, blue - red + 2 * chroma, red - green + 4 * chroma),
    )
    hue = (sector * _rounded_quotient((180 << 12) // 6, chroma) + (1 << 11)) >> 12
    hue = jnp.where(hue < 0, hue + 180, hue)
    return hue.astype(dtype), saturation.astype(dtype), value.astype(dtype)


def _rounded_quotient(number, divisor):
    """number / divisor to the nearest; 0 for a divisor of 0. No half ever occurs."""
    safe = jnp.maximum(divisor, 1)
    return jnp.where(divisor > 0, (2 * number + safe) // (2 * safe), 0)


def hsv_to_rgb(
    hue: jax.Array, saturation: jax.Array, value: jax.Array
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """OpenCV's COLOR_HSV2RGB of bytes, which truncates.

    Args:
        hue, saturation, value: as `rgb_to_hsv` returns them.

    Returns:
        Red, green and blue, whole numbers from 0 to 255 in the same type.
    """
    hue = hue * jnp.asarray(6 / 180, hue.dtype)
    saturation = saturation * jnp.asarray(1 / 255, hue.dtype)
    value = value * jnp.asarray(1 / 255, hue.dtype)
    sector = jnp.floor(hue)
    part = hue - sector
    low = value * (1 - saturation)
    falling = value * (1 - saturation * part)
    rising = value * (1 - saturation * (1 - part))

    def choose(*by_sector):
        return _to_byte(255 * jnp.select([sector == i for i in range(6)], by_sector))

    red = choose(value, falling, low, low, rising, value)
    green = choose(rising, value, value, falling, low, low)
    blue = choose(low, low, rising, value, value, falling)
    return red, green, blue
