"""Convolutional attention: what the backbones VAN and MSCAN share."""

from typing import Any, ClassVar

import flax.linen as nn
import jax

from jaxseg.backbones.backbone import Backbone
from jaxseg.errors import FieldError
from jaxseg.layers.conv import Conv2d
from jaxseg.layers.conv_attention import ConvAttentionBlock
from jaxseg.layers.norm import LN, Norm, SyncBN
from jaxseg.layers.transformer import dropout_rates
from jaxseg.weights.key_table import KeyTable


class ConvAttentionBackbone(Backbone, kw_only=True):
    """Stages of convolutional attention from 1/4 to 1/32.

    Attributes:
        embed_dims: channels of each stage.
        mlp_ratios: channels of each stage's MLPs over embed_dims.
        drop_rate: dropout rate of the MLPs.
        drop_path_rate: of the last block; it grows linearly from 0.
        depths: blocks of each stage.
        num_stages: number of stages; lists that are longer are used as far.
        norm_cfg: norm of the blocks and of the embeddings.
    """

    embed_dims: tuple[int, ...] = (64, 128, 256, 512)
    mlp_ratios: tuple[float, ...] = (4, 4, 4, 4)
    drop_rate: float = 0.0
    drop_path_rate: float = 0.0
    depths: tuple[int, ...] = (3, 4, 6, 3)
    num_stages: int = 4
    norm_cfg: Norm = SyncBN()

    stage_norm_eps: ClassVar[float] = 1e-5

    key_table = KeyTable(
        # The authors' depthwise convolution is a module in a module.
        renames=((r"\.dwconv\.dwconv\.", ".dwconv."),),
        unused=("head.",),
    )

    def __post_init__(self):
        for name in ("embed_dims", "mlp_ratios", "depths"):
            if len(getattr(self, name)) < self.num_stages:
                raise FieldError(
                    f"{name}: has {len(getattr(self, name))} entries; num_stages="
                    f"{self.num_stages} takes {self.num_stages}"
                )
        super().__post_init__()

    @nn.compact
    def __call__(self, x, train: bool):
        """(N, H, W, in_channels) -> the stages, (N, h, w, embed_dims[i]) each."""
        rates = iter(dropout_rates(self.drop_path_rate, sum(self.depths)))
        outs = []
        for i in range(self.num_stages):
            x = self.embed(i, x, train)
            for j in range(self.depths[i]):
                x = ConvAttentionBlock(
                    hidden=int(self.embed_dims[i] * self.mlp_ratios[i]),
                    drop_rate=self.drop_rate,
                    drop_path_rate=next(rates),
                    norm_cfg=self.norm_cfg,
                    **self.block_fields(),
                    name=f"block{i + 1}.{j}",
                )(x, train)
            x = LN(self.stage_norm_eps)(name=f"norm{i + 1}")(x, train)
            outs.append(x)
        return tuple(outs)

    def embed(self, stage: int, x: jax.Array, train: bool) -> jax.Array:
        """What goes into a stage: overlapping patches of the map before."""
        side, stride = (7, 4) if stage == 0 else (3, 2)
        name, width = f"patch_embed{stage + 1}", self.embed_dims[stage]
        x = Conv2d(width, side, stride, side // 2, name=f"{name}.proj")(x)
        return self.norm_cfg(name=f"{name}.norm")(x, train)

    def block_fields(self) -> dict[str, Any]:
        """The fields of a `ConvAttentionBlock` in which the families differ."""
        raise NotImplementedError
