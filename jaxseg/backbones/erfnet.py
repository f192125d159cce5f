"""ERFNet: https://ieeexplore.ieee.org/document/8063438."""

import functools

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxseg.backbones.backbone import Backbone
from jaxseg.errors import FieldError
from jaxseg.layers.activation import Act, ReLU
from jaxseg.layers.conv import Conv2d, ConvTranspose2d, torch_start
from jaxseg.layers.dropout import Dropout
from jaxseg.layers.norm import BN, Norm
from jaxseg.ops.pool import max_pool
from jaxseg.ops.resize import resize
from jaxseg.weights.key_table import KeyTable

_NORM = BN(eps=1e-3)


class _DownsamplerBlock(nn.Module):
    """Joins a 3x3 convolution with stride 2 and a 2x2 max-pooling."""

    features: int

    @nn.compact
    def __call__(self, x, train: bool):
        """(N, H, W, C) -> (N, ceil(H / 2), ceil(W / 2), features)."""
        channels = x.shape[-1]
        start = torch_start(9 * channels)
        y = Conv2d(self.features - channels, 3, 2, 1, **start, name="conv")(x)
        # The pooling leaves out the last row of an odd number.
        pooled = resize(max_pool(x, 2, 2), y.shape[1:3])
        y = jnp.concatenate([y, pooled], axis=-1)
        return jax.nn.relu(_NORM(name="bn")(y, train))


class _NonBottleneck1d(nn.Module):
    """A residual of two 3x3 convolutions, each of them a 3x1 and a 1x3 one.

    Attributes:
        dilation: dilation of the second pair.
        rate: probability that a value of the residual is dropped.
    """

    dilation: int = 1
    rate: float = 0.0

    @nn.compact
    def __call__(self, x, train: bool):
        """(N, H, W, C) -> the same shape."""
        y = self._pair(0, x, 1, train)
        y = self._pair(5, jax.nn.relu(y), self.dilation, train)
        return jax.nn.relu(x + Dropout(self.rate)(y, train))

    def _pair(self, item, x, dilation, train):
        """Items of mmseg's list: a convolution, its ReLU, the other one, and the norm."""
        y = self._conv(item, x, (3, 1), (dilation, 0), (dilation, 1))
        y = self._conv(item + 2, jax.nn.relu(y), (1, 3), (0, dilation), (1, dilation))
        return _NORM(name=f"convs_layers.{item + 3}")(y, train)

    def _conv(self, item, x, sides, padding, dilation):
        channels = x.shape[-1]
        return Conv2d(
            channels,
            sides,
            padding=padding,
            dilation=dilation,
            **torch_start(3 * channels),
            name=f"convs_layers.{item}",
        )(x)


class _UpsamplerBlock(nn.Module):
    """A transposed convolution to twice the size."""

    features: int

    @nn.compact
    def __call__(self, x, train: bool):
        """(N, H, W, C) -> (N, 2 * H, 2 * W, features)."""
        y = ConvTranspose2d(self.features, 3, 2, 1, 1, name="conv")(x)
        return jax.nn.relu(_NORM(name="bn")(y, train))


class ERFNet(Backbone):
    """An encoder to 1/8 and a decoder to 1/2, of factorised convolutions.

    Attributes:
        enc_downsample_channels: channels behind each halving of the map.
        enc_stage_non_bottlenecks: residual blocks behind each halving but the first.
        enc_non_bottleneck_dilations: dilations of the last of these rows of blocks, in
            turn.
        enc_non_bottleneck_channels: mmseg's other name of `enc_downsample_channels`
            without the first, which it must equal.
        dec_upsample_channels: mmseg's other name of `dec_non_bottleneck_channels`,
            which it must equal.
        dec_stages_non_bottleneck: residual blocks behind each doubling.
        dec_non_bottleneck_channels: channels behind each doubling.
        dropout_ratio: dropout in the encoder's residual blocks.
        norm_cfg, act_cfg: not used, as in mmseg: all layers have batch norm with an
            eps of 1e-3, and ReLU.
    """

    enc_downsample_channels: tuple[int, ...] = (16, 64, 128)
    enc_stage_non_bottlenecks: tuple[int, ...] = (5, 8)
    enc_non_bottleneck_dilations: tuple[int, ...] = (2, 4, 8, 16)
    enc_non_bottleneck_channels: tuple[int, ...] = (64, 128)
    dec_upsample_channels: tuple[int, ...] = (64, 16)
    dec_stages_non_bottleneck: tuple[int, ...] = (2, 2)
    dec_non_bottleneck_channels: tuple[int, ...] = (64, 16)
    dropout_ratio: float = 0.1
    norm_cfg: Norm = BN()
    act_cfg: Act = ReLU()

    takes_padding = True
    takes_bands = True

    def __post_init__(self):
        for name, other, values in (
            (
                "enc_non_bottleneck_channels",
                "enc_downsample_channels without the first",
                self.enc_downsample_channels[1:],
            ),
            (
                "dec_upsample_channels",
                "dec_non_bottleneck_channels",
                self.dec_non_bottleneck_channels,
            ),
        ):
            if getattr(self, name) != values:
                raise FieldError(
                    f"{name} is {getattr(self, name)}, allowed: {other}, {values}"
                )
        self._check_counts()
        super().__post_init__()

    @property
    def key_table(self) -> KeyTable:
        """The authors' names: https://github.com/Eromera/erfnet_pytorch."""
        rows = self.enc_stage_non_bottlenecks
        items = (
            (rf"^encoder\.layers\.{k}\.", f"encoder.{k + 1}.")
            for k in range(len(rows) + sum(rows))
        )
        return KeyTable(
            renames=(
                (r"^encoder\.initial_block\.", "encoder.0."),
                *items,
                (r"^decoder\.layers\.", "decoder."),
                (r"\.conv3x1_1\.", ".convs_layers.0."),
                (r"\.conv1x3_1\.", ".convs_layers.2."),
                (r"\.bn1\.", ".convs_layers.3."),
                (r"\.conv3x1_2\.", ".convs_layers.5."),
                (r"\.conv1x3_2\.", ".convs_layers.7."),
                (r"\.bn2\.", ".convs_layers.8."),
            ),
            unused=("encoder.output_conv.", "decoder.output_conv."),
        )

    def _check_counts(self):
        halvings = len(self.enc_downsample_channels)
        for name in (
            "enc_stage_non_bottlenecks",
            "dec_stages_non_bottleneck",
            "dec_non_bottleneck_channels",
        ):
            if len(getattr(self, name)) != halvings - 1:
                raise FieldError(
                    f"{name} is {getattr(self, name)}, which needs {halvings - 1} "
                    f"entries for {halvings} enc_downsample_channels"
                )
        dilations = self.enc_non_bottleneck_dilations
        if self.enc_stage_non_bottlenecks[-1] % len(dilations):
            raise FieldError(
                f"enc_stage_non_bottlenecks is {self.enc_stage_non_bottlenecks}, whose "
                f"last entry {len(dilations)} must divide, the number of "
                "enc_non_bottleneck_dilations"
            )
        channels = (self.in_channels, *self.enc_downsample_channels)
        if list(channels) != sorted(set(channels)):
            raise FieldError(
                f"enc_downsample_channels is {channels[1:]}, allowed: each larger than "
                f"the one before, and the first than in_channels, {channels[0]}"
            )

    @nn.compact
    def __call__(self, x, train: bool):
        """(N, H, W, C) -> one map, (N, 4 * ceil(H / 8), 4 * ceil(W / 8), channels).

        With three enc_downsample_channels, which are as many halvings; there is one
        doubling less.
        """
        for k, make in enumerate(self._encoder()):
            x = make(name=f"encoder.{k}")(x, train)
        for k, make in enumerate(self._decoder()):
            x = make(name=f"decoder.{k}")(x, train)
        return (x,)

    def _encoder(self):
        """The blocks in a row, without their names."""
        first, *others = self.enc_downsample_channels
        yield functools.partial(_DownsamplerBlock, first)
        for row, count in enumerate(self.enc_stage_non_bottlenecks):
            yield functools.partial(_DownsamplerBlock, others[row])
            is_last = row == len(others) - 1
            dilations = self.enc_non_bottleneck_dilations if is_last else (1,)
            for k in range(count):
                yield functools.partial(
                    _NonBottleneck1d, dilations[k % len(dilations)], self.dropout_ratio
                )

    def _decoder(self):
        channels = self.dec_non_bottleneck_channels
        for features, count in zip(
            channels, self.dec_stages_non_bottleneck, strict=True
        ):
            yield functools.partial(_UpsamplerBlock, features)
            for _ in range(count):
                yield _NonBottleneck1d
