"""CCNet, Criss-Cross Attention: https://arxiv.org/abs/1811.11721."""

from jaxseg.heads.context_fcn_head import BaseContextFCNHead
from jaxseg.layers.criss_cross import CrissCrossAttention


class CCHead(BaseContextFCNHead, kw_only=True):
    """Criss-cross attention between two convolutions, several times by one block.

    Attributes:
        recurrence: how many times; after the second one each pixel has seen all others.
    """

    recurrence: int = 2

    takes_padding = True

    def context(self, x, train):
        del train
        block = CrissCrossAttention(name="cca")
        for _ in range(self.recurrence):
            x = block(x)
        return x
