"""Weights: names, files and conversion of parameters. The table is what configs name."""

from jaxseg.weights.pretrained import Pretrained

__all__ = ["Pretrained"]
