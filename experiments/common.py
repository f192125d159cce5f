"""Pieces that several experiments share."""

from typing import Any

# ImageNet's mean and standard deviation, RGB, of pixels from 0 to 255.
IMAGENET = dict(
    mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375], bgr_to_rgb=True
)

SYNC_BN = dict(type="SyncBN", requires_grad=True)

MIT_B0 = (
    "https://download.openmmlab.com/mmsegmentation/v0.5/pretrain/segformer/"
    "mit_b0_20220624-7e0fe6dd.pth"
)


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


def iterations(
    count: int, evaluated_each: int, saved_each: int = 0, logged_each: int = 50
) -> dict[str, Any]:
    """How long a run is; it is saved as often as evaluated where nothing else is said."""
    saved = dict(interval=saved_each or evaluated_each, save_best="mIoU")
    return dict(
        train_cfg=dict(max_iters=count, val_interval=evaluated_each),
        default_hooks=dict(checkpoint=saved, logger=dict(interval=logged_each)),
    )


def sgd_schedule(max_iters: int, lr: float = 0.01) -> dict[str, Any]:
    """mmseg's schedule of the ResNet models: SGD, poly, ten evaluations."""
    return dict(
        optim_wrapper=dict(
            optimizer=dict(type="SGD", lr=lr, momentum=0.9, weight_decay=0.0005)
        ),
        param_scheduler=[
            dict(type="PolyLR", eta_min=1e-4, power=0.9, begin=0, end=max_iters)
        ],
        **iterations(max_iters, max_iters // 10),
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


def segformer_b0(num_classes: int, crop_size: tuple[int, int]) -> dict[str, Any]:
    """SegFormer-B0 (https://arxiv.org/abs/2105.15203) with ImageNet's weights."""
    return dict(
        type="EncoderDecoder",
        data_preprocessor=preprocessor(crop_size),
        backbone=dict(
            type="MixVisionTransformer",
            init_cfg=dict(type="Pretrained", checkpoint=MIT_B0),
            embed_dims=32,
            num_layers=[2, 2, 2, 2],
            num_heads=[1, 2, 5, 8],
            drop_path_rate=0.1,
        ),
        decode_head=dict(
            type="SegformerHead",
            in_channels=[32, 64, 160, 256],
            in_index=[0, 1, 2, 3],
            channels=256,
            num_classes=num_classes,
            norm_cfg=SYNC_BN,
            loss_decode=dict(type="CrossEntropyLoss", avg_non_ignore=True),
        ),
        test_cfg=dict(mode="whole"),
    )


def cityscapes(scale: tuple[int, int], crop_size: tuple[int, int]) -> dict[str, Any]:
    """The loaders of data/cityscapes; scale and crop_size as of `train_pipeline`."""
    dataset = dict(type="CityscapesDataset", data_root="data/cityscapes")

    def of_split(split):
        folders = dict(img_path=f"leftImg8bit/{split}", seg_map_path=f"gtFine/{split}")
        return dataset | dict(data_prefix=folders)

    return loaders([of_split("train")], of_split("val"), scale, crop_size)


def ade20k(scale: tuple[int, int], crop_size: tuple[int, int]) -> dict[str, Any]:
    """The loaders of ADE20K; scale and crop_size as of `train_pipeline`."""
    dataset = dict(type="ADE20KDataset", data_root="data/ade/ADEChallengeData2016")

    def of_split(split):
        folders = dict(img_path=f"images/{split}", seg_map_path=f"annotations/{split}")
        return dataset | dict(data_prefix=folders)

    train, val = of_split("training"), of_split("validation")
    return loaders([train], val, scale, crop_size, batch_size=16)


def voc(scale: tuple[int, int], crop_size: tuple[int, int]) -> dict[str, Any]:
    """The loaders of VOC 2012, trained on SBD's labels too; arguments as above."""

    def dataset(labels, names):
        return dict(
            type="PascalVOCDataset",
            data_root="data/VOCdevkit/VOC2012",
            data_prefix=dict(img_path="JPEGImages", seg_map_path=labels),
            ann_file=f"ImageSets/Segmentation/{names}",
        )

    own, more = (
        dataset("SegmentationClass", "train.txt"),
        dataset("SegmentationClassAug", "aug.txt"),
    )
    val = dataset("SegmentationClass", "val.txt")
    return loaders([own, more], val, scale, crop_size, batch_size=16)


def camvid(
    data_root: str, scale: tuple[int, int], crop_size: tuple[int, int]
) -> dict[str, Any]:
    """The loaders of CamVid; scale and crop_size as of `train_pipeline`."""
    dataset = dict(type="CamVidDataset", data_root=data_root)

    def of_split(split):
        folders = dict(img_path=f"images/{split}", seg_map_path=f"annotations/{split}")
        return dataset | dict(data_prefix=folders)

    config = loaders([of_split("train")], of_split("val"), scale, crop_size, workers=0)
    config["val_dataloader"]["batch_size"] = 4
    return config


def folders(
    data_root: str,
    classes: tuple[str, ...],
    scale: tuple[int, int],
    crop_size: tuple[int, int],
) -> dict[str, Any]:
    """The loaders of one's own images/{train,val}/*.jpg and labels/{train,val}/*.png.

    Args:
        data_root: the folder that has both.
        classes: their names, the first one that of label 0.
        scale, crop_size: as of `train_pipeline`.
    """
    dataset = dict(
        type="BaseSegDataset",
        data_root=data_root,
        img_suffix=".jpg",
        seg_map_suffix=".png",
        metainfo=dict(classes=classes),
    )

    def of_split(split):
        folders = dict(img_path=f"images/{split}", seg_map_path=f"labels/{split}")
        return dataset | dict(data_prefix=folders)

    return loaders([of_split("train")], of_split("val"), scale, crop_size)


def loaders(
    train: list[dict[str, Any]],
    val: dict[str, Any],
    scale: tuple[int, int],
    crop_size: tuple[int, int],
    batch_size: int = 8,
    workers: int = 4,
) -> dict[str, Any]:
    """The loaders of data sets that lack their pipelines; those of `train` are joined."""
    parts = [part | dict(pipeline=train_pipeline(scale, crop_size)) for part in train]
    joined = dict(type="ConcatDataset", datasets=parts)
    return dict(
        train_dataloader=dict(
            batch_size=batch_size,
            num_workers=workers,
            dataset=parts[0] if len(parts) == 1 else joined,
        ),
        val_dataloader=dict(
            num_workers=workers, dataset=val | dict(pipeline=test_pipeline(scale))
        ),
    )


def adamw_schedule(max_iters: int, warm_up: int = 1500) -> dict[str, Any]:
    """mmseg's schedule of SegFormer and SegNeXt: AdamW, a warm-up, ten evaluations."""
    no_decay, faster = dict(decay_mult=0.0), dict(lr_mult=10.0)
    return dict(
        optim_wrapper=dict(
            optimizer=dict(type="AdamW", lr=6e-5, weight_decay=0.01),
            paramwise_cfg=dict(custom_keys={"norm": no_decay, "head": faster}),
        ),
        param_scheduler=[
            dict(type="LinearLR", start_factor=1e-6, begin=0, end=warm_up),
            dict(type="PolyLR", power=1.0, eta_min=0.0, begin=warm_up, end=max_iters),
        ],
        **iterations(max_iters, max_iters // 10),
    )


def camvid_schedule(
    max_iters: int, lr: float, weight_decay: float, saved_each: int
) -> dict[str, Any]:
    """SGD with a warm-up of 100 iterations, poly, an evaluation each 500."""
    return dict(
        optim_wrapper=dict(
            optimizer=dict(type="SGD", lr=lr, momentum=0.9, weight_decay=weight_decay)
        ),
        param_scheduler=[
            dict(type="LinearLR", start_factor=0.01, begin=0, end=100),
            dict(type="PolyLR", power=0.9, eta_min=1e-4, begin=100, end=max_iters),
        ],
        **iterations(max_iters, 500, saved_each, logged_each=25),
    )
