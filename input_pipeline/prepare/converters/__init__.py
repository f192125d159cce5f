"""Converters, the table of contents: `python -m jaxseg.prepare NAME` finds one of these."""

from input_pipeline.prepare.converter import Converter
from input_pipeline.prepare.converters.ade20k import ADE20K
from input_pipeline.prepare.converters.ade20k_full import ADE20K_FULL
from input_pipeline.prepare.converters.airsim import AIRSIM
from input_pipeline.prepare.converters.apolloscape import APOLLOSCAPE
from input_pipeline.prepare.converters.barcelona import BARCELONA
from input_pipeline.prepare.converters.bdd100k import BDD100K
from input_pipeline.prepare.converters.camvid import CAMVID, CAMVID_COLOURS
from input_pipeline.prepare.converters.ccp import CCP
from input_pipeline.prepare.converters.chase_db1 import CHASE_DB1
from input_pipeline.prepare.converters.cityscapes import CITYSCAPES
from input_pipeline.prepare.converters.coco_stuff import COCO_STUFF10K, COCO_STUFF164K
from input_pipeline.prepare.converters.crack_forest import CRACK_FOREST
from input_pipeline.prepare.converters.cwfid import CWFID
from input_pipeline.prepare.converters.daimler import DAIMLER
from input_pipeline.prepare.converters.drive import DRIVE
from input_pipeline.prepare.converters.dsb2018 import DSB2018
from input_pipeline.prepare.converters.graz02 import GRAZ02
from input_pipeline.prepare.converters.gta5 import GTA5
from input_pipeline.prepare.converters.hrf import HRF
from input_pipeline.prepare.converters.hsi_drive import HSI_DRIVE
from input_pipeline.prepare.converters.inria_aerial import INRIA_AERIAL
from input_pipeline.prepare.converters.isaid import ISAID
from input_pipeline.prepare.converters.isbi_em import ISBI_EM
from input_pipeline.prepare.converters.isprs import POTSDAM, VAIHINGEN
from input_pipeline.prepare.converters.kitti import KITTI
from input_pipeline.prepare.converters.kitti_road import KITTI_ROAD
from input_pipeline.prepare.converters.labelmefacade import LABELMEFACADE
from input_pipeline.prepare.converters.levir_cd import LEVIR_CD
from input_pipeline.prepare.converters.lip import LIP
from input_pipeline.prepare.converters.lits import LITS
from input_pipeline.prepare.converters.loveda import LOVEDA
from input_pipeline.prepare.converters.mapillary import MAPILLARY_V1, MAPILLARY_V2
from input_pipeline.prepare.converters.mhp import MHP_V1, MHP_V2
from input_pipeline.prepare.converters.msrc import MSRC, MSRC_V1
from input_pipeline.prepare.converters.nyu import NYU
from input_pipeline.prepare.converters.occlude_face import OCCLUDE_FACE
from input_pipeline.prepare.converters.pascal_context import PASCAL_CONTEXT
from input_pipeline.prepare.converters.pratheepan import PRATHEEPAN
from input_pipeline.prepare.converters.refuge import REFUGE
from input_pipeline.prepare.converters.sift_flow import SIFT_FLOW
from input_pipeline.prepare.converters.stanford_background import STANFORD_BACKGROUND
from input_pipeline.prepare.converters.stare import STARE
from input_pipeline.prepare.converters.synapse import SYNAPSE
from input_pipeline.prepare.converters.synthia import SYNTHIA
from input_pipeline.prepare.converters.virtual_kitti import VIRTUAL_KITTI
from input_pipeline.prepare.converters.voc_aug import VOC_AUG

CONVERTERS: dict[str, Converter] = {
    converter.name: converter
    for converter in (
        ADE20K,
        ADE20K_FULL,
        AIRSIM,
        APOLLOSCAPE,
        BARCELONA,
        BDD100K,
        CAMVID,
        CAMVID_COLOURS,
        CCP,
        CHASE_DB1,
        CITYSCAPES,
        COCO_STUFF10K,
        COCO_STUFF164K,
        CRACK_FOREST,
        CWFID,
        DAIMLER,
        DRIVE,
        DSB2018,
        GRAZ02,
        GTA5,
        HRF,
        HSI_DRIVE,
        INRIA_AERIAL,
        ISAID,
        ISBI_EM,
        KITTI,
        KITTI_ROAD,
        LABELMEFACADE,
        LEVIR_CD,
        LIP,
        LITS,
        LOVEDA,
        MAPILLARY_V1,
        MAPILLARY_V2,
        MHP_V1,
        MHP_V2,
        MSRC,
        MSRC_V1,
        NYU,
        OCCLUDE_FACE,
        PASCAL_CONTEXT,
        POTSDAM,
        PRATHEEPAN,
        REFUGE,
        SIFT_FLOW,
        STANFORD_BACKGROUND,
        STARE,
        SYNAPSE,
        SYNTHIA,
        VAIHINGEN,
        VIRTUAL_KITTI,
        VOC_AUG,
    )
}
