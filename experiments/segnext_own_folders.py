"""SegNeXt-T on your own images: two folders and a list of classes.

    python -m jaxseg.doctor --config experiments/segnext_own_folders.py:DIR
    python -m jaxseg.main --config experiments/segnext_own_folders.py:DIR

DIR has images/{train,val} with .jpg files and labels/{train,val} with a .png of the same
name for each: a pixel is the number of its class in CLASSES, 255 where it has none. Write
your classes there. Without `:DIR` it is data/mine.

The backbone starts from ImageNet's weights, which are downloaded. Recipe of
https://arxiv.org/abs/2209.08575 as mmseg has it, for 20000 iterations of 8 images.
"""

from typing import Any

import common

CLASSES = ("background", "foreground")
SCALE = (2048, 512)  # an image is within it, multiplied by 0.5 to 2 in training
CROP = (512, 512)
MSCAN_T = (
    "https://download.openmmlab.com/mmsegmentation/v0.5/pretrain/segnext/"
    "mscan_t_20230227-119e8c9f.pth"
)


def get_config(data_root: str = "data/mine") -> dict[str, Any]:
    return dict(
        model=_segnext(len(CLASSES)),
        **common.folders(data_root, CLASSES, SCALE, CROP),
        **common.adamw_schedule(20000),
    )


def _segnext(num_classes: int) -> dict[str, Any]:
    return dict(
        type="EncoderDecoder",
        data_preprocessor=common.preprocessor(CROP),
        backbone=dict(
            type="MSCAN",
            init_cfg=dict(type="Pretrained", checkpoint=MSCAN_T),
            embed_dims=[32, 64, 160, 256],
            mlp_ratios=[8, 8, 4, 4],
            depths=[3, 3, 5, 2],
            drop_path_rate=0.1,
            norm_cfg=common.SYNC_BN,
        ),
        decode_head=dict(
            type="LightHamHead",
            in_channels=[64, 160, 256],
            in_index=[1, 2, 3],
            channels=256,
            ham_channels=256,
            ham_kwargs=dict(MD_R=16),
            num_classes=num_classes,
            norm_cfg=dict(type="GN", num_groups=32),
            loss_decode=dict(type="CrossEntropyLoss", avg_non_ignore=True),
        ),
        test_cfg=dict(mode="whole"),
    )
