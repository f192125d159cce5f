"""Pascal VOC 2012, 20 classes and background (http://host.robots.ox.ac.uk/pascal/VOC)."""

import dataclasses
from typing import ClassVar

from input_pipeline.datasets.folder import BaseSegDataset

VOC = (
    ("background", (0, 0, 0)),
    ("aeroplane", (128, 0, 0)),
    ("bicycle", (0, 128, 0)),
    ("bird", (128, 128, 0)),
    ("boat", (0, 0, 128)),
    ("bottle", (128, 0, 128)),
    ("bus", (0, 128, 128)),
    ("car", (128, 128, 128)),
    ("cat", (64, 0, 0)),
    ("chair", (192, 0, 0)),
    ("cow", (64, 128, 0)),
    ("diningtable", (192, 128, 0)),
    ("dog", (64, 0, 128)),
    ("horse", (192, 0, 128)),
    ("motorbike", (64, 128, 128)),
    ("person", (192, 128, 128)),
    ("pottedplant", (0, 64, 0)),
    ("sheep", (128, 64, 0)),
    ("sofa", (0, 192, 0)),
    ("train", (128, 192, 0)),
    ("tvmonitor", (0, 64, 128)),
)


@dataclasses.dataclass(eq=False)
class PascalVOCDataset(BaseSegDataset):
    """VOCdevkit/VOC2012: JPEGImages, SegmentationClass, ImageSets/Segmentation/*.txt.

    Only some of the images have labels, so `ann_file` must name them. The augmented
    set is a `ConcatDataset` of this with SegmentationClassAug and its own list.
    """

    CLASSES: ClassVar[tuple] = VOC

    img_suffix: str | tuple[str, ...] = ".jpg"
    seg_map_suffix: str = ".png"
