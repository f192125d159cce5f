"""Adaptation of the first layer's weights to another number of image channels."""

from collections.abc import Mapping

import numpy as np


def adapt_in_channels(weight: np.ndarray, channels: int) -> np.ndarray:
    """timm's rule for the first layer's weights.

    For one channel the three are summed up, as if the image were grey in all of them.
    For others they are repeated and scaled by 3 / channels, which keeps the size of
    the layer's output.

    Args:
        weight: (out, 3, height, width).
        channels: the number of channels of the images.

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


def first_layer(
    state_dict: Mapping[str, np.ndarray], shapes: Mapping[str, tuple[int, ...]]
) -> str | None:
    """The key of a backbone's first layer that was made for another number of channels.

    None where that of the state dict is not for 3 channels, or where the model's is.

    Args:
        state_dict: the state dict of a checkpoint.
        shapes: the model's, by key.
    """
    for key, shape in shapes.items():
        found = np.shape(state_dict.get(key, ()))
        if key.startswith("backbone.") and len(shape) == len(found) == 4:
            same_rest = (found[0], *found[2:]) == (shape[0], *shape[2:])
            if found[1] == 3 != shape[1] and same_rest:
                return key
    return None
