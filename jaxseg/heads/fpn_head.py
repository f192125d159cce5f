"""Panoptic Feature Pyramid Networks' semantic head: https://arxiv.org/abs/1901.02446."""

import math

import flax.linen as nn

from jaxseg.errors import FieldError
from jaxseg.heads.decode_head import BaseDecodeHead
from jaxseg.ops.resize import resize, upsample


class FPNHead(BaseDecodeHead, kw_only=True):
    """Brings every level to the finest one's size, doubling after each convolution.

    Attributes:
        feature_strides: stride of each input in image pixels, the smallest first.
    """

    input_transform: str = "multiple_select"
    feature_strides: tuple[int, ...]

    takes_padding = True
    takes_bands = True

    def __post_init__(self):
        super().__post_init__()
        strides = self.feature_strides
        if len(strides) != len(self.in_channels) or min(strides) != strides[0]:
            raise FieldError(
                f"feature_strides is {strides}: it needs one stride for each of "
                f"in_channels {self.in_channels}, the smallest first"
            )

    @nn.compact
    def __call__(self, inputs, train: bool):
        inputs = self.transform_inputs(inputs)
        total = self._scale_head(inputs[0], 0, train)
        for i, x in enumerate(inputs[1:], start=1):
            x = self._scale_head(x, i, train)
            total += resize(x, total.shape[1:3], align_corners=self.align_corners)
        return self.cls_seg(total, train)

    def _scale_head(self, x, level, train):
        ratio = self.feature_strides[level] / self.feature_strides[0]
        upsampled = ratio != 1
        for k in range(max(1, int(math.log2(ratio)))):
            # In mmseg an upsampling follows each convolution in the Sequential.
            item = 2 * k if upsampled else k
            x = self.conv_module(self.channels, 3, f"scale_heads.{level}.{item}")(
                x, train
            )
            if upsampled:
                x = upsample(x, 2, mode="bilinear", align_corners=self.align_corners)
        return x
