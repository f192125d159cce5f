"""A run of seconds, for tests that start the command line: `tiny.py:DATA_FOLDER`.

Five squares of one colour a class on 64x64 images; `conftest.py` draws them. The state
has everything that a run can carry: momentum, running statistics, a moving average,
dropout.
"""

from typing import Any

CLASSES = ("ground", "red", "green", "blue")
PALETTE = ((40, 40, 40), (220, 30, 30), (30, 200, 30), (30, 30, 220))
NORM = dict(type="SyncBN", requires_grad=True)


def get_config(data_root: str) -> dict[str, Any]:
    return dict(
        model=dict(
            type="EncoderDecoder",
            data_preprocessor=dict(
                type="SegDataPreProcessor",
                mean=[127.5] * 3,
                std=[60.0] * 3,
                bgr_to_rgb=True,
                size=(64, 64),
            ),
            backbone=dict(
                type="UNet",
                base_channels=4,
                num_stages=2,
                strides=(2, 1),
                enc_num_convs=(1, 1),
                dec_num_convs=(1,),
                downsamples=(True,),
                enc_dilations=(1, 1),
                dec_dilations=(1,),
                norm_cfg=NORM,
            ),
            decode_head=dict(
                type="FCNHead",
                in_channels=4,
                in_index=1,
                channels=8,
                num_convs=1,
                concat_input=False,
                dropout_ratio=0.1,
                num_classes=len(CLASSES),
                norm_cfg=NORM,
            ),
        ),
        train_dataloader=dict(
            batch_size=4,
            dataset=_dataset(data_root, "train", [dict(type="RandomFlip", prob=0.5)]),
        ),
        val_dataloader=dict(batch_size=2, dataset=_dataset(data_root, "val", [])),
        optim_wrapper=dict(
            optimizer=dict(type="SGD", lr=0.1, momentum=0.9, weight_decay=1e-4)
        ),
        param_scheduler=[dict(type="PolyLR", power=0.9, eta_min=1e-4)],
        train_cfg=dict(max_iters=60, val_interval=30),
        default_hooks=dict(
            checkpoint=dict(interval=10, max_keep_ckpts=3), logger=dict(interval=1)
        ),
        ema=dict(momentum=0.05),
        randomness=dict(seed=3),
    )


def _dataset(
    data_root: str, split: str, augmentation: list[dict[str, Any]]
) -> dict[str, Any]:
    return dict(
        type="BaseSegDataset",
        data_root=data_root,
        data_prefix=dict(img_path=f"images/{split}", seg_map_path=f"labels/{split}"),
        img_suffix=".png",
        metainfo=dict(classes=CLASSES, palette=PALETTE),
        pipeline=[
            dict(type="LoadImageFromFile"),
            dict(type="LoadAnnotations"),
            *augmentation,
            dict(type="PackSegInputs"),
        ],
    )
