"""Semantic FPN with ResNet-18 on CamVid's road scenes, small enough for a CPU.

    python -m jaxseg.main --config experiments/camvid_fpn.py

Data: data/camvid with images/{train,val} and annotations/{train,val}, 480x360, 11
classes; `--config experiments/camvid_fpn.py:DIR` takes it from elsewhere.

Measured with this file, seed 0, from fresh weights, on two CPU cores: 40.72 val mIoU,
83.26 aAcc after its 1500 iterations (12000 crops, 33 passes over 367 images).
"""

from typing import Any

import common

CLASSES = 11
CROP = (192, 256)
SCALE = (480, 360)


def get_config(data_root: str = "data/camvid") -> dict[str, Any]:
    return dict(
        model=dict(
            type="EncoderDecoder",
            data_preprocessor=common.preprocessor(CROP),
            backbone=common.resnet_v1c(18, dilated=False),
            neck=dict(
                type="FPN",
                in_channels=[64, 128, 256, 512],
                out_channels=64,
                num_outs=4,
            ),
            decode_head=dict(
                type="FPNHead",
                in_channels=[64] * 4,
                in_index=[0, 1, 2, 3],
                feature_strides=[4, 8, 16, 32],
                channels=64,
                dropout_ratio=0.1,
                num_classes=CLASSES,
                norm_cfg=common.SYNC_BN,
                loss_decode=dict(type="CrossEntropyLoss", avg_non_ignore=True),
            ),
            test_cfg=dict(mode="whole"),
        ),
        **common.camvid(data_root, SCALE, CROP),
        **common.camvid_schedule(1500, lr=0.05, weight_decay=5e-4, saved_each=250),
    )
