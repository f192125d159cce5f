"""Fully Convolutional Networks: https://arxiv.org/abs/1411.4038."""

import flax.linen as nn
import jax.numpy as jnp

from jaxseg.errors import FieldError
from jaxseg.heads.decode_head import BaseDecodeHead
from jaxseg.weights.key_table import KeyTable


class FCNHead(BaseDecodeHead, kw_only=True):
    """Convolutions and a classifier; also the usual auxiliary head.

    Attributes:
        num_convs: number of convolutions, 0 to pass the input on, whose channels are
            then `channels`.
        kernel_size: the size of the convolutions, in pixels.
        concat_input: join the input to the convolutions' result and convolve both.
        dilation: the dilation of the convolutions.
    """

    num_convs: int = 2
    kernel_size: int = 3
    concat_input: bool = True
    dilation: int = 1

    takes_padding = True
    takes_bands = True

    # CSAIL's semantic-segmentation-pytorch: its C1, and what it trains beside others.
    key_table = KeyTable(
        renames=(
            (r"^cbr\.0\.", "convs.0.conv."),
            (r"^cbr\.1\.", "convs.0.bn."),
            (r"^conv_last\.", "conv_seg."),
        )
    )

    def __post_init__(self):
        super().__post_init__()
        width = self.in_channels
        width = sum(width) if isinstance(width, tuple) else width
        if self.num_convs == 0 and width != self.channels:
            raise FieldError(
                f"channels is {self.channels}, but num_convs=0 passes on an input of "
                f"{width} channels"
            )

    @nn.compact
    def __call__(self, inputs, train: bool):
        x = self.transform_inputs(inputs)
        y = x
        side = self.kernel_size
        for i in range(self.num_convs):
            y = self.conv_module(self.channels, side, f"convs.{i}", self.dilation)(
                y, train
            )
        if self.concat_input:
            y = jnp.concatenate([x, y], axis=-1)
            y = self.conv_module(self.channels, side, "conv_cat")(y, train)
        return self.cls_seg(y, train)
