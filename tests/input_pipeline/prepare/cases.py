"""A case for each converter, by its name."""

from tests.input_pipeline.prepare import (
    aerial_cases,
    divided_cases,
    retina_cases,
    scene_cases,
    street_cases,
)
from tests.input_pipeline.prepare.street_cases import mapillary

CASES = {
    "ade20k": scene_cases.ade20k(),
    "bdd100k": street_cases.bdd100k(),
    "chase_db1": retina_cases.chase_db1(),
    "cityscapes": street_cases.cityscapes(),
    "coco_stuff10k": scene_cases.coco_stuff10k(),
    "coco_stuff164k": scene_cases.coco_stuff164k(),
    "drive": retina_cases.drive(),
    "hrf": retina_cases.hrf(),
    "isaid": aerial_cases.isaid(),
    "levir_cd": aerial_cases.levir_cd(),
    "lip": scene_cases.lip(),
    "loveda": aerial_cases.loveda(),
    "mapillary_v1": mapillary("v1.2"),
    "mapillary_v2": mapillary("v2.0"),
    "pascal_context": scene_cases.pascal_context(),
    "potsdam": aerial_cases.potsdam(),
    "refuge": retina_cases.refuge(),
    "stare": retina_cases.stare(),
    "synapse": scene_cases.synapse(),
    "vaihingen": aerial_cases.vaihingen(),
    "camvid": divided_cases.camvid(),
    "camvid_colours": divided_cases.camvid_colours(),
    "dsb2018": divided_cases.dsb2018(),
    "inria_aerial": divided_cases.inria_aerial(),
    "kitti": divided_cases.kitti(),
    "msrc": divided_cases.msrc(),
    "stanford_background": divided_cases.stanford_background(),
    "voc_aug": scene_cases.voc_aug(),
}
