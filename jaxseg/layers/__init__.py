"""Layers: Linen blocks that several families share, and entries that configs name."""

from jaxseg.layers.activation import (
    ELU,
    GELU,
    HSigmoid,
    HSwish,
    LeakyReLU,
    PReLU,
    ReLU,
    ReLU6,
    Sigmoid,
    SiLU,
    Swish,
    Tanh,
)
from jaxseg.layers.norm import BN, GN, IN, LN, SyncBN
from jaxseg.layers.pixel_decoder import PixelDecoder
from jaxseg.layers.positional_encoding import SinePositionalEncoding

__all__ = [
    "BN",
    "ELU",
    "GELU",
    "GN",
    "IN",
    "LN",
    "HSigmoid",
    "HSwish",
    "LeakyReLU",
    "PReLU",
    "PixelDecoder",
    "ReLU",
    "ReLU6",
    "SiLU",
    "Sigmoid",
    "SinePositionalEncoding",
    "Swish",
    "SyncBN",
    "Tanh",
]
