"""Transforms, the table of contents: a pipeline's `type` names one of these."""

from input_pipeline.transforms.albu import Albu
from input_pipeline.transforms.biomedical_intensity import (
    BioMedicalGaussianBlur,
    BioMedicalGaussianNoise,
    BioMedicalRandomGamma,
)
from input_pipeline.transforms.biomedical_place import (
    BioMedical3DPad,
    BioMedical3DRandomCrop,
    BioMedical3DRandomFlip,
)
from input_pipeline.transforms.biomedical_volumes import (
    LoadBiomedicalAnnotation,
    LoadBiomedicalData,
    LoadBiomedicalImageFromFile,
)
from input_pipeline.transforms.change import ConcatCDInput, LoadMultipleRSImageFromFile
from input_pipeline.transforms.crop import RandomCrop
from input_pipeline.transforms.cut_out import RandomCutOut
from input_pipeline.transforms.depth import LoadDepthAnnotation, RandomDepthMix
from input_pipeline.transforms.flip import RandomFlip
from input_pipeline.transforms.formatting import PackSegInputs
from input_pipeline.transforms.generate_edge import GenerateEdge
from input_pipeline.transforms.intensity import CLAHE, AdjustGamma, Rerange, RGB2Gray
from input_pipeline.transforms.loading import LoadAnnotations, LoadImageFromFile
from input_pipeline.transforms.mix import ClassMix, CopyPaste, CutMix
from input_pipeline.transforms.mosaic import RandomMosaic
from input_pipeline.transforms.pad import Pad
from input_pipeline.transforms.photometric import PhotoMetricDistortion
from input_pipeline.transforms.resize import (
    RandomChoiceResize,
    RandomResize,
    Resize,
    ResizeShortestEdge,
)
from input_pipeline.transforms.resize_closest_side import ResizeClosestSide
from input_pipeline.transforms.resize_to_multiple import ResizeToMultiple
from input_pipeline.transforms.rot_flip import RandomRotFlip
from input_pipeline.transforms.rotate import RandomRotate
from input_pipeline.transforms.seg_rescale import SegRescale

__all__ = [
    "CLAHE",
    "AdjustGamma",
    "Albu",
    "BioMedical3DPad",
    "BioMedical3DRandomCrop",
    "BioMedical3DRandomFlip",
    "BioMedicalGaussianBlur",
    "BioMedicalGaussianNoise",
    "BioMedicalRandomGamma",
    "ClassMix",
    "ConcatCDInput",
    "CopyPaste",
    "CutMix",
    "GenerateEdge",
    "LoadAnnotations",
    "LoadBiomedicalAnnotation",
    "LoadBiomedicalData",
    "LoadBiomedicalImageFromFile",
    "LoadDepthAnnotation",
    "LoadImageFromFile",
    "LoadMultipleRSImageFromFile",
    "PackSegInputs",
    "Pad",
    "PhotoMetricDistortion",
    "RGB2Gray",
    "RandomChoiceResize",
    "RandomCrop",
    "RandomCutOut",
    "RandomDepthMix",
    "RandomFlip",
    "RandomMosaic",
    "RandomResize",
    "RandomRotFlip",
    "RandomRotate",
    "Rerange",
    "Resize",
    "ResizeClosestSide",
    "ResizeShortestEdge",
    "ResizeToMultiple",
    "SegRescale",
]
