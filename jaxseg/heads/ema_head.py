"""EMANet, Expectation-Maximization Attention: https://arxiv.org/abs/1907.13426."""

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxseg.errors import FieldError
from jaxseg.heads.decode_head import BaseDecodeHead
from jaxseg.layers.conv import ConvModule
from jaxseg.layers.data_axis import mean_over_devices
from jaxseg.ops.context import pixel_product
from jaxseg.ops.unit import unit


class _EMAModule(nn.Module):
    """Expectation-maximisation attention: a map made anew of a few bases.

    `bases`, where each image's bases begin, follow those that training finds, as a
    running statistic. No gradient passes through the module.

    Attributes:
        num_bases: number of bases.
        num_stages: steps of expectation and maximisation, at least 1.
        momentum: weight of a batch's bases in the running ones.
    """

    num_bases: int
    num_stages: int
    momentum: float

    @nn.compact
    def __call__(self, x, train: bool):
        """(N, h, w, C) -> the same shape."""
        x = jax.lax.stop_gradient(x)
        shape = (1, x.shape[-1], self.num_bases)
        running = self.variable("batch_stats", "bases", self._start, shape)
        bases = jnp.swapaxes(running.value, 1, 2)  # (1, K, C)
        bases = jnp.broadcast_to(bases, (len(x), *bases.shape[1:]))
        ones = jnp.ones_like(x[..., :1])
        for _ in range(self.num_stages):
            product = jnp.einsum("nhwc,nkc->nhwk", x, bases.astype(x.dtype))
            attention = jax.nn.softmax(product.astype(bases.dtype)).astype(x.dtype)
            share = pixel_product(attention, ones).astype(bases.dtype)  # (N, K, 1)
            sums = pixel_product(attention, x).astype(bases.dtype)
            bases = unit(sums / jnp.maximum(share, 1e-12))
        if train and not self.is_initializing():
            found = unit(mean_over_devices(bases.mean(0)))
            kept = (1 - self.momentum) * running.value
            running.value = kept + self.momentum * found.T[None]
        return jnp.einsum("nhwk,nkc->nhwc", attention, bases.astype(x.dtype))

    def _start(self, shape):
        drawn = jax.random.normal(self.make_rng("params"), shape)
        return jnp.swapaxes(unit(jnp.swapaxes(drawn, 1, 2)), 1, 2)


class EMAHead(BaseDecodeHead, kw_only=True):
    """Adds to a map what a few bases, found in the image, make of it.

    Attributes:
        ema_channels: channels of the bases.
        num_bases, num_stages, momentum: those of the attention (`_EMAModule`).
        concat_input: join the input to the result and convolve both.
    """

    ema_channels: int
    num_bases: int
    num_stages: int
    concat_input: bool = True
    momentum: float = 0.1

    takes_padding = True
    takes_bands = True

    def __post_init__(self):
        super().__post_init__()
        if self.num_stages < 1:
            raise FieldError(f"num_stages: is {self.num_stages}, allowed: 1 at least")

    @property
    def frozen_modules(self) -> tuple[str, ...]:
        """Checkpoint keys of what keeps its starting values."""
        return ("ema_mid_conv",)

    @nn.compact
    def __call__(self, inputs, train: bool):
        x = self.transform_inputs(inputs)
        width = self.ema_channels
        features = self.conv_module(width, 3, "ema_in_conv")(x, train)
        # From (0, inf) to (-inf, inf).
        y = ConvModule(width, 1, name="ema_mid_conv")(features, train)
        module = _EMAModule(
            self.num_bases, self.num_stages, self.momentum, name="ema_module"
        )
        y = nn.relu(module(y, train))
        out = ConvModule(width, 1, norm_cfg=self.norm_cfg, name="ema_out_conv")
        y = nn.relu(features + out(y, train))
        y = self.conv_module(self.channels, 3, "bottleneck")(y, train)
        if self.concat_input:
            y = jnp.concatenate([x, y], axis=-1)
            y = self.conv_module(self.channels, 3, "conv_cat")(y, train)
        return self.cls_seg(y, train)
