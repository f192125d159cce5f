"""Positional encodings of feature maps: entries of `positional_encoding`."""

import dataclasses
import math

import numpy as np


@dataclasses.dataclass(frozen=True)
class SinePositionalEncoding:
    """Sines and cosines of a pixel's row and column, as DETR's.

    https://arxiv.org/abs/2005.12872, mmdet's SinePositionalEncoding for images that
    are not padded.

    Attributes:
        num_feats: channels for the row, and as many for the column.
        temperature: ratio of the longest to the shortest wavelength.
        normalize: whether rows and columns are scaled to `scale` at the last one.
        scale: the factor of normalised rows and columns.
        eps: added to the number of rows and columns.
        offset: added to a row or column that is normalised.
    """

    num_feats: int
    temperature: float = 10000
    normalize: bool = False
    scale: float = 2 * math.pi
    eps: float = 1e-6
    offset: float = 0.0

    def __call__(self, size: tuple[int, int]) -> np.ndarray:
        """(height, width) of a map -> (height, width, 2 * num_feats) float64."""
        height, width = size
        rows = self._axis(height)[:, None].repeat(width, 1)
        columns = self._axis(width)[None].repeat(height, 0)
        return np.concatenate([rows, columns], -1)

    def _axis(self, length):
        """(length, num_feats): sines in even channels, cosines in odd ones."""
        places = np.arange(1, length + 1, dtype=np.float64)
        if self.normalize:
            places = (places + self.offset) / (length + self.eps) * self.scale
        channels = np.arange(self.num_feats)
        angles = places[:, None] / self.temperature ** (
            2 * (channels // 2) / self.num_feats
        )
        return np.where(channels % 2, np.cos(angles), np.sin(angles))
