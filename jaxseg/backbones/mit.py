"""Mix Transformer, the backbone of SegFormer: https://arxiv.org/abs/2105.15203."""

import math

import flax.linen as nn
import numpy as np

from jaxseg.backbones.backbone import Backbone
from jaxseg.errors import FieldError
from jaxseg.layers.activation import GELU, Act
from jaxseg.layers.conv import Conv2d, kaiming_normal
from jaxseg.layers.dropout import Dropout, DropPath
from jaxseg.layers.embed import PatchEmbed
from jaxseg.layers.norm import LN, Norm
from jaxseg.layers.remat import remat_if
from jaxseg.layers.transformer import EfficientMultiheadAttention, dropout_rates
from jaxseg.weights.join_weights import join_projections
from jaxseg.weights.key_table import KeyTable


def _convert(weights, part):
    """The authors' linear layers as mmseg's 1x1 convolutions, q and kv as one weight."""
    del part
    return {
        key: array.reshape(*array.shape, 1, 1)
        if key.endswith((".ffn.layers.0.weight", ".ffn.layers.4.weight"))
        and np.ndim(array) == 2
        else array
        for key, array in join_projections(weights).items()
    }


# The authors' names: https://github.com/NVlabs/SegFormer. They count stages from 1.
_KEY_TABLE = KeyTable(
    renames=(
        *(
            (rf"^{theirs}{stage + 1}\.", f"layers.{stage}.{ours}.")
            for stage in range(4)
            for theirs, ours in (("patch_embed", 0), ("block", 1), ("norm", 2))
        ),
        (r"^(layers\.\d+\.0)\.proj\.", r"\1.projection."),
        (r"\.attn\.proj\.", ".attn.attn.out_proj."),
        (r"\.mlp\.fc1\.", ".ffn.layers.0."),
        (r"\.mlp\.dwconv\.dwconv\.", ".ffn.layers.1."),
        (r"\.mlp\.fc2\.", ".ffn.layers.4."),
    ),
    unused=("head.",),
    convert=_convert,
)


class _MixFFN(nn.Module):
    """An FFN whose depthwise convolution tells the pixels where they are."""

    feedforward_channels: int
    act_cfg: Act
    ffn_drop: float
    drop_path: float

    @nn.compact
    def __call__(self, x, identity, train: bool):
        hidden = self.feedforward_channels
        y = Conv2d(hidden, name="layers.0")(x)
        y = Conv2d(
            hidden,
            3,
            padding=1,
            groups=hidden,
            # Nine outputs see an input.
            kernel_init=nn.initializers.normal(math.sqrt(2 / 9)),
            name="layers.1",
        )(y)
        y = self.act_cfg(name="layers.2")(y)
        y = Dropout(self.ffn_drop, name="layers.3")(y, train)
        y = Conv2d(x.shape[-1], name="layers.4")(y)
        y = Dropout(self.ffn_drop, name="layers.5")(y, train)
        return identity + DropPath(self.drop_path, name="dropout_layer")(y, train)


class _EncoderLayer(nn.Module):
    num_heads: int
    feedforward_channels: int
    sr_ratio: int
    drop_rate: float
    attn_drop_rate: float
    drop_path_rate: float
    qkv_bias: bool
    norm_cfg: Norm
    act_cfg: Act

    @nn.compact
    def __call__(self, x, train: bool):
        y = self.norm_cfg(name="norm1")(x, train)
        x = EfficientMultiheadAttention(
            self.num_heads,
            bias=self.qkv_bias,
            attn_drop=self.attn_drop_rate,
            proj_drop=self.drop_rate,
            drop_path=self.drop_path_rate,
            sr_ratio=self.sr_ratio,
            norm_cfg=self.norm_cfg,
            name="attn",
        )(y, x, train)
        y = self.norm_cfg(name="norm2")(x, train)
        return _MixFFN(
            self.feedforward_channels,
            self.act_cfg,
            self.drop_rate,
            self.drop_path_rate,
            name="ffn",
        )(y, x, train)


class MixVisionTransformer(Backbone):
    """MiT-B0 to B5.

    Attributes:
        embed_dims: channels of one attention head; a stage has num_heads times as many.
        num_stages: number of stages, the length of the lists below.
        num_layers: number of blocks of each stage.
        num_heads: attention heads of each stage.
        patch_sizes: side of the patches that each stage makes of the map before.
        strides: distance between these patches.
        sr_ratios: how many pixels a key of a stage's attention stands for, along
            either axis.
        out_indices: the stages that are returned.
        mlp_ratio: width of the FFN over that of the stage.
        qkv_bias: whether q, k, v and the projection after them have a bias.
        drop_rate, attn_drop_rate, drop_path_rate: the rates of the tokens and
            projections, the attention probabilities, and the last block's stochastic
            depth.
        act_cfg, norm_cfg: flavours of the layers.
        with_cp: compute a block's activations again in the backward pass.
    """

    embed_dims: int = 64
    num_stages: int = 4
    num_layers: tuple[int, ...] = (3, 4, 6, 3)
    num_heads: tuple[int, ...] = (1, 2, 4, 8)
    patch_sizes: tuple[int, ...] = (7, 3, 3, 3)
    strides: tuple[int, ...] = (4, 2, 2, 2)
    sr_ratios: tuple[int, ...] = (8, 4, 2, 1)
    out_indices: tuple[int, ...] = (0, 1, 2, 3)
    mlp_ratio: int = 4
    qkv_bias: bool = True
    drop_rate: float = 0.0
    attn_drop_rate: float = 0.0
    drop_path_rate: float = 0.0
    act_cfg: Act = GELU()
    norm_cfg: Norm = LN(eps=1e-6)
    with_cp: bool = False

    takes_padding = True
    takes_bands = True

    key_table = _KEY_TABLE

    def __post_init__(self):
        names = ("num_layers", "num_heads", "patch_sizes", "strides", "sr_ratios")
        for name in names:
            if len(getattr(self, name)) != self.num_stages:
                raise FieldError(
                    f"{name} is {getattr(self, name)}: it needs one number for each of "
                    f"num_stages={self.num_stages} stages"
                )
        if not set(self.out_indices) <= set(range(self.num_stages)):
            raise FieldError(
                f"out_indices is {self.out_indices}, allowed: 0 to "
                f"{self.num_stages - 1}, the stages"
            )
        super().__post_init__()

    @nn.compact
    def __call__(self, x, train: bool):
        """(N, H, W, in_channels) -> a map (N, h, w, embed_dims * num_heads) a stage."""
        rates = iter(dropout_rates(self.drop_path_rate, sum(self.num_layers)))
        outs = []
        for stage, depth in enumerate(self.num_layers):
            width = self.embed_dims * self.num_heads[stage]
            x = PatchEmbed(
                width,
                self.patch_sizes[stage],
                self.strides[stage],
                self.patch_sizes[stage] // 2,
                norm_cfg=self.norm_cfg,
                kernel_init=kaiming_normal,
                name=f"layers.{stage}.0",
            )(x, train)
            for block in range(depth):
                x = remat_if(_EncoderLayer, self.with_cp)(
                    self.num_heads[stage],
                    self.mlp_ratio * width,
                    self.sr_ratios[stage],
                    self.drop_rate,
                    self.attn_drop_rate,
                    next(rates),
                    self.qkv_bias,
                    self.norm_cfg,
                    self.act_cfg,
                    name=f"layers.{stage}.1.{block}",
                )(x, train)
            x = self.norm_cfg(name=f"layers.{stage}.2")(x, train)
            if stage in self.out_indices:
                outs.append(x)
        return tuple(outs)
