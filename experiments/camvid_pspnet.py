"""PSPNet with ResNet-18 on CamVid's road scenes, from fresh weights.

    python -m jaxseg.main --config experiments/camvid_pspnet.py

Data: data/camvid with images/{train,val} and annotations/{train,val}, 480x360, 11
classes; `--config experiments/camvid_pspnet.py:DIR` takes it from elsewhere.
"""

from typing import Any

import common

CLASSES = 11
CROP = (240, 320)


def get_config(data_root: str = "data/camvid") -> dict[str, Any]:
    max_iters = 2000
    return dict(
        model=dict(
            type="EncoderDecoder",
            data_preprocessor=common.preprocessor(CROP),
            backbone=common.resnet_v1c(18, dilated=True)
            | dict(strides=(1, 2, 2, 1), dilations=(1, 1, 1, 2)),
            decode_head=dict(
                type="PSPHead",
                in_channels=512,
                in_index=3,
                channels=128,
                pool_scales=(1, 2, 3, 6),
                dropout_ratio=0.1,
                num_classes=CLASSES,
                norm_cfg=common.SYNC_BN,
                loss_decode=dict(type="CrossEntropyLoss", avg_non_ignore=True),
            ),
            auxiliary_head=common.fcn_auxiliary_head(256, CLASSES) | dict(channels=64),
            test_cfg=dict(mode="whole"),
        ),
        train_dataloader=dict(
            batch_size=8,
            dataset=_dataset(
                data_root, "train", common.train_pipeline((480, 360), CROP)
            ),
        ),
        val_dataloader=dict(
            batch_size=4,
            dataset=_dataset(data_root, "val", common.test_pipeline((480, 360))),
        ),
        optim_wrapper=dict(
            optimizer=dict(type="AdamW", lr=1e-3, weight_decay=0.01),
            clip_grad=dict(max_norm=1.0),
        ),
        param_scheduler=[
            dict(type="LinearLR", start_factor=0.01, begin=0, end=100),
            dict(type="PolyLR", power=0.9, eta_min=0.0, begin=100, end=max_iters),
        ],
        train_cfg=dict(max_iters=max_iters, val_interval=500),
        default_hooks=dict(
            checkpoint=dict(interval=500, save_best="mIoU"), logger=dict(interval=50)
        ),
    )


def _dataset(
    data_root: str, split: str, pipeline: list[dict[str, Any]]
) -> dict[str, Any]:
    return dict(
        type="CamVidDataset",
        data_root=data_root,
        data_prefix=dict(
            img_path=f"images/{split}", seg_map_path=f"annotations/{split}"
        ),
        pipeline=pipeline,
    )
