"""Losses, the table of contents: `loss_decode` and `sampler` name these."""

from jaxseg.losses.boundary_loss import BoundaryLoss
from jaxseg.losses.cross_entropy_loss import CrossEntropyLoss
from jaxseg.losses.dice_loss import DiceLoss, DiceLossV0
from jaxseg.losses.focal_loss import FocalLoss
from jaxseg.losses.huasdorff_distance_loss import HuasdorffDisstanceLoss
from jaxseg.losses.kldiv_loss import KLDivLoss
from jaxseg.losses.lovasz_loss import LovaszLoss
from jaxseg.losses.mask_losses import (
    MaskCrossEntropyLoss,
    MaskDiceLoss,
    MaskFocalLoss,
    QueryClassLoss,
)
from jaxseg.losses.ohem_cross_entropy import OhemCrossEntropy
from jaxseg.losses.ohem_pixel_sampler import OHEMPixelSampler
from jaxseg.losses.silog_loss import SiLogLoss
from jaxseg.losses.tversky_loss import TverskyLoss

__all__ = [
    "BoundaryLoss",
    "CrossEntropyLoss",
    "DiceLoss",
    "DiceLossV0",
    "FocalLoss",
    "HuasdorffDisstanceLoss",
    "KLDivLoss",
    "LovaszLoss",
    "MaskCrossEntropyLoss",
    "MaskDiceLoss",
    "MaskFocalLoss",
    "OHEMPixelSampler",
    "OhemCrossEntropy",
    "QueryClassLoss",
    "SiLogLoss",
    "TverskyLoss",
]
