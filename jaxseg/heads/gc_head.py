"""GCNet, Non-local Networks Meet Squeeze-Excitation: https://arxiv.org/abs/1904.11492."""

from jaxseg.errors import FieldError
from jaxseg.heads.context_fcn_head import BaseContextFCNHead
from jaxseg.layers.context_block import ContextBlock, FusionType, PoolingType


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
        if not self.fusion_types:
            raise FieldError(
                "fusion_types is empty, allowed: channel_add, channel_mul, or both"
            )
        super().__post_init__()

    def context(self, x, train):
        del train
        block = ContextBlock(
            self.ratio, self.pooling_type, self.fusion_types, name="gc_block"
        )
        return block(x)
