"""DRN, Dilated Residual Networks: https://arxiv.org/abs/1705.09914."""

from typing import ClassVar

import flax.linen as nn
import jax

from jaxseg.backbones.backbone import Backbone
from jaxseg.errors import FieldError
from jaxseg.layers.conv import Conv2d
from jaxseg.layers.norm import BN, Norm
from jaxseg.layers.remat import remat_if
from jaxseg.layers.res_layer import ResBasicBlock, ResBottleneck
from jaxseg.weights.key_table import KeyTable

_STRIDES = (1, 2, 2, 2, 1, 1, 1, 1)
_DILATIONS = (1, 1, 1, 1, 2, 4, 2, 1)
# The layers that make the image small, and those that take the grid of dilation away.
_PLAIN = (1, 2, 7, 8)


class _BlockWithoutShortcut(ResBasicBlock):
    """A basic block to whose result its input is not added."""

    @nn.compact
    def __call__(self, x, train: bool):
        return jax.nn.relu(self.residual(x, train))


class _PlainBlocks(nn.Module):
    """Convolutions, norms and ReLUs; items numbered as in the original repository."""

    channels: int
    count: int
    side: int
    stride: int
    dilation: int
    norm_cfg: Norm

    @nn.compact
    def __call__(self, x, train: bool):
        for i in range(self.count):
            x = Conv2d(
                self.channels,
                self.side,
                1 if i else self.stride,
                self.side // 2 * self.dilation,
                self.dilation,
                bias=False,
                name=str(3 * i),
            )(x)
            x = jax.nn.relu(self.norm_cfg(name=str(3 * i + 1))(x, train))
        return x


class DRN(Backbone, kw_only=True):
    """Eight layers at 1/8, the dilated ones in the middle.

    In DRN-D the first two and the last two are plain convolutions; in DRN-C they are
    residual blocks, the last two without their shortcuts.
    https://github.com/fyu/drn

    Attributes:
        arch: `C` or `D`.
        depth: 26, 42 or 58 of C; 22, 24, 38, 40, 54 or 105 of D.
        channels: `planes` of each layer.
        norm_cfg: norm of every layer.
        norm_eval: norms use and keep their running statistics in training.
        with_cp: compute a block's activations again in the backward pass.
        depths: of each architecture and depth the kind of block and the number of
            blocks of each layer.
    """

    arch: str = "D"
    depth: int = 54
    channels: tuple[int, ...] = (16, 32, 64, 128, 256, 512, 512, 512)
    norm_cfg: Norm = BN()
    norm_eval: bool = False
    with_cp: bool = False

    takes_padding = True
    takes_bands = True

    # The classifier, and a projection that nothing is added to.
    key_table = KeyTable(unused=("fc.", "layer7.0.downsample."))
    depths: ClassVar = {
        "C": {
            26: (ResBasicBlock, (1, 1, 2, 2, 2, 2, 1, 1)),
            42: (ResBasicBlock, (1, 1, 3, 4, 6, 3, 1, 1)),
            58: (ResBottleneck, (1, 1, 3, 4, 6, 3, 1, 1)),
        },
        "D": {
            22: (ResBasicBlock, (1, 1, 2, 2, 2, 2, 1, 1)),
            24: (ResBasicBlock, (1, 1, 2, 2, 2, 2, 2, 2)),
            38: (ResBasicBlock, (1, 1, 3, 4, 6, 3, 1, 1)),
            40: (ResBasicBlock, (1, 1, 3, 4, 6, 3, 2, 2)),
            54: (ResBottleneck, (1, 1, 3, 4, 6, 3, 1, 1)),
            105: (ResBottleneck, (1, 1, 3, 4, 23, 3, 1, 1)),
        },
    }

    def __post_init__(self):
        if self.arch not in self.depths:
            raise FieldError(f"arch is {self.arch!r}, allowed: C, D")
        depths = self.depths[self.arch]
        if self.depth not in depths:
            raise FieldError(
                f"depth is {self.depth}, allowed with arch={self.arch!r}: "
                f"{', '.join(map(str, depths))}"
            )
        if len(self.channels) != len(_STRIDES):
            raise FieldError(
                f"channels is {self.channels}, allowed: {len(_STRIDES)} numbers"
            )
        super().__post_init__()

    @nn.compact
    def __call__(self, x, train: bool):
        """(N, H, W, in_channels) -> the maps of layers 3 and 8.

        They are (N, H/4, W/4, channels[2]) and (N, H/8, W/8, channels[7]); the first
        has four times the channels where the blocks are bottlenecks.
        """
        train = train and not self.norm_eval
        x = self._stem(x, train)
        low = None
        for number in range(1, len(_STRIDES) + 1):
            x = self._layer(number, x, train)
            low = x if number == 3 else low
        return low, x

    def _stem(self, x, train):
        channels = self.channels[0]
        if self.arch == "D":
            return _PlainBlocks(channels, 1, 7, 1, 1, self.norm_cfg, name="layer0")(
                x, train
            )
        x = Conv2d(channels, 7, padding=3, bias=False, name="conv1")(x)
        return jax.nn.relu(self.norm_cfg(name=f"{self.norm_cfg.abbr}1")(x, train))

    def _layer(self, number, x, train):
        block, counts = self.depths[self.arch][self.depth]
        channels, count = self.channels[number - 1], counts[number - 1]
        stride, dilation = _STRIDES[number - 1], _DILATIONS[number - 1]
        name = f"layer{number}"
        if number in _PLAIN and self.arch == "D":
            return _PlainBlocks(
                channels, count, 3, stride, dilation, self.norm_cfg, name=name
            )(x, train)
        if number in _PLAIN:
            block = ResBasicBlock if number < 3 else _BlockWithoutShortcut
        for i in range(count):
            x = remat_if(block, self.with_cp)(
                channels,
                1 if i else stride,
                dilation,
                norm_cfg=self.norm_cfg,
                last_dilation=dilation,
                name=f"{name}.{i}",
            )(x, train)
        return x
