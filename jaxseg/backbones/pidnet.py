"""PIDNet: https://arxiv.org/abs/2206.02066."""

import flax.linen as nn
import jax

from jaxseg.backbones.backbone import Backbone
from jaxseg.layers.activation import Act, ReLU
from jaxseg.layers.basic_block import (
    BasicBlock,
    Bottleneck,
    row_of_blocks,
    shortcut_norm,
)
from jaxseg.layers.conv import ConvModule
from jaxseg.layers.dappm import DAPPM, PAPPM
from jaxseg.layers.norm import BN, Norm
from jaxseg.ops.narrow import spread
from jaxseg.ops.resize import resize


class PIDNet(Backbone, kw_only=True):
    """Three branches: P for detail, I for context, D for boundaries.

    Attributes:
        channels: channels of the stem.
        ppm_channels: channels of a scale of the pooling pyramid.
        num_stem_blocks: blocks of the stem and of the P branch; with 2 it is PIDNet-S
            or -M, with 3 PIDNet-L.
        num_branch_blocks: blocks of the I branch.
        align_corners: `align_corners` of the resizes between the branches.
        norm_cfg, act_cfg: flavours of the layers. As in mmseg, the blocks, the fusions
            and the pyramid have plain batch norm.
    """

    channels: int = 64
    ppm_channels: int = 96
    num_stem_blocks: int = 2
    num_branch_blocks: int = 3
    align_corners: bool = False
    norm_cfg: Norm = BN()
    act_cfg: Act = ReLU()

    takes_padding = True

    @nn.compact
    def __call__(self, x, train: bool):
        """(N, H, W, C) -> what P gives after its first fusion, the sum of all, and D.

        Their channels are 2, 4 and 2 times `channels` (D of the small model: 2), their
        size is (ceil(H / 8), ceil(W / 8)). The first and the last are for the
        losses.
        """
        c, relu = self.channels, jax.nn.relu
        i = p = d = self._stem(x, train)  # (N, H/8, W/8, 2c)

        i = relu(self._layer("i_branch_layers.0", BasicBlock, i, 4 * c, train, 2))
        p = self._layer("p_branch_layers.0", BasicBlock, p, 2 * c, train)
        d = self._boundary(0, d, train)
        p = _PagFM(c, name="pag_1")(
            p, self._conv("compression_1", i, 2 * c, 1, train), train
        )
        d = d + self._like(self._conv("diff_1", i, d.shape[-1], 3, train), d)
        detail = p

        i = relu(self._layer("i_branch_layers.1", BasicBlock, i, 8 * c, train, 2))
        p = self._layer("p_branch_layers.1", BasicBlock, relu(p), 2 * c, train)
        d = self._boundary(1, relu(d), train)
        p = _PagFM(c, name="pag_2")(
            p, self._conv("compression_2", i, 2 * c, 1, train), train
        )
        d = d + self._like(self._conv("diff_2", i, 2 * c, 3, train), d)
        boundary = d

        i = self._layer("i_branch_layers.2", Bottleneck, i, 8 * c, train, 2)
        p = self._layer("p_branch_layers.2", Bottleneck, relu(p), 2 * c, train)
        d = self._layer("d_branch_layers.2", Bottleneck, relu(d), 2 * c, train)
        pyramid = PAPPM if self._is_light else DAPPM
        i = pyramid(self.ppm_channels, 4 * c, name="spp")(i, train)
        fusion = _LightBag if self._is_light else _Bag
        fuse = fusion(4 * c, self.norm_cfg, self.act_cfg, name="dfm")
        return detail, fuse(p, self._like(i, d), d, train), boundary

    @property
    def _is_light(self):
        return self.num_stem_blocks == 2

    def _stem(self, x, train):
        c = self.channels
        for k in range(2):
            x = ConvModule(
                c,
                3,
                2,
                padding=1,
                norm_cfg=self.norm_cfg,
                act_cfg=self.act_cfg,
                name=f"stem.{k}",
            )(x, train)
        # Items 3 and 5 are ReLUs.
        x = jax.nn.relu(self._layer("stem.2", BasicBlock, x, c, train))
        return jax.nn.relu(self._layer("stem.4", BasicBlock, x, 2 * c, train, 2))

    def _boundary(self, k, d, train):
        """The D branch's layer k: 0 or 1."""
        name, c = f"d_branch_layers.{k}", self.channels
        if self._is_light and k == 1:
            return self._layer(name, Bottleneck, d, c, train)
        features = c if self._is_light else 2 * c
        return BasicBlock(
            features,
            downsample_norm=shortcut_norm(BasicBlock, d, features, 1, self.norm_cfg),
            has_last_act=False,
            name=name,
        )(d, train)

    def _layer(self, name, block, x, features, train, stride=1):
        return row_of_blocks(
            name,
            block,
            x,
            features,
            train,
            count=self._blocks(name, block),
            stride=stride,
            downsample_norm=self.norm_cfg,
        )

    def _blocks(self, name, block):
        if name.startswith("i_"):
            return self.num_branch_blocks if block is BasicBlock else 2
        return self.num_stem_blocks if block is BasicBlock else 1

    def _conv(self, name, x, features, side, train):
        return ConvModule(
            features, side, padding=side // 2, norm_cfg=self.norm_cfg, name=name
        )(x, train)

    def _like(self, x, target):
        return resize(x, target.shape[1:3], align_corners=self.align_corners)


class _PagFM(nn.Module):
    """Pixel-attention-guided fusion: takes of each pixel what agrees with P."""

    channels: int

    @nn.compact
    def __call__(self, p, i, train: bool):
        """(N, h, w, C) and a coarser (N, h', w', C) -> (N, h, w, C)."""
        key = ConvModule(self.channels, 1, norm_cfg=BN(), name="f_i")(i, train)
        query = ConvModule(self.channels, 1, norm_cfg=BN(), name="f_p")(p, train)
        size = p.shape[1:3]
        agreement = (query * resize(key, size)).sum(-1, keepdims=True)
        sigma = spread(jax.nn.sigmoid(agreement), p)
        return sigma * resize(i, size) + (1 - sigma) * p


class _Bag(nn.Module):
    """Boundary-attention-guided fusion: P at boundaries, I elsewhere."""

    channels: int
    norm_cfg: Norm
    act_cfg: Act

    @nn.compact
    def __call__(self, p, i, d, train: bool):
        """Three maps (N, h, w, C) -> (N, h, w, channels)."""
        sigma = jax.nn.sigmoid(d)
        return ConvModule(
            self.channels,
            3,
            padding=1,
            norm_cfg=self.norm_cfg,
            act_cfg=self.act_cfg,
            order=("norm", "act", "conv"),
            name="conv",
        )(sigma * p + (1 - sigma) * i, train)


class _LightBag(_Bag):
    """The same with two 1x1 convolutions."""

    @nn.compact
    def __call__(self, p, i, d, train: bool):
        sigma = jax.nn.sigmoid(d)
        conv_p = ConvModule(self.channels, 1, norm_cfg=self.norm_cfg, name="f_p")
        conv_i = ConvModule(self.channels, 1, norm_cfg=self.norm_cfg, name="f_i")
        return conv_p((1 - sigma) * i + p, train) + conv_i(i + sigma * p, train)
