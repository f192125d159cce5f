"""Multi-level neck: a pyramid from maps of one size, as transformers give them."""

import flax.linen as nn

from jaxseg.config import ConfigError
from jaxseg.layers.activation import Act
from jaxseg.layers.conv import ConvModule, xavier_uniform
from jaxseg.layers.norm import Norm
from jaxseg.necks.neck import Neck
from jaxseg.ops.resize import resize


class MultiLevelNeck(Neck):
    """A 1x1 convolution, a resize by each scale, a 3x3 convolution.

    SETR's pyramid, https://arxiv.org/abs/2012.15840

    Attributes:
        in_channels: channels of each input; one input serves all scales.
        out_channels: channels of each output.
        scales: factor of each output's size.
        norm_cfg, act_cfg: flavours of the layers, or None.
    """

    in_channels: tuple[int, ...]
    out_channels: int
    scales: tuple[float, ...] = (0.5, 1, 2, 4)
    norm_cfg: Norm | None = None
    act_cfg: Act | None = None

    takes_padding = True
    takes_bands = True

    @nn.compact
    def __call__(self, inputs, train: bool):
        """Tuple of (N, h, w, C) -> tuple of (N, h * scale, w * scale, out_channels)."""
        if len(inputs) != len(self.in_channels):
            raise ConfigError(
                f"{self.config_path}.in_channels is {self.in_channels}, one a map, and "
                f"the backbone gives {len(inputs)}"
            )
        flavours = {
            "norm_cfg": self.norm_cfg,
            "act_cfg": self.act_cfg,
            "kernel_init": xavier_uniform,
        }
        maps = [
            ConvModule(self.out_channels, 1, **flavours, name=f"lateral_convs.{i}")(
                x, train
            )
            for i, x in enumerate(inputs)
        ]
        if len(maps) == 1:
            maps = maps * len(self.scales)
        outs = []
        for i, scale in enumerate(self.scales):
            x = resize(maps[i], scale_factor=scale)
            conv = ConvModule(
                self.out_channels, 3, padding=1, **flavours, name=f"convs.{i}"
            )
            outs.append(conv(x, train))
        return tuple(outs)
