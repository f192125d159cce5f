"""DINOv2's linear head: https://arxiv.org/abs/2304.07193."""

import flax.linen as nn

from jaxseg.errors import FieldError
from jaxseg.heads.decode_head import BaseDecodeHead
from jaxseg.layers.norm import Norm, SyncBN


class BNHead(BaseDecodeHead, kw_only=True):
    """A batch norm of the joined maps, and the classifier.

    Attributes:
        channels: those of all maps together.
        The others are BaseDecodeHead's.
    """

    norm_cfg: Norm = SyncBN()
    dropout_ratio: float = 0.0

    takes_padding = True
    takes_bands = True

    def __post_init__(self):
        several = isinstance(self.in_channels, tuple)
        joined = sum(self.in_channels) if several else self.in_channels
        if self.channels != joined:
            raise FieldError(
                f"channels is {self.channels}, allowed: {joined}, those of in_channels"
            )
        if self.input_transform == "multiple_select":
            raise FieldError(
                "input_transform is 'multiple_select', allowed: None, 'resize_concat'"
            )
        super().__post_init__()

    @nn.compact
    def __call__(self, inputs, train: bool):
        x = self.norm_cfg(name="bn")(self.transform_inputs(inputs), train)
        return self.cls_seg(x, train)
