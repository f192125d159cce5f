"""DDRNet's head: https://arxiv.org/abs/2101.06085."""

from collections.abc import Mapping

import flax.linen as nn
import jax

from jaxseg.errors import FieldError
from jaxseg.heads.decode_head import BaseDecodeHead
from jaxseg.layers.activation import Act, ReLU
from jaxseg.layers.conv import Conv2d, torch_default_bias
from jaxseg.layers.dropout import Dropout2d
from jaxseg.layers.norm import BN, Norm
from jaxseg.layers.pre_activation import PreActivationBranch
from jaxseg.losses.decode import decode_losses
from jaxseg.losses.loss import Loss


class DDRHead(BaseDecodeHead, kw_only=True):
    """A classifier for each of DDRNet's two maps; the second one's is the prediction.

    Attributes:
        in_channels: channels of the second map; the first has half as many.
        norm_cfg, act_cfg: flavours of the layers.
        loss_decode: two losses: of the prediction, and of the first map's logits.
        sampler: None; losses such as `OhemCrossEntropy` choose the pixels.
    """

    loss_decode: tuple[Loss, ...]
    norm_cfg: Norm = BN()
    act_cfg: Act = ReLU()

    takes_padding = True
    takes_bands = True

    def __post_init__(self):
        if len(self.loss_decode) != 2:
            raise FieldError(
                f"loss_decode: DDRHead takes 2 losses, found {len(self.loss_decode)}"
            )
        if self.sampler is not None:
            raise FieldError(
                f"sampler: is {type(self.sampler).__name__}, allowed: None; a loss "
                "such as OhemCrossEntropy chooses the pixels of DDRHead"
            )
        super().__post_init__()

    @nn.compact
    def __call__(self, inputs, train: bool):
        """Two maps -> logits of the prediction, and of the first map.

        Only training looks at the second.
        """
        spatial, fused = inputs
        flavours = (self.channels, self.norm_cfg, self.act_cfg, ("0", "1", "2"))
        fused = PreActivationBranch(*flavours, name="head")(fused, train)
        fused = Dropout2d(self.dropout_ratio, name="dropout")(fused, train)
        spatial = PreActivationBranch(*flavours, name="aux_head")(spatial, train)
        return self._classify(fused, "conv_seg"), self._classify(spatial, "aux_cls_seg")

    def _classify(self, x, name):
        bias_init = torch_default_bias(x.shape[-1])
        return Conv2d(self.out_channels, bias_init=bias_init, name=name)(x)

    def logits(self, outputs):
        return outputs[0]

    def loss(self, outputs, targets: Mapping[str, jax.Array]) -> dict[str, jax.Array]:
        losses = {}
        names = ("loss_context", "loss_spatial")
        for name, logits, loss in zip(names, outputs, self.losses, strict=True):
            found = decode_losses(
                logits,
                targets,
                (loss,),
                ignore_index=self.ignore_index,
                align_corners=self.align_corners,
            )
            losses[name] = found[loss.loss_name]
            losses.setdefault("acc_seg", found["acc_seg"])
        return losses
