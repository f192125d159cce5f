"""MSCAN, the backbone of SegNeXt: https://arxiv.org/abs/2209.08575."""

import functools

import flax.linen as nn

from jaxseg.backbones.conv_attention_backbone import ConvAttentionBackbone
from jaxseg.errors import FieldError
from jaxseg.layers.activation import GELU, Act
from jaxseg.layers.conv import Conv2d
from jaxseg.layers.conv_attention import depthwise

# Of a square and of three strips.
_Kernels = tuple[int, tuple[int, int], tuple[int, int], tuple[int, int]]


class _MultiScaleAttention(nn.Module):
    """A depthwise convolution, strips of several lengths over it, and a 1x1 one.

    Each strip is a horizontal and then a vertical convolution.
    """

    kernel_sizes: _Kernels
    paddings: _Kernels

    @nn.compact
    def __call__(self, x):
        """(N, H, W, C) -> the same shape."""
        sides, pads = self.kernel_sizes, self.paddings
        y = total = depthwise(x, sides[0], pads[0], "conv0")
        for i, (side, pad) in enumerate(zip(sides[1:], pads[1:], strict=True)):
            strip = depthwise(y, side, pad, f"conv{i}_1")
            total = total + depthwise(strip, side[::-1], pad[::-1], f"conv{i}_2")
        return Conv2d(x.shape[-1], name="conv3")(total)


class MSCAN(ConvAttentionBackbone, kw_only=True):
    """Multi-scale convolutional attention, four stages from 1/4 to 1/32.

    Attributes:
        attention_kernel_sizes: of the first convolution, then (rows, columns) of the
            first one of each strip, whose second one has them the other way round.
        attention_kernel_paddings: their paddings, which keep the size.
        act_cfg: activation of the blocks; that of the stem is a GELU, as in mmseg.
        The others are those of `ConvAttentionBackbone`.
    """

    attention_kernel_sizes: _Kernels = (5, (1, 7), (1, 11), (1, 21))
    attention_kernel_paddings: _Kernels = (2, (0, 3), (0, 5), (0, 10))
    act_cfg: Act = GELU()

    takes_padding = True
    takes_bands = True

    def __post_init__(self):
        sizes, pads = self.attention_kernel_sizes, self.attention_kernel_paddings
        if pads != tuple(_half(size) for size in sizes):
            raise FieldError(
                f"attention_kernel_paddings: is {pads}; of attention_kernel_sizes="
                f"{sizes}, which are odd, it is the half"
            )
        super().__post_init__()

    def embed(self, stage, x, train):
        """What goes into a stage; into the first one by two convolutions."""
        if stage > 0:
            return super().embed(stage, x, train)
        width, name = self.embed_dims[0], "patch_embed1.proj"
        x = Conv2d(width // 2, 3, 2, 1, name=f"{name}.0")(x)
        x = self.norm_cfg(name=f"{name}.1")(x, train)
        x = GELU()(name=f"{name}.2")(x)
        x = Conv2d(width, 3, 2, 1, name=f"{name}.3")(x)
        return self.norm_cfg(name=f"{name}.4")(x, train)

    def block_fields(self):
        gate = functools.partial(
            _MultiScaleAttention,
            self.attention_kernel_sizes,
            self.attention_kernel_paddings,
        )
        return {"gate": gate, "act_cfg": self.act_cfg}


def _half(size):
    return size // 2 if isinstance(size, int) else tuple(side // 2 for side in size)
