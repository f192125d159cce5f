"""Weights for images of three channels, made fit for another number."""

import numpy as np


def adapt_in_channels(weight: np.ndarray, channels: int) -> np.ndarray:
    """timm's rule for the first layer's weights.

    For one channel the three are summed up, as if the image were grey in all of them.
    For others they are repeated and scaled by 3 / channels, which keeps the size of
    the layer's output.

    Args:
        weight: (out, 3, height, width).
        channels: of the images.

    Returns:
        (out, channels, height, width) in the dtype of `weight`, computed in float32 at
        least.
    """
    if weight.shape[1] != 3:
        raise ValueError(f"the weights are for {weight.shape[1]} channels, not for 3")
    wide = weight.astype(np.promote_types(weight.dtype, np.float32))
    if channels == 1:
        adapted = wide.sum(axis=1, keepdims=True)
    else:
        adapted = wide[:, np.arange(channels) % 3] * (3 / channels)
    return adapted.astype(weight.dtype)
