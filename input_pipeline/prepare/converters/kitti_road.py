"""KITTI road: street scenes, of which the road that is driven on is a class."""

from input_pipeline.datasets.kitti_road import KITTI_ROAD as CLASSES
from input_pipeline.prepare.converter import Converter
from input_pipeline.prepare.divided import DIVIDED, divided_plan
from input_pipeline.prepare.pixels import colours_png

_OTHER_ROAD = (255, (0, 0, 0))
_PALETTE = (
    _OTHER_ROAD,
    *((label, colour) for label, (_, colour) in enumerate(CLASSES)),
)

KITTI_ROAD = Converter(
    name="kitti_road",
    title="KITTI road, the road in street scenes",
    sources=("data_road.zip",),
    url="https://www.cvlibs.net/datasets/kitti/eval_road.php",
    licence="CC BY-NC-SA 3.0",
    size="289 images of 1242x375, 470 MB",
    layout="training/image_2/{um,umm,uu}_N.png, "
    "training/gt_image_2/{um,umm,uu}_road_N.png",
    dataset="KITTIRoadDataset",
    home="data/kitti_road",
    plan=divided_plan(
        r"training/image_2/(umm?|uu)_(\d+)\.png",
        r"training/gt_image_2/(umm?|uu)_road_(\d+)\.png",
        *(289, ".png", colours_png, _PALETTE),
    ),
    checks=f"{DIVIDED} The labels of the ego-lane (um_lane_N.png) are left out.",
    scale=(1242, 375),
    crop_size=(368, 368),
)
