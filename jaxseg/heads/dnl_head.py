"""DNLNet, Disentangled Non-Local Neural Networks: https://arxiv.org/abs/2006.06668."""

from jaxseg.heads.context_fcn_head import BaseContextFCNHead
from jaxseg.layers.non_local import DisentangledNonLocal2d, Mode


class DNLHead(BaseContextFCNHead, kw_only=True):
    """A disentangled non-local block between two convolutions.

    Attributes:
        reduction, use_scale, mode, temperature: those of the block
            (`DisentangledNonLocal2d`).
    """

    reduction: int = 2
    use_scale: bool = True
    mode: Mode = "embedded_gaussian"
    temperature: float = 0.05

    takes_padding = True
    takes_bands = True

    def context(self, x, train):
        block = DisentangledNonLocal2d(
            reduction=self.reduction,
            use_scale=self.use_scale,
            norm_cfg=self.norm_cfg,
            mode=self.mode,
            temperature=self.temperature,
            name="dnl_block",
        )
        return block(x, train)
