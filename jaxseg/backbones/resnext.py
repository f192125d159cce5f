"""ResNeXt: https://arxiv.org/abs/1611.05431."""

from typing import ClassVar

from jaxseg.backbones.resnet import ResNet
from jaxseg.layers.res_layer import ResBottleneck


class ResNeXt(ResNet):
    """ResNet whose 3x3 convolutions have groups.

    Attributes:
        groups: number of groups.
        base_width: channels of a group in the first stage; 32x4d is `groups=32,
            base_width=4`.
        zero_init_residual: the last norm of each block starts at zero; in mmseg 1.2.2
            it starts at one whatever this says.
        The others are ResNet's; depth is 50, 101 or 152.
    """

    groups: int = 1
    base_width: int = 4
    zero_init_residual: bool = False

    takes_padding = True
    takes_bands = True

    depths: ClassVar = {
        50: (ResBottleneck, (3, 4, 6, 3)),
        101: (ResBottleneck, (3, 4, 23, 3)),
        152: (ResBottleneck, (3, 8, 36, 3)),
    }
    block_fields: ClassVar = ("groups", "base_width", "base_channels")
    falls_back: ClassVar = False
