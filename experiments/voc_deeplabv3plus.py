"""DeepLabV3+ with ResNet-50 on Pascal VOC 2012 + aug, 40k iterations of 16 images.

    python -m jaxseg.main --config experiments/voc_deeplabv3plus.py

Data: data/VOCdevkit/VOC2012 in mmseg's layout, with SegmentationClassAug and
ImageSets/Segmentation/aug.txt. mmseg's model zoo gives 76.81 mIoU for this config
(deeplabv3plus_r50-d8_4xb4-40k_voc12aug-512x512); it has not been trained with jaxseg
yet.
"""

from typing import Any

import common

CLASSES = 21


def get_config() -> dict[str, Any]:
    return dict(
        model=dict(
            type="EncoderDecoder",
            data_preprocessor=common.preprocessor((512, 512)),
            backbone=common.resnet_v1c(50, dilated=True),
            decode_head=dict(
                type="DepthwiseSeparableASPPHead",
                in_channels=2048,
                in_index=3,
                channels=512,
                dilations=(1, 12, 24, 36),
                c1_in_channels=256,
                c1_channels=48,
                dropout_ratio=0.1,
                num_classes=CLASSES,
                norm_cfg=common.SYNC_BN,
                loss_decode=dict(type="CrossEntropyLoss"),
            ),
            auxiliary_head=common.fcn_auxiliary_head(1024, CLASSES),
            test_cfg=dict(mode="whole"),
        ),
        **common.voc((2048, 512), (512, 512)),
        **common.sgd_schedule(40_000),
    )
