"""CGNet: https://arxiv.org/abs/1811.08201."""

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxseg.backbones.backbone import Backbone
from jaxseg.errors import FieldError
from jaxseg.layers.activation import Act, PReLU
from jaxseg.layers.conv import Conv2d, ConvModule, kaiming_normal
from jaxseg.layers.norm import BN, Norm
from jaxseg.layers.remat import remat_if
from jaxseg.layers.transformer import Linear
from jaxseg.ops.context import global_mean
from jaxseg.ops.narrow import spread
from jaxseg.ops.pool import window_mean
from jaxseg.weights.key_table import KeyTable, Renames


def _prelu(channels):
    """A slope a channel; all of them start as 0, and so as ReLU."""
    return PReLU(channels, init=0.0)


def _of_channels(act_cfg, channels):
    """An activation for maps of so many channels."""
    return _prelu(channels) if isinstance(act_cfg, PReLU) else act_cfg


class _GlobalContextExtractor(nn.Module):
    """Scales each channel by what two layers make of all channels' means.

    Attributes:
        reduction: the channels over those between the two layers.
    """

    reduction: int

    @nn.compact
    def __call__(self, x):
        """(N, H, W, C) -> (N, H, W, C)."""
        channels = x.shape[-1]
        if not 1 <= self.reduction <= channels:
            raise FieldError(
                f"reductions has {self.reduction} where the blocks have {channels} "
                f"channels, allowed: 1 to {channels}"
            )
        y = self._linear(channels // self.reduction, "fc.0")(global_mean(x))
        scales = jax.nn.sigmoid(self._linear(channels, "fc.2")(jax.nn.relu(y)))
        return x * spread(scales, x)

    def _linear(self, features, name):
        return Linear(features, kernel_init=kaiming_normal, name=name)


class _ContextGuidedBlock(nn.Module):
    """Joins a 3x3 and a dilated 3x3 depthwise convolution; scales by global context.

    Attributes:
        features: channels of the result.
        dilation: dilation of the second convolution.
        reduction: as of `_GlobalContextExtractor`.
        downsample: halve the map, in place of a residual connection.
        norm_cfg, act_cfg: flavours of the layers; behind the two convolutions there is
            always a PReLU.
    """

    features: int
    dilation: int
    reduction: int
    downsample: bool
    norm_cfg: Norm
    act_cfg: Act

    @nn.compact
    def __call__(self, x, train: bool):
        """(N, H, W, C) -> (N, h, w, features)."""
        width = self.features if self.downsample else self.features // 2
        side, stride = (3, 2) if self.downsample else (1, 1)
        y = ConvModule(
            width,
            side,
            stride,
            side // 2,
            norm_cfg=self.norm_cfg,
            act_cfg=_of_channels(self.act_cfg, width),
            name="conv1x1",
        )(x, train)
        pair = [self._around("f_loc", y, 1), self._around("f_sur", y, self.dilation)]
        y = self.norm_cfg(name="bn")(jnp.concatenate(pair, axis=-1), train)
        y = _prelu(2 * width)(name="activate")(y)
        if self.downsample:
            y = Conv2d(self.features, bias=False, name="bottleneck")(y)
        y = _GlobalContextExtractor(self.reduction, name="f_glo")(y)
        return y if self.downsample else x + y

    def _around(self, name, x, dilation):
        c = x.shape[-1]
        return Conv2d(c, 3, 1, dilation, dilation, c, bias=False, name=name)(x)


def _authors_renames(num_blocks: tuple[int, int]) -> Renames:
    """Of the keys of https://github.com/wutianyiRosun/CGNet."""
    # Their first level is our stem, and the first block of a level stands beside the
    # list of the others: their level2.0 is our level1.1.
    blocks = tuple(
        (rf"^level{row + 1}\.{k}\.", f"level{row}.{k + 1}.")
        for row in (1, 2)
        for k in range(num_blocks[row - 1] - 1)
    )
    return (
        *blocks,
        (r"^level1_(\d)\.", r"stem.\1."),
        (r"^level2_0\.", "level1.0."),
        (r"^level3_0\.", "level2.0."),
        (r"^b1\.", "norm_prelu_0."),
        (r"^bn_prelu_2\.", "norm_prelu_1."),
        (r"^bn_prelu_3\.", "norm_prelu_2."),
        (r"^(norm_prelu_\d)\.bn\.", r"\1.0."),
        (r"^(norm_prelu_\d)\.act\.", r"\1.1."),
        (r"\.bn_prelu\.", "."),
        (r"\.act\.", ".activate."),
        (r"\.F_(loc|sur)\.conv\.", r".f_\1."),
        (r"\.F_glo\.", ".f_glo."),
        (r"\.reduce\.conv\.", ".bottleneck."),
    )


class CGNet(Backbone):
    """A stem to 1/2 and two rows of context-guided blocks, to 1/4 and 1/8.

    Attributes:
        num_channels: channels of the stem and of the two rows.
        num_blocks: blocks of the two rows.
        dilations: dilation of their blocks' second convolutions.
        reductions: how many times fewer channels there are between the two layers of
            the global context in a block.
        norm_cfg, act_cfg: flavours of the layers. A PReLU has a slope a channel, which
            starts as 0, whatever the entry says.
        norm_eval: norms use and keep their running statistics in training.
        with_cp: compute a block's activations again in the backward pass.
    """

    num_channels: tuple[int, int, int] = (32, 64, 128)
    num_blocks: tuple[int, int] = (3, 21)
    dilations: tuple[int, int] = (2, 4)
    reductions: tuple[int, int] = (8, 16)
    norm_cfg: Norm = BN()
    act_cfg: Act = PReLU()
    norm_eval: bool = False
    with_cp: bool = False

    takes_padding = True
    takes_bands = True

    def __post_init__(self):
        if min(self.num_blocks) < 1:
            raise FieldError(f"num_blocks is {self.num_blocks}, allowed: 1 or more")
        super().__post_init__()

    @property
    def key_table(self) -> KeyTable:
        return KeyTable(
            layouts={"level1_0.conv.weight": _authors_renames(self.num_blocks)},
            unused=("classifier.",),
        )

    @nn.compact
    def __call__(self, x, train: bool):
        """(N, H, W, C) -> maps at 1/2, 1/4 and 1/8.

        Their channels are c0 + C, 2 * c1 + C and 2 * c2 of num_channels (c0, c1, c2).
        """
        train = train and not self.norm_eval
        half = window_mean(x, 3, 2, 1)
        quarter = window_mean(half, 3, 2, 1)
        channels = self.num_channels[0]
        for k in range(3):
            x = ConvModule(
                channels,
                3,
                2 if k == 0 else 1,
                1,
                norm_cfg=self.norm_cfg,
                act_cfg=_of_channels(self.act_cfg, channels),
                name=f"stem.{k}",
            )(x, train)
        first = self._join(0, [x, half], train)
        down, x = self._row(1, first, train)
        second = self._join(1, [x, down, quarter], train)
        down, x = self._row(2, second, train)
        return first, second, self._join(2, [down, x], train)

    def _row(self, row, x, train):
        """What the first block gives, and the last one."""
        down = None
        for k in range(self.num_blocks[row - 1]):
            x = remat_if(_ContextGuidedBlock, self.with_cp)(
                self.num_channels[row],
                self.dilations[row - 1],
                self.reductions[row - 1],
                k == 0,
                self.norm_cfg,
                self.act_cfg,
                name=f"level{row}.{k}",
            )(x, train)
            down = x if k == 0 else down
        return down, x

    def _join(self, k, maps, train):
        x = jnp.concatenate(maps, axis=-1)
        x = self.norm_cfg(name=f"norm_prelu_{k}.0")(x, train)
        return _prelu(x.shape[-1])(name=f"norm_prelu_{k}.1")(x)
