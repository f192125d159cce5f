"""SETR's naive and progressive upsampling head: https://arxiv.org/abs/2012.15840."""

import flax.linen as nn

from jaxseg.errors import FieldError
from jaxseg.heads.decode_head import BaseDecodeHead
from jaxseg.layers.norm import LN, Norm
from jaxseg.ops.resize import upsample


class SETRUPHead(BaseDecodeHead, kw_only=True):
    """A norm of the tokens, then convolutions, each before an upsampling.

    Attributes:
        norm_layer: the norm of the input.
        num_convs: convolutions: 1 or 2 of the naive head, 4 of the progressive one.
        up_scale: the factor of each upsampling.
        kernel_size: sides of the convolutions' kernels, 1 or 3 pixels.
    """

    norm_layer: Norm = LN(eps=1e-6)
    num_convs: int = 1
    up_scale: int = 4
    kernel_size: int = 3

    takes_padding = True
    takes_bands = True

    def __post_init__(self):
        if self.kernel_size not in (1, 3):
            raise FieldError(f"kernel_size is {self.kernel_size}, allowed: 1 or 3")
        super().__post_init__()

    @nn.compact
    def __call__(self, inputs, train: bool):
        x = self.transform_inputs(inputs)
        x = self.norm_layer(name="norm")(x, train)
        for i in range(self.num_convs):
            conv = self.conv_module(self.channels, self.kernel_size, f"up_convs.{i}.0")
            x = upsample(
                conv(x, train),
                self.up_scale,
                mode="bilinear",
                align_corners=self.align_corners,
            )
        return self.cls_seg(x, train)
