"""The data sets, by the name that a config's `type` gives."""

from input_pipeline.datasets.ade import ADE20KDataset
from input_pipeline.datasets.camvid import CamVidDataset
from input_pipeline.datasets.chase_db1 import ChaseDB1Dataset
from input_pipeline.datasets.cityscapes import CityscapesDataset
from input_pipeline.datasets.digits import DigitsDataset
from input_pipeline.datasets.drive import DRIVEDataset
from input_pipeline.datasets.folder import BaseSegDataset
from input_pipeline.datasets.hrf import HRFDataset
from input_pipeline.datasets.stare import STAREDataset
from input_pipeline.datasets.tfds import TFDSDataset
from input_pipeline.datasets.voc import PascalVOCDataset
from input_pipeline.datasets.wrappers import ConcatDataset, RepeatDataset

__all__ = [
    "ADE20KDataset",
    "BaseSegDataset",
    "CamVidDataset",
    "ChaseDB1Dataset",
    "CityscapesDataset",
    "ConcatDataset",
    "DRIVEDataset",
    "DigitsDataset",
    "HRFDataset",
    "PascalVOCDataset",
    "RepeatDataset",
    "STAREDataset",
    "TFDSDataset",
]
