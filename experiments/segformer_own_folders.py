"""SegFormer-B0 on your own images: two folders and a list of classes.

    python -m jaxseg.doctor --config experiments/segformer_own_folders.py:DIR
    python -m jaxseg.main --config experiments/segformer_own_folders.py:DIR

DIR has images/{train,val} with .jpg files and labels/{train,val} with a .png of the same
name for each: a pixel is the number of its class in CLASSES, 255 where it has none. Write
your classes there. Without `:DIR` it is data/mine.

The backbone starts from ImageNet's weights, which are downloaded (14 MB). Recipe of
https://arxiv.org/abs/2105.15203 as mmseg has it, for 20000 iterations of 8 images.
"""

from typing import Any

import common

CLASSES = ("background", "foreground")
SCALE = (2048, 512)  # an image is within it, multiplied by 0.5 to 2 in training
CROP = (512, 512)


def get_config(data_root: str = "data/mine") -> dict[str, Any]:
    return dict(
        model=common.segformer_b0(len(CLASSES), CROP),
        **common.folders(data_root, CLASSES, SCALE, CROP),
        **common.adamw_schedule(20000),
    )
