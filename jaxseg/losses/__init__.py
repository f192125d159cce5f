"""Table of contents: `loss_decode` and `sampler` name these."""

from jaxseg.losses.cross_entropy_loss import CrossEntropyLoss
from jaxseg.losses.dice_loss import DiceLoss, DiceLossV0
from jaxseg.losses.ohem_pixel_sampler import OHEMPixelSampler

__all__ = ["CrossEntropyLoss", "DiceLoss", "DiceLossV0", "OHEMPixelSampler"]
