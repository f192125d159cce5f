"""Pyramid of a transformer's maps, BEiT's and MAE's: https://arxiv.org/abs/2106.08254."""

import flax.linen as nn

from jaxseg.config import ConfigError
from jaxseg.errors import FieldError
from jaxseg.layers.activation import GELU
from jaxseg.layers.conv import ConvTranspose2d
from jaxseg.layers.norm import Norm, SyncBN
from jaxseg.necks.neck import Neck
from jaxseg.ops.pool import max_pool

# Those that mmseg's forward knows, in the order of its outputs.
_RESCALES = ((4, 2, 1, 0.5), (2, 1, 0.5, 0.25))


class Feature2Pyramid(Neck):
    """Resizes maps of one size: by transposed convolutions, or by max pooling.

    Attributes:
        embed_dim: channels of all maps.
        rescales: the factor of each map, (4, 2, 1, 0.5) or (2, 1, 0.5, 0.25).
        norm_cfg: norm between the two convolutions of the factor 4.
    """

    embed_dim: int
    rescales: tuple[float, ...] = _RESCALES[0]
    norm_cfg: Norm = SyncBN()

    takes_padding = True
    takes_bands = True

    def __post_init__(self):
        if self.rescales not in _RESCALES:
            allowed = " or ".join(map(str, _RESCALES))
            raise FieldError(f"rescales is {self.rescales}, allowed: {allowed}")
        super().__post_init__()

    @nn.compact
    def __call__(self, inputs, train: bool):
        found = tuple(x.shape[-1] for x in inputs)
        if found != (self.embed_dim,) * len(self.rescales):
            raise ConfigError(
                f"{self.config_path}.embed_dim is {self.embed_dim}, of "
                f"{len(self.rescales)} maps, and the feature maps have {found} channels"
            )
        return tuple(
            self._rescaled(x, factor, train)
            for x, factor in zip(inputs, self.rescales, strict=True)
        )

    def _rescaled(self, x, factor, train):
        if factor == 4:
            x = self._double(x, "upsample_4x.0")
            x = self.norm_cfg(name="upsample_4x.1")(x, train)
            x = GELU()(name="upsample_4x.2")(x)
            return self._double(x, "upsample_4x.3")
        if factor == 2:
            return self._double(x, "upsample_2x.0")
        window = round(1 / factor)
        return x if window == 1 else max_pool(x, window, window)

    def _double(self, x, name):
        return ConvTranspose2d(self.embed_dim, 2, 2, 0, name=name)(x)
