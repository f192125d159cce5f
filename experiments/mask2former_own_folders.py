"""Mask2Former with a ResNet-50 on your own images: two folders and a list of classes.

    python -m jaxseg.doctor --config experiments/mask2former_own_folders.py:DIR
    python -m jaxseg.main --config experiments/mask2former_own_folders.py:DIR

DIR has images/{train,val} with .jpg files and labels/{train,val} with a .png of the same
name for each: a pixel is the number of its class in CLASSES, 255 where it has none. Write
your classes there. Without `:DIR` it is data/mine.

The backbone starts from ImageNet's weights, which are downloaded (98 MB). Recipe of
https://arxiv.org/abs/2112.01527 as mmseg has it for ADE20K, for 40000 iterations of 8
images.
"""

from typing import Any

import common

CLASSES = ("background", "foreground")
SCALE = (2048, 512)  # an image is within it, multiplied by 0.5 to 2 in training
CROP = (512, 512)
ITERATIONS = 40000
LEVELS = 3  # maps that the queries look at
WIDTH = 256


def get_config(data_root: str = "data/mine") -> dict[str, Any]:
    no_decay = dict(lr_mult=1.0, decay_mult=0.0)
    return dict(
        model=_mask2former(len(CLASSES)),
        **common.folders(data_root, CLASSES, SCALE, CROP),
        optim_wrapper=dict(
            optimizer=dict(type="AdamW", lr=1e-4, weight_decay=0.05),
            clip_grad=dict(max_norm=0.01),
            paramwise_cfg=dict(
                custom_keys={
                    "backbone": dict(lr_mult=0.1),
                    "query_embed": no_decay,
                    "query_feat": no_decay,
                    "level_embed": no_decay,
                },
                norm_decay_mult=0.0,
            ),
        ),
        param_scheduler=[
            dict(type="PolyLR", power=0.9, eta_min=0.0, begin=0, end=ITERATIONS)
        ],
        **common.iterations(ITERATIONS, 2000),
    )


def _mask2former(num_classes: int) -> dict[str, Any]:
    return dict(
        type="EncoderDecoder",
        data_preprocessor=common.preprocessor(CROP),
        pretrained="torchvision://resnet50",
        backbone=dict(
            type="ResNet", depth=50, norm_cfg=dict(type="SyncBN", requires_grad=False)
        ),
        decode_head=dict(
            type="Mask2FormerHead",
            in_channels=[256, 512, 1024, 2048],
            feat_channels=WIDTH,
            out_channels=WIDTH,
            num_classes=num_classes,
            num_transformer_feat_level=LEVELS,
            pixel_decoder=dict(
                type="mmdet.MSDeformAttnPixelDecoder",
                num_outs=LEVELS,
                encoder=dict(num_layers=6, layer_cfg=_encoder_layer()),
            ),
            transformer_decoder=dict(num_layers=9, layer_cfg=_decoder_layer()),
            loss_cls=dict(
                type="mmdet.CrossEntropyLoss",
                class_weight=[1.0] * num_classes + [0.1],
                loss_weight=2.0,
            ),
            loss_mask=dict(
                type="mmdet.CrossEntropyLoss", use_sigmoid=True, loss_weight=5.0
            ),
            loss_dice=dict(
                type="mmdet.DiceLoss", naive_dice=True, eps=1.0, loss_weight=5.0
            ),
            train_cfg=dict(assigner=_assigner()),
        ),
        test_cfg=dict(mode="whole"),
    )


def _encoder_layer() -> dict[str, Any]:
    return dict(
        self_attn_cfg=dict(embed_dims=WIDTH, num_levels=LEVELS, dropout=0.0),
        ffn_cfg=dict(embed_dims=WIDTH, feedforward_channels=1024),
    )


def _decoder_layer() -> dict[str, Any]:
    return dict(
        self_attn_cfg=dict(embed_dims=WIDTH),
        cross_attn_cfg=dict(embed_dims=WIDTH),
        ffn_cfg=dict(embed_dims=WIDTH, feedforward_channels=2048),
    )


def _assigner() -> dict[str, Any]:
    return dict(
        type="mmdet.HungarianAssigner",
        match_costs=[
            dict(type="mmdet.ClassificationCost", weight=2.0),
            dict(type="mmdet.CrossEntropyLossCost", weight=5.0),
            dict(type="mmdet.DiceCost", weight=5.0, pred_act=True, eps=1.0),
        ],
    )
