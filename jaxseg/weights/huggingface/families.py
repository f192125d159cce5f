"""Families: the table of Hugging Face's models that jaxseg has."""

from jaxseg.weights.huggingface.beit import BEIT, BEIT_UPERNET
from jaxseg.weights.huggingface.convnext import CONVNEXT, CONVNEXT_V2
from jaxseg.weights.huggingface.dinov2 import (
    DINOV2,
    DINOV2_WITH_REGISTERS,
    DINOV3,
)
from jaxseg.weights.huggingface.dpt import DPT, DPT_VIT
from jaxseg.weights.huggingface.eomt import EOMT, EOMT_VIT
from jaxseg.weights.huggingface.family import BackboneFamily, SegmentorFamily
from jaxseg.weights.huggingface.mask2former import MASK2FORMER
from jaxseg.weights.huggingface.maskformer import MASKFORMER
from jaxseg.weights.huggingface.mobilenet_v2 import DEEPLAB, MOBILENET_V2
from jaxseg.weights.huggingface.resnet import RESNET
from jaxseg.weights.huggingface.segformer import MIT, SEGFORMER
from jaxseg.weights.huggingface.swin import SWIN
from jaxseg.weights.huggingface.upernet import UPERNET

# By model_type.
BACKBONES: dict[str, BackboneFamily] = {
    "beit": BEIT,
    "convnext": CONVNEXT,
    "convnextv2": CONVNEXT_V2,
    "dinov2": DINOV2,
    "dinov2_with_registers": DINOV2_WITH_REGISTERS,
    "dinov3_vit": DINOV3,
    "dpt": DPT_VIT,
    "eomt": EOMT_VIT,
    "maskformer-swin": SWIN,
    "mobilenet_v2": MOBILENET_V2,
    "resnet": RESNET,
    "segformer": MIT,
    "swin": SWIN,
}

# By the class in `architectures`.
SEGMENTORS: dict[str, SegmentorFamily] = {
    "BeitForSemanticSegmentation": BEIT_UPERNET,
    "DPTForSemanticSegmentation": DPT,
    "EomtForUniversalSegmentation": EOMT,
    "Mask2FormerForUniversalSegmentation": MASK2FORMER,
    "MaskFormerForInstanceSegmentation": MASKFORMER,
    "MobileNetV2ForSemanticSegmentation": DEEPLAB,
    "SegformerForSemanticSegmentation": SEGFORMER,
    "UperNetForSemanticSegmentation": UPERNET,
}
