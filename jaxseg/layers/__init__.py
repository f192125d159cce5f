"""Layers: Linen blocks that several families share, and entries that configs name."""

from jaxseg.layers.activation import (
    ELU,
    GELU,
    HSigmoid,
    HSwish,
    LeakyReLU,
    PReLU,
    QuickGELU,
    ReLU,
    ReLU6,
    Sigmoid,
    SiLU,
    Swish,
    Tanh,
)
from jaxseg.layers.adaptive_padding import Conv2dAdaptivePadding
from jaxseg.layers.context_block import ContextBlock
from jaxseg.layers.conv import Conv
from jaxseg.layers.deform_conv import DCN, DCNv2
from jaxseg.layers.generalized_attention import GeneralizedAttention
from jaxseg.layers.kernel_updator import KernelUpdator
from jaxseg.layers.msdeform_pixel_decoder import MSDeformAttnPixelDecoder
from jaxseg.layers.non_local import NonLocal2d
from jaxseg.layers.norm import BN, GN, IN, LN, SyncBN
from jaxseg.layers.pixel_decoder import PixelDecoder
from jaxseg.layers.positional_encoding import SinePositionalEncoding
from jaxseg.layers.weight_standardization import ConvAWS, ConvWS

__all__ = [
    "BN",
    "DCN",
    "ELU",
    "GELU",
    "GN",
    "IN",
    "LN",
    "ContextBlock",
    "Conv",
    "Conv2dAdaptivePadding",
    "ConvAWS",
    "ConvWS",
    "DCNv2",
    "GeneralizedAttention",
    "HSigmoid",
    "HSwish",
    "KernelUpdator",
    "LeakyReLU",
    "MSDeformAttnPixelDecoder",
    "NonLocal2d",
    "PReLU",
    "PixelDecoder",
    "QuickGELU",
    "ReLU",
    "ReLU6",
    "SiLU",
    "Sigmoid",
    "SinePositionalEncoding",
    "Swish",
    "SyncBN",
    "Tanh",
]
