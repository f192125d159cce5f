"""Visual Attention Network: https://arxiv.org/abs/2202.09741."""

import flax.linen as nn

from jaxseg.backbones.conv_attention_backbone import ConvAttentionBackbone
from jaxseg.layers.activation import GELU
from jaxseg.layers.conv import Conv2d
from jaxseg.layers.conv_attention import depthwise
from jaxseg.layers.norm import BN, Norm


class _LargeKernelAttention(nn.Module):
    """A 21x21 kernel as a depthwise 5x5, a dilated depthwise 7x7 and a 1x1 one."""

    @nn.compact
    def __call__(self, x):
        """(N, H, W, C) -> the same shape."""
        y = depthwise(x, 5, 2, "conv0")
        y = depthwise(y, 7, 9, "conv_spatial", dilation=3)
        return Conv2d(x.shape[-1], name="conv1")(y)


class VAN(ConvAttentionBackbone, kw_only=True):
    """The Visual Attention Network, as VAN-Segmentation has it for mmseg.

    Attributes:
        linear: a ReLU before the depthwise convolution of the MLPs.
        The others are those of `ConvAttentionBackbone`.
    """

    mlp_ratios: tuple[float, ...] = (8, 8, 4, 4)
    linear: bool = False

    takes_padding = True
    takes_bands = True

    def block_fields(self):
        return {
            "gate": _LargeKernelAttention,
            "act_cfg": GELU(),
            "relu_first": self.linear,
        }


class _SizedVAN(VAN, kw_only=True):
    """The fields that the sizes share.

    The first release of VAN-Segmentation has a class for each size, which takes any
    keys and reads none of them. `style` alone, which its configs have, is such a key
    here, too.
    """

    drop_path_rate: float = 0.1
    embed_dims: tuple[int, ...] = (64, 128, 320, 512)
    norm_cfg: Norm = BN()
    style: str = "pytorch"

    stage_norm_eps = 1e-6


class VANTiny(_SizedVAN, kw_only=True):
    """VAN-B0."""

    embed_dims: tuple[int, ...] = (32, 64, 160, 256)
    depths: tuple[int, ...] = (3, 3, 5, 2)

    takes_padding = True
    takes_bands = True

    aliases = ("van_tiny",)


class VANSmall(_SizedVAN, kw_only=True):
    """VAN-B1."""

    depths: tuple[int, ...] = (2, 2, 4, 2)

    takes_padding = True
    takes_bands = True

    aliases = ("van_small",)


class VANBase(_SizedVAN, kw_only=True):
    """VAN-B2."""

    depths: tuple[int, ...] = (3, 3, 12, 3)

    takes_padding = True
    takes_bands = True

    aliases = ("van_base",)


class VANLarge(_SizedVAN, kw_only=True):
    """VAN-B3."""

    depths: tuple[int, ...] = (3, 5, 27, 3)

    takes_padding = True
    takes_bands = True

    aliases = ("van_large",)
