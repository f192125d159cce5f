"""DeepLabV3+ of pytorch-deeplab-xception on Pascal VOC 2012 + aug.

    python -m jaxseg.main --config experiments/voc_deeplab_xception.py
    python -m jaxseg.main --mode eval --config \
        experiments/voc_deeplab_xception.py:mobilenet --checkpoint model_best.pth.tar

The argument is the backbone: xception (the default), resnet, mobilenet or drn, with the
output strides of https://github.com/jfzhang95/pytorch-deeplab-xception, whose
checkpoints it takes as they are. Data as of voc_deeplabv3plus.py. The repository scores
the middle 513x513 pixels of an image whose short side is 513, this page all of it; it
has not been trained with jaxseg yet.
"""

from typing import Any

import common

CLASSES = 21
ITERATIONS = 33_000  # 50 epochs of 10,582 images


def get_config(backbone: str = "xception") -> dict[str, Any]:
    entry, in_channels, c1_in_channels = _BACKBONES[backbone]
    # The repository builds the heads of DRN, which is at 1/8, for that.
    wide = backbone == "drn"
    return dict(
        model=dict(
            type="EncoderDecoder",
            data_preprocessor=common.preprocessor((513, 513)),
            backbone=entry,
            decode_head=dict(
                type="DeepLabV3PlusHead",
                in_channels=in_channels,
                c1_in_channels=c1_in_channels,
                dilations=(1, 12, 24, 36) if wide else (1, 6, 12, 18),
                num_classes=CLASSES,
                norm_cfg=common.SYNC_BN,
                loss_decode=dict(type="CrossEntropyLoss", avg_non_ignore=True),
            ),
            test_cfg=dict(mode="whole"),
        ),
        **common.voc((2048, 513), (513, 513)),
        **_schedule(),
    )


_BACKBONES = {
    "xception": (dict(type="AlignedXception", norm_cfg=common.SYNC_BN), 2048, 128),
    "resnet": (
        dict(
            type="ResNet",
            depth=101,
            strides=(1, 2, 2, 1),
            dilations=(1, 1, 1, 2),
            multi_grid=(2, 4, 8),
            norm_cfg=common.SYNC_BN,
        ),
        2048,
        256,
    ),
    "mobilenet": (
        dict(
            type="MobileNetV2",
            strides=(1, 2, 2, 2, 1, 1, 1),
            dilations=(1, 1, 1, 1, 1, 1, 2),
            out_indices=(1, 6),
            pads_input=True,
            norm_cfg=common.SYNC_BN,
        ),
        320,
        24,
    ),
    "drn": (dict(type="DRN", arch="D", depth=54, norm_cfg=common.SYNC_BN), 512, 256),
}


def _schedule() -> dict[str, Any]:
    """The repository's: poly from 0.007, the head at ten times the backbone's rate."""
    schedule = common.sgd_schedule(ITERATIONS, lr=0.007)
    schedule["optim_wrapper"]["paramwise_cfg"] = dict(
        custom_keys=dict(decode_head=dict(lr_mult=10.0))
    )
    schedule["param_scheduler"][0]["eta_min"] = 0.0
    return schedule
