"""FCN head with context: two convolutions with a block between that sees all pixels."""

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxseg.heads.decode_head import BaseDecodeHead


class BaseContextFCNHead(BaseDecodeHead, kw_only=True):
    """An FCN head of two convolutions, with a block of context between them.

    A head adds `context`.

    Attributes:
        kernel_size: the size of the convolutions, in pixels.
        concat_input: join the input to the convolutions' result and convolve both.
        dilation: the dilation of the convolutions.
    """

    kernel_size: int = 3
    concat_input: bool = True
    dilation: int = 1

    def context(self, x: jax.Array, train: bool) -> jax.Array:
        """The block, (N, h, w, channels) -> (N, h, w, channels)."""
        raise NotImplementedError

    @nn.compact
    def __call__(self, inputs, train: bool):
        x = self.transform_inputs(inputs)
        convs = [
            self.conv_module(
                self.channels, self.kernel_size, f"convs.{i}", self.dilation
            )
            for i in range(2)
        ]
        y = convs[1](self.context(convs[0](x, train), train), train)
        if self.concat_input:
            y = jnp.concatenate([x, y], axis=-1)
            y = self.conv_module(self.channels, self.kernel_size, "conv_cat")(y, train)
        return self.cls_seg(y, train)
