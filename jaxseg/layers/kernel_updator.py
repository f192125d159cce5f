"""Kernel updator: K-Net's kernels take in what their masks cover.

https://arxiv.org/abs/2106.14855
"""

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxseg.errors import FieldError
from jaxseg.layers.activation import Act, ReLU
from jaxseg.layers.conv import torch_start
from jaxseg.layers.norm import LN, Norm
from jaxseg.layers.transformer import Linear
from jaxseg.weights.part import Part


class KernelUpdator(Part, kw_only=True):
    """mmseg's KernelUpdator: gates mix a kernel with the features of its mask.

    Attributes:
        in_channels: channels of a part of a kernel; a kernel has one part or several.
        feat_channels: channels in the middle; in_channels, since mmseg joins both.
        out_channels: channels of the result; None: in_channels.
        gate_sigmoid: whether the gates are between 0 and 1.
        gate_norm_act: whether a norm and the activation come before the gates.
        activate_out: whether both sides are activated before they are mixed.
        norm_cfg, act_cfg: flavours of the layers.
    """

    in_channels: int = 256
    feat_channels: int = 64
    out_channels: int | None = None
    gate_sigmoid: bool = True
    gate_norm_act: bool = False
    activate_out: bool = False
    norm_cfg: Norm = LN()
    act_cfg: Act = ReLU()

    def __post_init__(self):
        if self.feat_channels != self.in_channels:
            raise FieldError(
                f"feat_channels is {self.feat_channels}, allowed: in_channels, "
                f"{self.in_channels}"
            )
        super().__post_init__()

    @nn.compact
    def __call__(self, features: jax.Array, kernels: jax.Array, train: bool):
        """Features (N, K, C) of masks, their kernels (N, K, C) -> (N, K, C')."""
        shape, width = features.shape, self.feat_channels
        features = features.reshape(-1, self.in_channels)
        kernels = kernels.reshape(-1, self.in_channels)
        act = self.act_cfg(name="activation")
        from_mask = self._linear(2 * width, "dynamic_layer")(features)
        from_kernel = self._linear(2 * width, "input_layer")(kernels)
        gates = from_kernel[:, :width] * from_mask[:, :width]
        if self.gate_norm_act:
            gates = act(self._norm("gate_norm")(gates, train))
        kept = self._linear(width, "input_gate")(gates)
        taken = self._linear(width, "update_gate")(gates)
        kept = self._norm("input_norm_in")(kept, train)
        taken = self._norm("norm_in")(taken, train)
        if self.gate_sigmoid:
            kept, taken = jax.nn.sigmoid(kept), jax.nn.sigmoid(taken)
        mask_side = self._norm("norm_out")(from_mask[:, width:], train)
        kernel_side = self._norm("input_norm_out")(from_kernel[:, width:], train)
        if self.activate_out:
            mask_side, kernel_side = act(mask_side), act(kernel_side)
        y = taken * mask_side + kept * kernel_side
        y = self._linear(self.out_channels or self.in_channels, "fc_layer")(y)
        y = act(self._norm("fc_norm")(y, train))
        return jnp.reshape(y, (*shape[:2], -1))

    def _linear(self, features, name):
        return Linear(features, **torch_start(self.in_channels), name=name)

    def _norm(self, name):
        return self.norm_cfg(name=name)
