"""JPU, Joint Pyramid Upsampling, of FastFCN: https://arxiv.org/abs/1903.11816."""

import flax.linen as nn
import jax.numpy as jnp

from jaxseg.errors import FieldError
from jaxseg.layers.activation import Act, ReLU
from jaxseg.layers.conv import ConvModule
from jaxseg.layers.norm import BN, Norm
from jaxseg.necks.neck import Neck
from jaxseg.ops.resize import resize


class JPU(Neck):
    """Joins the levels at the finest one's size, by convolutions of several dilations.

    The outputs are the used levels but for the last one, as they are, and what the last
    levels make together.

    Attributes:
        in_channels: channels of each input level.
        mid_channels: channels of each level before they are joined, and of what each
            dilation gives.
        start_level: first input level that is used.
        end_level: one past the last input level that is used; -1 is all.
        dilations: dilations of the convolutions of the joined levels.
        align_corners: `align_corners` of the resizes.
        norm_cfg, act_cfg: flavours of the layers.
    """

    in_channels: tuple[int, ...] = (512, 1024, 2048)
    mid_channels: int = 512
    start_level: int = 0
    end_level: int = -1
    dilations: tuple[int, ...] = (1, 2, 4, 8)
    align_corners: bool = False
    norm_cfg: Norm | None = BN()
    act_cfg: Act | None = ReLU()

    takes_padding = True
    takes_bands = True

    def __post_init__(self):
        if not 0 <= self.start_level < self._end <= len(self.in_channels):
            raise FieldError(
                f"end_level: start_level={self.start_level} and end_level="
                f"{self.end_level} leave no levels of {len(self.in_channels)}"
            )
        super().__post_init__()

    @property
    def _end(self):
        return len(self.in_channels) if self.end_level == -1 else self.end_level

    @nn.compact
    def __call__(self, inputs, train: bool):
        self._check_channels(inputs)
        flavours = {"norm_cfg": self.norm_cfg, "act_cfg": self.act_cfg}
        used = inputs[self.start_level : self._end]
        levels = [
            ConvModule(
                self.mid_channels, 3, padding=1, **flavours, name=f"conv_layers.{i}.0"
            )(x, train)
            for i, x in enumerate(used)
        ]
        size = levels[0].shape[1:3]
        rest = (resize(x, size, align_corners=self.align_corners) for x in levels[1:])
        joined = jnp.concatenate([levels[0], *rest], axis=-1)
        outs = [self._dilated(joined, i, train) for i in range(len(self.dilations))]
        return (*used[:-1], jnp.concatenate(outs, axis=-1))

    def _dilated(self, x, i, train):
        """A depthwise separable convolution; mmseg's has no activation in between."""
        name, dilation = f"dilation_layers.{i}.0", self.dilations[i]
        x = ConvModule(
            x.shape[-1],
            3,
            padding=dilation,
            dilation=dilation,
            groups=x.shape[-1],
            norm_cfg=self.norm_cfg,
            name=f"{name}.depthwise_conv",
        )(x, train)
        flavours = {"norm_cfg": self.norm_cfg, "act_cfg": self.act_cfg}
        pointwise = f"{name}.pointwise_conv"
        return ConvModule(self.mid_channels, 1, **flavours, name=pointwise)(x, train)
