"""UPerNet with ResNet-50 on ADE20K, 160k iterations of 16 images.

    python -m jaxseg.main --config experiments/ade20k_upernet.py

Data: data/ade/ADEChallengeData2016 in mmseg's layout. mmseg's model zoo gives 42.05
mIoU for this config (upernet_r50_4xb4-160k_ade20k-512x512); it has not been trained
with jaxseg yet.
"""

from typing import Any

import common

CLASSES = 150


def get_config() -> dict[str, Any]:
    return dict(
        model=dict(
            type="EncoderDecoder",
            data_preprocessor=common.preprocessor((512, 512)),
            backbone=common.resnet_v1c(50, dilated=False),
            decode_head=dict(
                type="UPerHead",
                in_channels=[256, 512, 1024, 2048],
                in_index=[0, 1, 2, 3],
                pool_scales=(1, 2, 3, 6),
                channels=512,
                dropout_ratio=0.1,
                num_classes=CLASSES,
                norm_cfg=common.SYNC_BN,
                loss_decode=dict(type="CrossEntropyLoss"),
            ),
            auxiliary_head=common.fcn_auxiliary_head(1024, CLASSES),
            test_cfg=dict(mode="whole"),
        ),
        **common.ade20k((2048, 512), (512, 512)),
        **common.sgd_schedule(160_000),
    )
