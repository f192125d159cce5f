"""Transforms, the table of contents: a pipeline's `type` names one of these."""

from input_pipeline.transforms.crop import RandomCrop
from input_pipeline.transforms.flip import RandomFlip
from input_pipeline.transforms.formatting import PackSegInputs
from input_pipeline.transforms.generate_edge import GenerateEdge
from input_pipeline.transforms.loading import LoadAnnotations, LoadImageFromFile
from input_pipeline.transforms.pad import Pad
from input_pipeline.transforms.photometric import PhotoMetricDistortion
from input_pipeline.transforms.resize import (
    RandomChoiceResize,
    RandomResize,
    Resize,
    ResizeShortestEdge,
)
from input_pipeline.transforms.resize_to_multiple import ResizeToMultiple
from input_pipeline.transforms.rotate import RandomRotate

__all__ = [
    "GenerateEdge",
    "LoadAnnotations",
    "LoadImageFromFile",
    "PackSegInputs",
    "Pad",
    "PhotoMetricDistortion",
    "RandomChoiceResize",
    "RandomCrop",
    "RandomFlip",
    "RandomResize",
    "RandomRotate",
    "Resize",
    "ResizeShortestEdge",
    "ResizeToMultiple",
]
