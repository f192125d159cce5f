"""Linen blocks that several families share, and the entries that configs name."""

from jaxseg.layers.activation import GELU, LeakyReLU, ReLU
from jaxseg.layers.norm import BN, LN, SyncBN

__all__ = ["BN", "GELU", "LN", "LeakyReLU", "ReLU", "SyncBN"]
