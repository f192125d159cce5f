"""FCN-UNet on DRIVE's retinal vessels, 40k iterations of 16 patches of 64x64.

    python -m jaxseg.main --config experiments/drive_unet.py

Data: data/DRIVE in mmseg's layout, labels 0 and 1. mmseg's model zoo gives 88.38 mDice
for this config (unet-s5-d16_fcn_4xb4-40k_drive-64x64); it has not been trained with
jaxseg yet.
"""

from typing import Any

import common

CLASSES = 2
SCALE = (584, 565)
CROP = (64, 64)


def get_config() -> dict[str, Any]:
    config = dict(
        model=dict(
            type="EncoderDecoder",
            data_preprocessor=common.preprocessor(CROP),
            backbone=dict(type="UNet", norm_cfg=common.SYNC_BN),
            decode_head=_head(64, in_index=4, channels=64, loss_weight=1.0),
            auxiliary_head=_head(128, in_index=3, channels=64, loss_weight=0.4),
            test_cfg=dict(mode="slide", crop_size=CROP, stride=(42, 42)),
        ),
        train_dataloader=dict(
            batch_size=16,
            dataset=dict(
                type="RepeatDataset",
                times=40_000,
                dataset=_dataset("training", common.train_pipeline(SCALE, CROP)),
            ),
        ),
        val_dataloader=dict(
            dataset=_dataset("validation", common.test_pipeline(SCALE))
        ),
        val_evaluator=dict(type="IoUMetric", iou_metrics=["mDice"]),
        **common.sgd_schedule(40_000),
    )
    config["default_hooks"]["checkpoint"]["save_best"] = "mDice"
    return config


def _head(
    in_channels: int, in_index: int, channels: int, loss_weight: float
) -> dict[str, Any]:
    return dict(
        type="FCNHead",
        in_channels=in_channels,
        in_index=in_index,
        channels=channels,
        num_convs=1,
        concat_input=False,
        dropout_ratio=0.1,
        num_classes=CLASSES,
        norm_cfg=common.SYNC_BN,
        loss_decode=dict(type="CrossEntropyLoss", loss_weight=loss_weight),
    )


def _dataset(split: str, pipeline: list[dict[str, Any]]) -> dict[str, Any]:
    return dict(
        type="DRIVEDataset",
        data_root="data/DRIVE",
        data_prefix=dict(
            img_path=f"images/{split}", seg_map_path=f"annotations/{split}"
        ),
        pipeline=pipeline,
    )
