"""Initial variables: fresh parameters and running statistics of a segmentor."""

from typing import Any

import jax
import jax.numpy as jnp

from jaxseg.config import ConfigError
from jaxseg.errors import ModelSizeError


def init_variables(model: Any, seed: int, channels: int, size: tuple[int, int]):
    """Fresh parameters and statistics of a model.

    Args:
        model: the segmentor.
        seed: the seed of the starting values.
        channels: channels of the images.
        size: (height, width) of an image that the model takes.

    Raises:
        ConfigError: if the model does not take that size, or its parts do not fit
            together.
    """
    images = jnp.zeros((1, *size, channels), jnp.float32)
    try:
        return jax.jit(model.init)(jax.random.key(seed), images)
    except ModelSizeError as error:
        raise ConfigError(f"model: {error}") from error
