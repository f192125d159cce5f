"""GCNet, Non-local Networks Meet Squeeze-Excitation: https://arxiv.org/abs/1904.11492."""

from jaxseg.heads.context_fcn_head import BaseContextFCNHead
from jaxseg.layers.context_block import (
    ContextBlock,
    FusionType,
    PoolingType,
    check_fusion_types,
)


class GCHead(BaseContextFCNHead, kw_only=True):
    """A block of global context between two convolutions.

    Attributes:
        ratio, pooling_type, fusion_types: those of the block (`ContextBlock`).
    """

    ratio: float = 1 / 4
    pooling_type: PoolingType = "att"
    fusion_types: tuple[FusionType, ...] = ("channel_add",)

    takes_padding = True
    takes_bands = True

    def __post_init__(self):
        check_fusion_types(self.fusion_types)
        super().__post_init__()

    def context(self, x, train):
        block = ContextBlock(
            ratio=self.ratio,
            pooling_type=self.pooling_type,
            fusion_types=self.fusion_types,
            name="gc_block",
        )
        return block(x, train)
