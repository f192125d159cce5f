"""Heads, the table of contents: `decode_head=dict(type=...)` names one of these."""

from jaxseg.heads.ann_head import ANNHead
from jaxseg.heads.apc_head import APCHead
from jaxseg.heads.aspp_head import ASPPHead
from jaxseg.heads.bn_head import BNHead
from jaxseg.heads.cc_head import CCHead
from jaxseg.heads.da_head import DAHead
from jaxseg.heads.ddr_head import DDRHead
from jaxseg.heads.deeplabv3plus_head import DeepLabV3PlusHead
from jaxseg.heads.dm_head import DMHead
from jaxseg.heads.dnl_head import DNLHead
from jaxseg.heads.dpt_head import DPTHead
from jaxseg.heads.ema_head import EMAHead
from jaxseg.heads.enc_head import EncHead
from jaxseg.heads.eomt_head import EoMTHead
from jaxseg.heads.fcn_head import FCNHead
from jaxseg.heads.fpn_head import FPNHead
from jaxseg.heads.gc_head import GCHead
from jaxseg.heads.ham_head import LightHamHead
from jaxseg.heads.isa_head import ISAHead
from jaxseg.heads.kernel_update_head import KernelUpdateHead
from jaxseg.heads.knet_head import IterativeDecodeHead
from jaxseg.heads.lraspp_head import LRASPPHead
from jaxseg.heads.mask2former_head import Mask2FormerHead
from jaxseg.heads.maskformer_head import MaskFormerHead
from jaxseg.heads.matching import (
    ClassificationCost,
    CrossEntropyLossCost,
    DiceCost,
    FocalLossCost,
    HungarianAssigner,
    MaskPseudoSampler,
)
from jaxseg.heads.nl_head import NLHead
from jaxseg.heads.ocr_head import OCRHead
from jaxseg.heads.pid_head import PIDHead
from jaxseg.heads.point_head import PointHead
from jaxseg.heads.psa_head import PSAHead
from jaxseg.heads.psp_head import PSPHead
from jaxseg.heads.san_head import SideAdapterCLIPHead
from jaxseg.heads.segformer_head import SegformerHead
from jaxseg.heads.segmenter_mask_head import SegmenterMaskTransformerHead
from jaxseg.heads.sep_aspp_head import DepthwiseSeparableASPPHead
from jaxseg.heads.sep_fcn_head import DepthwiseSeparableFCNHead
from jaxseg.heads.setr_mla_head import SETRMLAHead
from jaxseg.heads.setr_up_head import SETRUPHead
from jaxseg.heads.stdc_head import STDCHead
from jaxseg.heads.uper_head import UPerHead
from jaxseg.heads.vpd_depth_head import VPDDepthHead

__all__ = [
    "ANNHead",
    "APCHead",
    "ASPPHead",
    "BNHead",
    "CCHead",
    "ClassificationCost",
    "CrossEntropyLossCost",
    "DAHead",
    "DDRHead",
    "DMHead",
    "DNLHead",
    "DPTHead",
    "DeepLabV3PlusHead",
    "DepthwiseSeparableASPPHead",
    "DepthwiseSeparableFCNHead",
    "DiceCost",
    "EMAHead",
    "EncHead",
    "EoMTHead",
    "FCNHead",
    "FPNHead",
    "FocalLossCost",
    "GCHead",
    "HungarianAssigner",
    "ISAHead",
    "IterativeDecodeHead",
    "KernelUpdateHead",
    "LRASPPHead",
    "LightHamHead",
    "Mask2FormerHead",
    "MaskFormerHead",
    "MaskPseudoSampler",
    "NLHead",
    "OCRHead",
    "PIDHead",
    "PSAHead",
    "PSPHead",
    "PointHead",
    "SETRMLAHead",
    "SETRUPHead",
    "STDCHead",
    "SegformerHead",
    "SegmenterMaskTransformerHead",
    "SideAdapterCLIPHead",
    "UPerHead",
    "VPDDepthHead",
]
