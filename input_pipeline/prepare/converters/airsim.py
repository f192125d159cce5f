"""AirSim: recordings of the simulator, whose colours mean what its user has set."""

from collections.abc import Mapping
from typing import Any

from input_pipeline.prepare.converter import Converter, Plan
from input_pipeline.prepare.divided import DIVIDED
from input_pipeline.prepare.files import Files
from input_pipeline.prepare.told import TABLE, told_plan


def _plan(files: Files, options: Mapping[str, Any]) -> Plan:
    del options
    # Vehicle, camera, kind (0 is a scene, 5 its segmentation), time.
    images, labels = (rf"img_(\w*)_(\d+)_{kind}_(\d+)\.png" for kind in (0, 5))
    return told_plan(files, images, labels, None)


AIRSIM = Converter(
    name="airsim",
    title="AirSim's recordings, scenes and their segmentations",
    sources=("RECORDING", TABLE),
    url="https://microsoft.github.io/AirSim/image_apis",
    licence="MIT, of the simulator",
    size="as many images as were recorded",
    layout="img_VEHICLE_CAMERA_0_TIME.png, img_VEHICLE_CAMERA_5_TIME.png",
    dataset="BaseSegDataset",
    home="data/airsim",
    plan=_plan,
    checks=f"{DIVIDED} Which colour is what, depends on the scene and on "
    f"simSetSegmentationObjectID. So {TABLE} must say it, one of the sources, with lines "
    "such as `#804080 road` and `#000000 ignored`; without it the colours that were found "
    "are told. A colour that is not in it is an error.",
    scale=(512, 512),
    crop_size=(256, 256),
)
