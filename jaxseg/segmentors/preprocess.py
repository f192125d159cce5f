"""Preprocessing on the device: from loaded images to a backbone's input."""

import dataclasses

import jax
import jax.numpy as jnp

from jaxseg.config import ConfigError
from jaxseg.errors import FieldError
from jaxseg.ops.narrow import wide


@dataclasses.dataclass(frozen=True)
class SegDataPreProcessor:
    """Normalisation and padding, as mmseg's SegDataPreProcessor.

    Images reach it in RGB order, whatever the model was trained on.

    Attributes:
        mean, std: a value a channel in the image's own units, or None to keep the
            values as they are. In RGB order if bgr_to_rgb, else in BGR order.
        bgr_to_rgb: whether the model takes RGB. mmseg loads BGR, so without this
            the model takes BGR, and images of three channels are turned round.
        pad_val: value of padded pixels, after normalisation.
        seg_pad_val: label of padded pixels; it is the data set's ignore_index.
        size: (height, width) that training samples are padded to, or None.
    """

    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None
    bgr_to_rgb: bool = False
    pad_val: float = 0
    seg_pad_val: int = 255
    size: tuple[int, int] | None = None

    takes_padding = True
    takes_bands = True

    def __post_init__(self):
        if (self.mean is None) != (self.std is None):
            raise FieldError("data_preprocessor needs both mean and std, or neither")
        if self.mean is not None and len(self.mean) != len(self.std):
            raise FieldError(
                f"data_preprocessor.mean has {len(self.mean)} values, std has "
                f"{len(self.std)}"
            )

    def __call__(
        self, images: jax.Array, valid_shape: jax.Array | None = None
    ) -> jax.Array:
        """Normalises a batch.

        Args:
            images: (N, H, W, C) in any real type, RGB where C is 3.
            valid_shape: (N, 2) height and width of each sample before it was padded
                at the bottom and the right, or None where all of it counts.

        Returns:
            (N, H, W, C), float32 at least.
        """
        channels = images.shape[-1]
        if self.mean is not None and len(self.mean) not in (1, channels):
            raise ConfigError(
                f"model.data_preprocessor.mean has {len(self.mean)} values, the images have "
                f"{channels} channels"
            )
        if not self.bgr_to_rgb and channels == 3:
            images = images[..., ::-1]
        x = wide(images)
        if self.mean is not None:
            mean = jnp.asarray(self.mean, x.dtype)
            x = (x - mean) / jnp.asarray(self.std, x.dtype)
        if valid_shape is None:
            return x
        rows = jnp.arange(x.shape[1])[:, None] < valid_shape[:, 0, None, None]
        columns = jnp.arange(x.shape[2]) < valid_shape[:, 1, None, None]
        return jnp.where((rows & columns)[..., None], x, self.pad_val)
