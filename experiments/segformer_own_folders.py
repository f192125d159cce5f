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
MIT_B0 = (
    "https://download.openmmlab.com/mmsegmentation/v0.5/pretrain/segformer/"
    "mit_b0_20220624-7e0fe6dd.pth"
)


def get_config(data_root: str = "data/mine") -> dict[str, Any]:
    return dict(
        model=_segformer(len(CLASSES)),
        **common.folders(data_root, CLASSES, SCALE, CROP),
        **common.adamw_schedule(20000),
    )


def _segformer(num_classes: int) -> dict[str, Any]:
    return dict(
        type="EncoderDecoder",
        data_preprocessor=common.preprocessor(CROP),
        backbone=dict(
            type="MixVisionTransformer",
            init_cfg=dict(type="Pretrained", checkpoint=MIT_B0),
            embed_dims=32,
            num_layers=[2, 2, 2, 2],
            num_heads=[1, 2, 5, 8],
            drop_path_rate=0.1,
        ),
        decode_head=dict(
            type="SegformerHead",
            in_channels=[32, 64, 160, 256],
            in_index=[0, 1, 2, 3],
            channels=256,
            num_classes=num_classes,
            norm_cfg=common.SYNC_BN,
            loss_decode=dict(type="CrossEntropyLoss", avg_non_ignore=True),
        ),
        test_cfg=dict(mode="whole"),
    )
