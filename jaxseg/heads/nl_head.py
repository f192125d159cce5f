"""Non-local Neural Networks: https://arxiv.org/abs/1711.07971."""

from jaxseg.heads.context_fcn_head import BaseContextFCNHead
from jaxseg.layers.non_local import Mode, NonLocal2d


class NLHead(BaseContextFCNHead, kw_only=True):
    """A non-local block between two convolutions.

    Attributes:
        reduction, use_scale, mode: those of the block (`NonLocal2d`).
    """

    reduction: int = 2
    use_scale: bool = True
    mode: Mode = "embedded_gaussian"

    takes_padding = True
    takes_bands = True

    def context(self, x, train):
        block = NonLocal2d(
            reduction=self.reduction,
            use_scale=self.use_scale,
            norm_cfg=self.norm_cfg,
            mode=self.mode,
            name="nl_block",
        )
        return block(x, train)
