"""ANNNet, Asymmetric Non-local Neural Networks: https://arxiv.org/abs/1908.07678."""

import re

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxseg.errors import FieldError
from jaxseg.heads.decode_head import BaseDecodeHead
from jaxseg.layers.activation import Act
from jaxseg.layers.conv import ConvModule
from jaxseg.layers.dropout import Dropout2d
from jaxseg.layers.norm import Norm
from jaxseg.layers.self_attention_block import SelfAttentionBlock
from jaxseg.ops.context import pyramid_pixels
from jaxseg.weights.key_table import KeyTable, Weights

_SHARED = re.compile(r"(context\.stages\.\d+)\.(key|query)_project\.(.*)")


def _shared_once(weights: Weights, part: "ANNHead") -> Weights:
    """The projection that keys and queries share, which mmseg's files have twice.

    torch loads the queries' copy last.
    """
    del part
    result = dict(weights)
    for key in weights:
        match = _SHARED.fullmatch(key)
        if match and match[2] == "query":
            result[f"{match[1]}.key_project.{match[3]}"] = result.pop(key)
    return result


def _shared_twice(weights: Weights, part: "ANNHead") -> Weights:
    del part
    matches = filter(None, map(_SHARED.fullmatch, weights))
    copies = {f"{m[1]}.query_project.{m[3]}": weights[m[0]] for m in matches}
    return {**weights, **copies}


class _PyramidAttentionBlock(SelfAttentionBlock):
    """Attention to a few means of the keys' map, and not to its pixels.

    Attributes:
        key_pool_scales: sides of the maps of means.
    """

    key_pool_scales: tuple[int, ...]

    @nn.compact
    def __call__(self, query_feats, key_feats, train: bool):
        return self.attend(query_feats, key_feats, train)

    def downsample_keys(self, x: jax.Array) -> jax.Array:
        return pyramid_pixels(x, self.key_pool_scales)


class _NonLocalBlock(nn.Module):
    """Asymmetric non-local block: what attention gives, joined to the queries' map.

    Attributes:
        channels: channels of keys and queries.
        context_channels: channels of what attention gives.
        share_key_query: one projection for keys and queries, of one map (mmseg's APNB;
            without it, its AFNB).
        stages: number of attentions, which are added.
        key_pool_scales: those of each attention.
        norm_cfg, act_cfg: flavours of the attentions' layers.
        out_act_cfg: the activation of the last convolution.
    """

    channels: int
    context_channels: int
    share_key_query: bool
    stages: int
    key_pool_scales: tuple[int, ...]
    norm_cfg: Norm | None
    act_cfg: Act | None
    out_act_cfg: Act | None

    @nn.compact
    def __call__(self, query_feats, key_feats, train: bool):
        context = sum(
            _PyramidAttentionBlock(
                channels=self.channels,
                out_channels=self.context_channels,
                share_key_query=self.share_key_query,
                key_query_num_convs=1,
                value_out_num_convs=1,
                key_query_norm=True,
                value_out_norm=False,
                matmul_norm=True,
                with_out=True,
                norm_cfg=self.norm_cfg,
                act_cfg=self.act_cfg,
                key_pool_scales=self.key_pool_scales,
                name=f"stages.{i}",
            )(query_feats, key_feats, train)
            for i in range(self.stages)
        )
        flavours = {"norm_cfg": self.norm_cfg, "act_cfg": self.out_act_cfg}
        bottleneck = ConvModule(self.context_channels, 1, **flavours, name="bottleneck")
        return bottleneck(jnp.concatenate([context, query_feats], axis=-1), train)


class ANNHead(BaseDecodeHead, kw_only=True):
    """Two non-local blocks: of the last map with the one before, and with itself.

    Attributes:
        project_channels: channels of keys and queries.
        query_scales: (1, ...), one attention an entry in each block. By another number
            mmseg divides the queries' map, and fails where it joins the two.
        key_pool_scales: sides of the maps of means that stand for the keys.
    """

    input_transform: str = "multiple_select"
    project_channels: int
    query_scales: tuple[int, ...] = (1,)
    key_pool_scales: tuple[int, ...] = (1, 3, 6, 8)

    takes_padding = True
    takes_bands = True

    key_table = KeyTable(convert=_shared_once, convert_back=_shared_twice)

    def __post_init__(self):
        super().__post_init__()
        if len(self.in_channels) != 2:
            raise FieldError(
                f"in_channels is {self.in_channels}, allowed: two, of the map with the "
                "keys and of the last one"
            )
        if set(self.query_scales) != {1}:
            raise FieldError(
                f"query_scales: is {self.query_scales}, allowed: [1], several times 1"
            )

    @nn.compact
    def __call__(self, inputs, train: bool):
        low, high = self.transform_inputs(inputs)
        x = self._block("fusion", high.shape[-1], False, None)(high, low, train)
        x = Dropout2d(self.dropout_ratio, name="fusion_dropout")(x, train)
        x = self.conv_module(self.channels, 3, "bottleneck")(x, train)
        x = self._block("context", self.channels, True, self.act_cfg)(x, x, train)
        return self.cls_seg(x, train)

    def _block(self, name, channels, share_key_query, out_act_cfg):
        return _NonLocalBlock(
            channels=self.project_channels,
            context_channels=channels,
            share_key_query=share_key_query,
            stages=len(self.query_scales),
            key_pool_scales=self.key_pool_scales,
            norm_cfg=self.norm_cfg,
            act_cfg=self.act_cfg,
            out_act_cfg=out_act_cfg,
            name=name,
        )
