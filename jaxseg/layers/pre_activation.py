"""Pre-activation: a 3x3 convolution between norms, as in DDRNet's and PIDNet's heads."""

import flax.linen as nn

from jaxseg.layers.activation import Act
from jaxseg.layers.conv import ConvModule
from jaxseg.layers.norm import Norm


class PreActivationBranch(nn.Module):
    """Norm, activation, convolution, norm, activation.

    Attributes:
        channels: channels of the result.
        norm_cfg, act_cfg: flavours of both norms and activations.
        names: of the first three layers together, of the norm, and of the activation.
    """

    channels: int
    norm_cfg: Norm
    act_cfg: Act
    names: tuple[str, str, str] = ("conv", "norm", "act")

    @nn.compact
    def __call__(self, x, train: bool):
        """(N, H, W, C) -> (N, H, W, channels)."""
        conv, norm, act = self.names
        x = ConvModule(
            self.channels,
            3,
            padding=1,
            norm_cfg=self.norm_cfg,
            act_cfg=self.act_cfg,
            order=("norm", "act", "conv"),
            name=conv,
        )(x, train)
        return self.act_cfg(name=act)(self.norm_cfg(name=norm)(x, train))
