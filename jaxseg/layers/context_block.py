"""Context block: one weighted mean over all pixels, added to each of them."""

from typing import Literal

import flax.linen as nn
import jax

from jaxseg.errors import FieldError
from jaxseg.layers.conv import Conv2d, kaiming_normal_fan_in, torch_start
from jaxseg.layers.plugin import Plugin
from jaxseg.ops.context import global_mean, pixel_product, spatial_softmax
from jaxseg.ops.layer_norm import layer_norm
from jaxseg.ops.narrow import spread

PoolingType = Literal["att", "avg"]
FusionType = Literal["channel_add", "channel_mul"]


def check_fusion_types(fusion_types: tuple[FusionType, ...]) -> None:
    """Refuses a block that gives nothing to the pixels.

    Raises:
        FieldError: if it is empty.
    """
    if not fusion_types:
        raise FieldError(
            "fusion_types is empty, allowed: channel_add, channel_mul, or both"
        )


class ContextBlock(Plugin, kw_only=True):
    """mmcv's ContextBlock, of GCNet. https://arxiv.org/abs/1904.11492

    Its last convolutions start with zeros. In a ResNet without pre-trained weights
    mmseg's start goes over every convolution, these too; with weights it does not.

    Attributes:
        ratio: the inner channels over the input's.
        pooling_type: the mean over the pixels: `att`, weighted by a softmax that is
            learned, or `avg`.
        fusion_types: what the pixels get of it: `channel_add`, a sum, and
            `channel_mul`, a factor between 0 and 1 that comes first.
        The other is Plugin's.
    """

    ratio: float
    pooling_type: PoolingType = "att"
    fusion_types: tuple[FusionType, ...] = ("channel_add",)

    abbr = "context_block"
    takes_padding = True
    takes_bands = True

    def __post_init__(self):
        check_fusion_types(self.fusion_types)
        super().__post_init__()

    @nn.compact
    def __call__(self, x, train: bool):
        """(N, h, w, C) -> the same shape."""
        del train
        if self.pooling_type == "avg":
            context = global_mean(x)
        else:
            mask = Conv2d(1, kernel_init=kaiming_normal_fan_in, name="conv_mask")(x)
            context = pixel_product(spatial_softmax(mask), x)[:, None]
        y = x
        if "channel_mul" in self.fusion_types:
            weights = jax.nn.sigmoid(self._transform(context, "channel_mul_conv"))
            y = y * spread(weights, y)
        if "channel_add" in self.fusion_types:
            y = y + spread(self._transform(context, "channel_add_conv"), y)
        return y

    def _transform(self, context, name):
        """Two convolutions of the mean (N, 1, 1, C); the second one starts with 0."""
        channels = context.shape[-1]
        width = int(channels * self.ratio)
        # Items of mmcv's Sequential; item 2 is the activation.
        y = Conv2d(width, **torch_start(channels), name=f"{name}.0")(context)
        y = nn.relu(_LayerNorm(name=f"{name}.1")(y))
        zeros = nn.initializers.zeros
        return Conv2d(channels, kernel_init=zeros, name=f"{name}.3")(y)


class _LayerNorm(nn.Module):
    """torch's LayerNorm of (C, 1, 1), whose weights have that shape."""

    @nn.compact
    def __call__(self, x):
        shape = (x.shape[-1], 1, 1)
        scale = self.param("scale", nn.initializers.ones, shape)
        bias = self.param("bias", nn.initializers.zeros, shape)
        return layer_norm(x, scale.ravel(), bias.ravel(), 1e-5)
