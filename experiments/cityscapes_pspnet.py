"""PSPNet with ResNet-50 on Cityscapes, 40k iterations of 8 images at 512x1024.

    python -m jaxseg.main --config experiments/cityscapes_pspnet.py

Data: data/cityscapes in mmseg's layout (leftImg8bit, gtFine with labelTrainIds).
mmseg's model zoo gives 77.85 mIoU for this config
(pspnet_r50-d8_4xb2-40k_cityscapes-512x1024); it has not been trained with jaxseg yet.
"""

from typing import Any

import common

CLASSES = 19


def get_config() -> dict[str, Any]:
    return dict(
        model=dict(
            type="EncoderDecoder",
            data_preprocessor=common.preprocessor((512, 1024)),
            backbone=common.resnet_v1c(50, dilated=True),
            decode_head=dict(
                type="PSPHead",
                in_channels=2048,
                in_index=3,
                channels=512,
                pool_scales=(1, 2, 3, 6),
                dropout_ratio=0.1,
                num_classes=CLASSES,
                norm_cfg=common.SYNC_BN,
                loss_decode=dict(type="CrossEntropyLoss"),
            ),
            auxiliary_head=common.fcn_auxiliary_head(1024, CLASSES),
            test_cfg=dict(mode="whole"),
        ),
        **common.cityscapes((2048, 1024), (512, 1024)),
        **common.sgd_schedule(40_000),
    )
