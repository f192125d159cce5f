"""KITTI 2015: 200 street scenes with Cityscapes' ids."""

from input_pipeline.prepare.converter import Converter
from input_pipeline.prepare.converters.cityscapes import TRAIN_IDS
from input_pipeline.prepare.divided import DIVIDED, divided_plan
from input_pipeline.prepare.pixels import ids_png

KITTI = Converter(
    name="kitti",
    title="KITTI 2015, street scenes, Cityscapes' 19 classes",
    sources=("data_semantics.zip",),
    url="https://www.cvlibs.net/datasets/kitti/eval_semseg.php",
    licence="CC BY-NC-SA 3.0",
    size="200 images of 1242x375, 314 MB",
    layout="training/image_2/N_10.png, training/semantic/N_10.png",
    dataset="KITTIDataset",
    home="data/kitti",
    plan=divided_plan(
        *(r"training/image_2/(\d+_10)\.png", r"training/semantic/(\d+_10)\.png"),
        # 255: the id -1 of a license plate, in 8 bits.
        *(200, ".png", ids_png, (*TRAIN_IDS, (255, 255))),
    ),
    checks=DIVIDED,
    scale=(1242, 375),
    crop_size=(368, 368),
)
