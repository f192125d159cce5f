"""From logits or probabilities to classes."""

import jax
import jax.numpy as jnp


def pick_classes(
    values: jax.Array, threshold: float | None, are_probabilities: bool = False
) -> jax.Array:
    """The class of each pixel.

    Args:
        values: logits or probabilities, (N, H, W, C).
        threshold: the probability of one channel above which a pixel is class 1.
        are_probabilities: whether values are.

    Returns:
        (N, H, W) uint8, or uint16 of more than 256 channels.
    """
    if values.shape[-1] == 1:
        one = values[..., 0] if are_probabilities else jax.nn.sigmoid(values[..., 0])
        return (one > threshold).astype(jnp.uint8)
    dtype = jnp.uint8 if values.shape[-1] <= 256 else jnp.uint16
    return jnp.argmax(values, axis=-1).astype(dtype)
