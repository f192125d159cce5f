"""Kernel update head: one stage of K-Net, https://arxiv.org/abs/2106.14855."""

import dataclasses

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxseg.errors import FieldError
from jaxseg.layers.activation import Act, ReLU
from jaxseg.layers.conv import (
    Conv,
    ConvModule,
    torch_default_bias,
    torch_start,
)
from jaxseg.layers.kernel_updator import KernelUpdator
from jaxseg.layers.norm import LN, Norm
from jaxseg.layers.transformer import FFN, Linear, MultiheadAttention
from jaxseg.ops.context import pixel_product
from jaxseg.ops.narrow import wide
from jaxseg.weights.part import Part

# What mmseg leaves as torch starts it, whatever the number of inputs.
_TORCH_KERNEL = torch_start(1)["kernel_init"]


@dataclasses.dataclass(frozen=True)
class FeatTransformCfg:
    """`feat_transform_cfg`: a ConvModule of one pixel.

    Attributes:
        kernel_size: 1.
        conv_cfg: the ordinary convolution, or None, which is the same.
        norm_cfg, act_cfg: flavours of it.
    """

    kernel_size: int = 1
    conv_cfg: Conv | None = None
    norm_cfg: Norm | None = None
    act_cfg: Act | None = ReLU()

    def __post_init__(self):
        if self.kernel_size != 1:
            raise FieldError(f"kernel_size is {self.kernel_size}, allowed: 1")


class KernelUpdateHead(Part, kw_only=True):
    """From features, kernels and their masks to better kernels and masks.

    Attributes:
        num_classes: number of kernels.
        in_channels: channels of the features and of a kernel.
        out_channels: in_channels, channels of the kernels that masks are made with.
        num_ffn_fcs: 2, the number of linear layers of the FFN.
        num_heads: heads of the attention among the kernels.
        num_mask_fcs: number of hidden layers before masks are made.
        feedforward_channels: width between the linear layers of the FFN.
        dropout: dropout rate of the attention and of the FFN.
        act_cfg, ffn_act_cfg: activations of the hidden layers and of the FFN.
        conv_kernel_size: 1, the side of the kernels.
        feat_transform_cfg: a convolution of the features, or None.
        kernel_init: False; mmseg does not run the start that it names.
        with_ffn: whether there is an FFN.
        feat_gather_stride, mask_transform_stride: 1, strides of features and masks.
        kernel_updator_cfg: how kernels take in features.
    """

    num_classes: int = 150
    in_channels: int = 256
    out_channels: int = 256
    num_ffn_fcs: int = 2
    num_heads: int = 8
    num_mask_fcs: int = 3
    feedforward_channels: int = 2048
    dropout: float = 0.0
    act_cfg: Act = ReLU()
    ffn_act_cfg: Act = ReLU()
    conv_kernel_size: int = 1
    feat_transform_cfg: FeatTransformCfg | None = None
    kernel_init: bool = False
    with_ffn: bool = True
    feat_gather_stride: int = 1
    mask_transform_stride: int = 1
    kernel_updator_cfg: KernelUpdator

    child_keys = {"kernel_updator_cfg": "kernel_update_conv"}  # noqa: RUF012

    def __post_init__(self):
        for name, allowed in (
            ("conv_kernel_size", 1),
            ("feat_gather_stride", 1),
            ("mask_transform_stride", 1),
            ("num_ffn_fcs", 2),
            ("out_channels", self.in_channels),
            ("kernel_init", False),
        ):
            if getattr(self, name) != allowed:
                raise FieldError(
                    f"{name}: is {getattr(self, name)}, allowed: {allowed}"
                )
        for name, divisor in (
            ("num_heads", self.num_heads),
            ("kernel_updator_cfg", self.kernel_updator_cfg.in_channels),
        ):
            if self.in_channels % divisor:
                raise FieldError(
                    f"{name}: {divisor} does not divide in_channels, {self.in_channels}"
                )
        super().__post_init__()

    @nn.compact
    def __call__(
        self, x: jax.Array, kernels: jax.Array, masks: jax.Array, train: bool
    ) -> tuple[jax.Array, jax.Array]:
        """Features (N, h, w, C), kernels (N, K, C), logits (N, h, w, K) -> the next.

        Returns:
            The masks' logits (N, h, w, K) and the kernels (N, K, C).
        """
        if self.feat_transform_cfg is not None:
            x = self._transform()(x, train)
        shares = jax.nn.softmax(wide(masks))
        features = pixel_product(shares, wide(x)).astype(x.dtype)
        kernels = self.kernel_updator_cfg(features, kernels, train)
        attend = MultiheadAttention(
            self.num_heads,
            attn_drop=self.dropout,
            out_init=_TORCH_KERNEL,
            name="attention",
        )
        kernels = attend(kernels, kernels, train)
        kernels = LN()(name="attention_norm")(kernels, train)
        if self.with_ffn:
            kernels = self._ffn()(kernels, kernels, train)
            kernels = LN()(name="ffn_norm")(kernels, train)
        y = kernels
        start = torch_start(self.in_channels)
        for i in range(0, 3 * self.num_mask_fcs, 3):
            y = Linear(
                self.in_channels,
                bias=False,
                kernel_init=_TORCH_KERNEL,
                name=f"mask_fcs.{i}",
            )(y)
            y = LN()(name=f"mask_fcs.{i + 1}")(y, train)
            y = self.act_cfg(name=f"mask_fcs.{i + 2}")(y)
        y = Linear(self.out_channels, **start, name="fc_mask")(y)
        return jnp.einsum("nhwc,nkc->nhwk", x, y), kernels

    def _transform(self):
        cfg = self.feat_transform_cfg
        return ConvModule(
            self.in_channels,
            1,
            norm_cfg=cfg.norm_cfg,
            act_cfg=cfg.act_cfg,
            name="feat_transform",
        )

    def _ffn(self):
        return FFN(
            self.feedforward_channels,
            self.ffn_act_cfg,
            self.dropout,
            kernel_init=_TORCH_KERNEL,
            bias_init=torch_default_bias,
            name="ffn",
        )
