"""VPD's head of depths: https://arxiv.org/abs/2303.02153."""

from typing import ClassVar

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxseg.config import ConfigError
from jaxseg.errors import FieldError, ModelSizeError
from jaxseg.heads.head import Head
from jaxseg.layers.conv import Conv2d, ConvTranspose2d
from jaxseg.layers.norm import BN, GN
from jaxseg.layers.transformer import truncated_normal
from jaxseg.losses.decode import decode_losses
from jaxseg.losses.loss import Loss
from jaxseg.losses.silog_loss import SiLogLoss
from jaxseg.ops.resize import resize

_decoder_start = nn.initializers.normal(0.001)
_GROUPS = GN(num_groups=16)


class VPDDepthHead(Head, kw_only=True):
    """Depths of four maps, each of half the sides of the one before.

    The outputs are depths, (N, h, w, 1). The label is `gt_depth_map`, 0 where a depth
    is not known.

    Attributes:
        in_channels: channels of the four maps.
        num_classes: 1, the depth.
        max_depth: the largest depth that is predicted.
        embed_dim: channels behind the decoder; feature_dim is eight times as many.
        feature_dim: channels of the joined maps.
        num_deconv_layers: number of transposed convolutions, each of which doubles the
            sides.
        num_deconv_filters: their channels.
        fmap_border: rows and columns of the joined maps that are cut off at the bottom
            and the right.
        loss_decode: a loss of depths or several, summed by `loss_name`.
    """

    in_channels: tuple[int, ...] = (320, 640, 1280, 1280)
    num_classes: int = 1
    max_depth: float = 10.0
    embed_dim: int = 192
    feature_dim: int = 1536
    num_deconv_layers: int = 3
    num_deconv_filters: tuple[int, ...] = (32, 32, 32)
    fmap_border: int | tuple[int, int] = 0
    loss_decode: Loss | tuple[Loss, ...] = SiLogLoss()

    has_own_classes = True
    target_keys: ClassVar[tuple[str, ...]] = ("gt_depth_map",)

    def __post_init__(self):
        if len(self.in_channels) != 4:
            raise FieldError(
                f"in_channels is {self.in_channels}, allowed: four numbers"
            )
        if self.num_classes != 1:
            raise FieldError(f"num_classes: is {self.num_classes}, allowed: 1")
        if self.feature_dim != 8 * self.embed_dim:
            raise FieldError(
                f"feature_dim is {self.feature_dim}, allowed: 8 * embed_dim, "
                f"{8 * self.embed_dim}"
            )
        if len(self.num_deconv_filters) != self.num_deconv_layers:
            raise FieldError(
                f"num_deconv_filters has {len(self.num_deconv_filters)} entries, "
                f"num_deconv_layers is {self.num_deconv_layers}"
            )
        super().__post_init__()

    @nn.compact
    def __call__(self, inputs, train: bool) -> jax.Array:
        """Maps (N, h, w, c), the finest first -> depths (N, h', w', 1)."""
        found = tuple(x.shape[-1] for x in inputs)
        if found != tuple(self.in_channels):
            raise ConfigError(
                f"{self.config_path}.in_channels is {list(self.in_channels)}, but the "
                f"feature maps have {list(found)} channels"
            )
        first, second, third, last = inputs
        first = self._conv(found[0], 3, 2, "conv1.0")(first)
        first = jax.nn.relu(_GROUPS(name="conv1.1")(first, train))
        first = self._conv(found[0], 3, 2, "conv1.3")(first)
        second = self._conv(found[1], 3, 2, "conv2")(second)
        last = resize(last, scale_factor=2, mode="nearest")
        if last.shape[1:3] != third.shape[1:3]:
            raise ModelSizeError(
                f"twice the sides of the last map are {last.shape[1:3]}, the third one's "
                f"{third.shape[1:3]}: the model takes images whose sides are multiples "
                "of all its strides"
            )
        x = jnp.concatenate([first, second, third, last], axis=-1)
        x = self._conv(self.feature_dim, 1, 1, "conv_aggregation.0")(x)
        x = jax.nn.relu(_GROUPS(name="conv_aggregation.1")(x, train))
        border = self.fmap_border
        bottom, right = (border, border) if isinstance(border, int) else border
        x = x[:, : x.shape[1] - bottom, : x.shape[2] - right]
        x = self._decoded(x, train)
        x = jax.nn.relu(self._conv(self.embed_dim, 3, 1, "depth_pred_layer.0")(x))
        x = self._conv(1, 3, 1, "depth_pred_layer.2")(x)
        return jax.nn.sigmoid(x) * self.max_depth

    def _conv(self, features, side, stride, name, kernel_init=truncated_normal):
        padding = side // 2
        return Conv2d(
            features, side, stride, padding, kernel_init=kernel_init, name=name
        )

    def _decoded(self, x, train):
        """(N, h, w, feature_dim) -> (N, 4 * 2^layers * h, ..., embed_dim)."""
        for i, features in enumerate(self.num_deconv_filters):
            name = f"decoder.deconv_layers.{3 * i}"
            x = ConvTranspose2d(
                features, 2, 2, 0, bias=False, kernel_init=_decoder_start, name=name
            )(x)
            x = jax.nn.relu(BN()(name=f"decoder.deconv_layers.{3 * i + 1}")(x, train))
        name = "decoder.conv_layers.0"
        x = self._conv(self.embed_dim, 3, 1, name, _decoder_start)(x)
        x = jax.nn.relu(BN()(name="decoder.conv_layers.1")(x, train))
        for _ in range(2):
            x = resize(x, scale_factor=2)
        return x

    def loss(self, outputs, targets):
        losses = self.loss_decode
        return decode_losses(
            outputs,
            targets,
            losses if isinstance(losses, tuple) else (losses,),
            label="gt_depth_map",
            ignore_index=self.ignore_index,
            align_corners=self.align_corners,
        )
