"""Preprocessing on the device: from loaded images to a backbone's input."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np

from jaxseg.config import ConfigError
from jaxseg.errors import FieldError
from jaxseg.ops.narrow import wide


@dataclasses.dataclass(frozen=True)
class TestPadding:
    """`data_preprocessor.test_cfg`: what images are padded to where they are predicted.

    Attributes:
        size: (height, width) that they have at least, or None.
        size_divisor: number whose multiples both sides become, or None.
    """

    __test__ = False  # It is no test of pytest's.

    size: tuple[int, int] | None = None
    size_divisor: int | None = None

    def __post_init__(self):
        if (self.size is None) == (self.size_divisor is None):
            raise FieldError(
                f"test_cfg has size={self.size} and size_divisor={self.size_divisor}; "
                "exactly one of them must be set"
            )
        if min(self.size or (self.size_divisor,)) < 1:
            raise FieldError(
                f"test_cfg is {self.size or self.size_divisor}, allowed: 1 pixel or more"
            )


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
        test_cfg: what images are padded to at the bottom and the right where they are
            predicted; the prediction is cropped again. None leaves them as they are.
    """

    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None
    bgr_to_rgb: bool = False
    pad_val: float = 0
    seg_pad_val: int = 255
    size: tuple[int, int] | None = None
    test_cfg: TestPadding | None = None

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

    def test_size(self, size: tuple[int, int]) -> tuple[int, int]:
        """(height, width) that an image of a size is padded to for a prediction."""
        if self.test_cfg is None:
            return size
        height, width = self.test_cfg.size or (
            -(-side // self.test_cfg.size_divisor) * self.test_cfg.size_divisor
            for side in size
        )
        return max(height, size[0]), max(width, size[1])

    def padded_for_test(self, image: np.ndarray) -> np.ndarray:
        """An image padded to `test_size`, with what is normalised to `pad_val`.

        Args:
            image: (H, W, C) as loaded.

        Returns:
            The same, or with a test_cfg float32, whatever its size: what is normalised
            to 0, the mean, is no whole number.
        """
        if self.test_cfg is None:
            return image
        height, width, channels = image.shape
        value = np.full(channels, self.pad_val, np.float32)
        if self.mean is not None:
            value = np.float32(self.mean) + value * np.float32(self.std)
        if not self.bgr_to_rgb and channels == 3:
            value = value[::-1]
        padded = np.empty((*self.test_size((height, width)), channels), np.float32)
        padded[:] = value
        padded[:height, :width] = image
        return padded
