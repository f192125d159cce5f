"""Backbones, the table of contents: `backbone` (and its `upsample_cfg`) name these."""

from jaxseg.backbones.beit import BEiT
from jaxseg.backbones.bisenetv1 import BiSeNetV1
from jaxseg.backbones.bisenetv2 import BiSeNetV2
from jaxseg.backbones.cgnet import CGNet
from jaxseg.backbones.convnext import ConvNeXt
from jaxseg.backbones.ddrnet import DDRNet
from jaxseg.backbones.dinov2 import DINOv2
from jaxseg.backbones.dinov3 import DINOv3
from jaxseg.backbones.drn import DRN
from jaxseg.backbones.erfnet import ERFNet
from jaxseg.backbones.fast_scnn import FastSCNN
from jaxseg.backbones.hrnet import HRNet
from jaxseg.backbones.icnet import ICNet
from jaxseg.backbones.mae import MAE
from jaxseg.backbones.mit import MixVisionTransformer
from jaxseg.backbones.mobilenet_v2 import MobileNetV2
from jaxseg.backbones.mobilenet_v3 import MobileNetV3
from jaxseg.backbones.mscan import MSCAN
from jaxseg.backbones.pidnet import PIDNet
from jaxseg.backbones.poolformer import PoolFormer
from jaxseg.backbones.resnest import ResNeSt
from jaxseg.backbones.resnet import ResNet, ResNetV1c, ResNetV1d
from jaxseg.backbones.resnext import ResNeXt
from jaxseg.backbones.stdc import STDCContextPathNet, STDCNet
from jaxseg.backbones.swin import SwinTransformer
from jaxseg.backbones.timm_backbone import TIMMBackbone
from jaxseg.backbones.twins import PCPVT, SVT
from jaxseg.backbones.unet import DeconvModule, InterpConv, UNet
from jaxseg.backbones.van import VAN, VANBase, VANLarge, VANSmall, VANTiny
from jaxseg.backbones.vit import VisionTransformer
from jaxseg.backbones.xception import AlignedXception

__all__ = [
    "DRN",
    "MAE",
    "MSCAN",
    "PCPVT",
    "SVT",
    "VAN",
    "AlignedXception",
    "BEiT",
    "BiSeNetV1",
    "BiSeNetV2",
    "CGNet",
    "ConvNeXt",
    "DDRNet",
    "DINOv2",
    "DINOv3",
    "DeconvModule",
    "ERFNet",
    "FastSCNN",
    "HRNet",
    "ICNet",
    "InterpConv",
    "MixVisionTransformer",
    "MobileNetV2",
    "MobileNetV3",
    "PIDNet",
    "PoolFormer",
    "ResNeSt",
    "ResNeXt",
    "ResNet",
    "ResNetV1c",
    "ResNetV1d",
    "STDCContextPathNet",
    "STDCNet",
    "SwinTransformer",
    "TIMMBackbone",
    "UNet",
    "VANBase",
    "VANLarge",
    "VANSmall",
    "VANTiny",
    "VisionTransformer",
]
