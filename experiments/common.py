"""Pieces that several experiments share."""

from typing import Any

# ImageNet's mean and standard deviation, RGB, of pixels from 0 to 255.
IMAGENET = dict(
    mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375], bgr_to_rgb=True
)

SYNC_BN = dict(type="SyncBN", requires_grad=True)


def preprocessor(crop_size: tuple[int, int] | None = None) -> dict[str, Any]:
    """ImageNet's normalisation; training samples are padded to crop_size."""
    return dict(type="SegDataPreProcessor", **IMAGENET, size=crop_size)


def train_pipeline(
    scale: tuple[int, int], crop_size: tuple[int, int]
) -> list[dict[str, Any]]:
    """mmseg's usual augmentation.

    Args:
        scale: (width, height) that the random ratio multiplies.
        crop_size: (height, width).
    """
    return [
        dict(type="LoadImageFromFile"),
        dict(type="LoadAnnotations"),
        dict(type="RandomResize", scale=scale, ratio_range=(0.5, 2.0), keep_ratio=True),
        dict(type="RandomCrop", crop_size=crop_size, cat_max_ratio=0.75),
        dict(type="RandomFlip", prob=0.5),
        dict(type="PhotoMetricDistortion"),
        dict(type="PackSegInputs"),
    ]


def test_pipeline(scale: tuple[int, int]) -> list[dict[str, Any]]:
    """The image resized within scale (width, height), the label as it is."""
    return [
        dict(type="LoadImageFromFile"),
        dict(type="Resize", scale=scale, keep_ratio=True),
        dict(type="LoadAnnotations"),
        dict(type="PackSegInputs"),
    ]


def sgd_schedule(max_iters: int, lr: float = 0.01) -> dict[str, Any]:
    """mmseg's schedule of the ResNet models: SGD, poly, ten evaluations."""
    return dict(
        optim_wrapper=dict(
            optimizer=dict(type="SGD", lr=lr, momentum=0.9, weight_decay=0.0005)
        ),
        param_scheduler=[
            dict(type="PolyLR", eta_min=1e-4, power=0.9, begin=0, end=max_iters)
        ],
        train_cfg=dict(max_iters=max_iters, val_interval=max_iters // 10),
        default_hooks=dict(
            checkpoint=dict(interval=max_iters // 10, save_best="mIoU"),
            logger=dict(interval=50),
        ),
    )


def resnet_v1c(depth: int, dilated: bool) -> dict[str, Any]:
    """ResNetV1c as mmseg's models have it; dilated keeps 1/8 of the resolution."""
    return dict(
        type="ResNetV1c",
        depth=depth,
        dilations=(1, 1, 2, 4) if dilated else (1, 1, 1, 1),
        strides=(1, 2, 1, 1) if dilated else (1, 2, 2, 2),
        norm_cfg=SYNC_BN,
        contract_dilation=True,
    )


def fcn_auxiliary_head(in_channels: int, num_classes: int) -> dict[str, Any]:
    """The auxiliary head on the third stage."""
    return dict(
        type="FCNHead",
        in_channels=in_channels,
        in_index=2,
        channels=256,
        num_convs=1,
        concat_input=False,
        dropout_ratio=0.1,
        num_classes=num_classes,
        norm_cfg=SYNC_BN,
        loss_decode=dict(type="CrossEntropyLoss", loss_weight=0.4),
    )


def cityscapes(scale: tuple[int, int], crop_size: tuple[int, int]) -> dict[str, Any]:
    """The loaders of data/cityscapes; scale and crop_size as of `train_pipeline`."""
    root = "data/cityscapes"
    images, labels = "leftImg8bit/{}", "gtFine/{}"
    dataset = ("CityscapesDataset", root, images, labels)
    return _loaders(dataset, scale, crop_size, workers=4)


def camvid(
    data_root: str, scale: tuple[int, int], crop_size: tuple[int, int]
) -> dict[str, Any]:
    """The loaders of CamVid; scale and crop_size as of `train_pipeline`."""
    images, labels = "images/{}", "annotations/{}"
    dataset = ("CamVidDataset", data_root, images, labels)
    return _loaders(dataset, scale, crop_size, val_batch=4)


def _loaders(dataset, scale, crop_size, workers=0, val_batch=1):
    kind, root, images, labels = dataset

    def loader(split, pipeline, batch_size):
        prefix = dict(img_path=images.format(split), seg_map_path=labels.format(split))
        return dict(
            batch_size=batch_size,
            num_workers=workers,
            dataset=dict(
                type=kind, data_root=root, data_prefix=prefix, pipeline=pipeline
            ),
        )

    return dict(
        train_dataloader=loader("train", train_pipeline(scale, crop_size), 8),
        val_dataloader=loader("val", test_pipeline(scale), val_batch),
    )
