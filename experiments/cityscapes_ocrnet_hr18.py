"""OCRNet with HRNet-W18 on Cityscapes, 40k iterations of 8 images at 512x1024.

    python -m jaxseg.main --config experiments/cityscapes_ocrnet_hr18.py

Data: data/cityscapes in mmseg's layout (leftImg8bit, gtFine with labelTrainIds).
mmseg's model zoo gives 77.72 mIoU for this config with ImageNet's weights in the
backbone (ocrnet_hr18_4xb2-40k_cityscapes-512x1024), which `model.pretrained` takes; it
has not been trained with jaxseg yet.
"""

from typing import Any

import common

CLASSES = 19
CHANNELS = (18, 36, 72, 144)


def get_config() -> dict[str, Any]:
    return dict(
        model=dict(
            type="CascadeEncoderDecoder",
            num_stages=2,
            data_preprocessor=common.preprocessor((512, 1024)),
            backbone=dict(
                type="HRNet",
                norm_cfg=common.SYNC_BN,
                extra=dict(
                    stage1=_stage(1, 4, (64,), block="BOTTLENECK"),
                    stage2=_stage(1, 4, CHANNELS[:2]),
                    stage3=_stage(4, 4, CHANNELS[:3]),
                    stage4=_stage(3, 4, CHANNELS),
                ),
            ),
            decode_head=[
                _head(
                    "FCNHead",
                    0.4,
                    channels=sum(CHANNELS),
                    kernel_size=1,
                    num_convs=1,
                    concat_input=False,
                ),
                _head("OCRHead", 1.0, channels=512, ocr_channels=256),
            ],
            test_cfg=dict(mode="whole"),
        ),
        **common.cityscapes((2048, 1024), (512, 1024)),
        **common.sgd_schedule(40_000),
    )


def _stage(
    modules: int, blocks: int, channels: tuple[int, ...], block: str = "BASIC"
) -> dict[str, Any]:
    return dict(
        num_modules=modules,
        num_branches=len(channels),
        block=block,
        num_blocks=(blocks,) * len(channels),
        num_channels=channels,
    )


def _head(kind: str, loss_weight: float, **config: Any) -> dict[str, Any]:
    return dict(
        type=kind,
        in_channels=CHANNELS,
        in_index=(0, 1, 2, 3),
        input_transform="resize_concat",
        dropout_ratio=-1,
        num_classes=CLASSES,
        norm_cfg=common.SYNC_BN,
        loss_decode=dict(type="CrossEntropyLoss", loss_weight=loss_weight),
        **config,
    )
