"""Data sets, the table of contents: a config's `type` names one of these."""

from input_pipeline.datasets.ade import ADE20KDataset
from input_pipeline.datasets.apolloscape import ApolloScapeDataset
from input_pipeline.datasets.bdd100k import BDD100KDataset
from input_pipeline.datasets.camvid import CamVidDataset
from input_pipeline.datasets.ccp import CCPDataset
from input_pipeline.datasets.change import BaseCDDataset, LEVIRCDDataset
from input_pipeline.datasets.chase_db1 import ChaseDB1Dataset
from input_pipeline.datasets.cityscapes import CityscapesDataset
from input_pipeline.datasets.coco_stuff import COCOStuffDataset
from input_pipeline.datasets.crack_forest import CrackForestDataset
from input_pipeline.datasets.cwfid import CWFIDDataset
from input_pipeline.datasets.dark_zurich import DarkZurichDataset
from input_pipeline.datasets.digits import DigitsDataset
from input_pipeline.datasets.drive import DRIVEDataset
from input_pipeline.datasets.dsb2018 import DSB2018Dataset
from input_pipeline.datasets.face import FaceOccludedDataset
from input_pipeline.datasets.file_list import FileListDataset
from input_pipeline.datasets.folder import BaseSegDataset
from input_pipeline.datasets.graz02 import Graz02Dataset
from input_pipeline.datasets.hrf import HRFDataset
from input_pipeline.datasets.hsi_drive import HSIDrive20Dataset
from input_pipeline.datasets.hub import HubDataset
from input_pipeline.datasets.inria_aerial import InriaAerialDataset
from input_pipeline.datasets.isaid import iSAIDDataset
from input_pipeline.datasets.isbi_em import ISBIEMDataset
from input_pipeline.datasets.isprs import ISPRSDataset, PotsdamDataset
from input_pipeline.datasets.kitti import KITTIDataset
from input_pipeline.datasets.kitti_road import KITTIRoadDataset
from input_pipeline.datasets.labelmefacade import LabelMeFacadeDataset
from input_pipeline.datasets.lip import LIPDataset
from input_pipeline.datasets.lits import LiTSDataset
from input_pipeline.datasets.loveda import LoveDADataset
from input_pipeline.datasets.mapillary import MapillaryDataset_v1, MapillaryDataset_v2
from input_pipeline.datasets.mhp import MHPDataset_v1, MHPDataset_v2
from input_pipeline.datasets.msrc import MSRCDataset, MSRCDataset_v1
from input_pipeline.datasets.night_driving import NightDrivingDataset
from input_pipeline.datasets.nyu import NYUDataset
from input_pipeline.datasets.packed import PackedDataset
from input_pipeline.datasets.pascal_context import (
    PascalContextDataset,
    PascalContextDataset59,
)
from input_pipeline.datasets.pratheepan import PratheepanDataset
from input_pipeline.datasets.refuge import REFUGEDataset
from input_pipeline.datasets.sift_flow import SIFTFlowDataset
from input_pipeline.datasets.stanford_background import StanfordBackgroundDataset
from input_pipeline.datasets.stare import STAREDataset
from input_pipeline.datasets.synapse import SynapseDataset
from input_pipeline.datasets.synthetic import GTA5Dataset, SYNTHIADataset
from input_pipeline.datasets.tars import WebDataset
from input_pipeline.datasets.tfds import TFDSDataset
from input_pipeline.datasets.virtual_kitti import VirtualKITTIDataset
from input_pipeline.datasets.voc import PascalVOCDataset
from input_pipeline.datasets.wrappers import (
    ConcatDataset,
    MultiImageMixDataset,
    RepeatDataset,
)

__all__ = [
    "ADE20KDataset",
    "ApolloScapeDataset",
    "BDD100KDataset",
    "BaseCDDataset",
    "BaseSegDataset",
    "CCPDataset",
    "COCOStuffDataset",
    "CWFIDDataset",
    "CamVidDataset",
    "ChaseDB1Dataset",
    "CityscapesDataset",
    "ConcatDataset",
    "CrackForestDataset",
    "DRIVEDataset",
    "DSB2018Dataset",
    "DarkZurichDataset",
    "DigitsDataset",
    "FaceOccludedDataset",
    "FileListDataset",
    "GTA5Dataset",
    "Graz02Dataset",
    "HRFDataset",
    "HSIDrive20Dataset",
    "HubDataset",
    "ISBIEMDataset",
    "ISPRSDataset",
    "InriaAerialDataset",
    "KITTIDataset",
    "KITTIRoadDataset",
    "LEVIRCDDataset",
    "LIPDataset",
    "LabelMeFacadeDataset",
    "LiTSDataset",
    "LoveDADataset",
    "MHPDataset_v1",
    "MHPDataset_v2",
    "MSRCDataset",
    "MSRCDataset_v1",
    "MapillaryDataset_v1",
    "MapillaryDataset_v2",
    "MultiImageMixDataset",
    "NYUDataset",
    "NightDrivingDataset",
    "PackedDataset",
    "PascalContextDataset",
    "PascalContextDataset59",
    "PascalVOCDataset",
    "PotsdamDataset",
    "PratheepanDataset",
    "REFUGEDataset",
    "RepeatDataset",
    "SIFTFlowDataset",
    "STAREDataset",
    "SYNTHIADataset",
    "StanfordBackgroundDataset",
    "SynapseDataset",
    "TFDSDataset",
    "VirtualKITTIDataset",
    "WebDataset",
    "iSAIDDataset",
]
