"""FCN head of separable convolutions, Fast-SCNN's: https://arxiv.org/abs/1902.04502."""

from jaxseg.heads.fcn_head import FCNHead
from jaxseg.layers.activation import Act, ReLU
from jaxseg.layers.conv import DepthwiseSeparableConvModule


class DepthwiseSeparableFCNHead(FCNHead, kw_only=True):
    """FCNHead whose convolutions are depthwise separable.

    As in mmseg the 1x1 convolutions have a ReLU whatever `act_cfg` says.

    Attributes:
        dw_act_cfg: activation of the depthwise convolutions.
    """

    dw_act_cfg: Act | None = None

    takes_padding = True
    takes_bands = True

    def conv_module(self, channels, side, name, dilation=1):
        return DepthwiseSeparableConvModule(
            channels,
            side,
            padding=side // 2,
            norm_cfg=self.norm_cfg,
            act_cfg=ReLU(),
            dw_act_cfg=self.dw_act_cfg,
            name=name,
        )
