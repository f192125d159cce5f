"""Backbones, the table of contents: `backbone` (and its `upsample_cfg`) name these."""

from jaxseg.backbones.pidnet import PIDNet
from jaxseg.backbones.resnet import ResNet, ResNetV1c, ResNetV1d
from jaxseg.backbones.unet import DeconvModule, InterpConv, UNet
from jaxseg.backbones.vit import VisionTransformer

__all__ = [
    "DeconvModule",
    "InterpConv",
    "PIDNet",
    "ResNet",
    "ResNetV1c",
    "ResNetV1d",
    "UNet",
    "VisionTransformer",
]
