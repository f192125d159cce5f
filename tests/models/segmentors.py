"""Segmentors: small ones, in which every entry of the tables of contents stands."""

import pytest

from tests.models.cases import BACKBONES, HEADS
from tests.models.segmentor_parts import (
    CE,
    CLASSES,
    FPN,
    FPN_HEAD,
    NORM,
    OHEM,
    PYRAMID,
    SIDE,
    head,
    last,
    resnet,
    resnext,
    unet,
    vit,
)

SEGMENTORS = {
    "psp": dict(
        backbone=resnet(),
        decode_head=last("PSPHead", sampler=OHEM),
        auxiliary_head=head("FCNHead", in_channels=32, in_index=2, num_convs=1),
    ),
    "aspp": dict(
        backbone=resnet("ResNet"),
        decode_head=last("ASPPHead", loss="DiceLoss", dilations=[1, 2]),
        auxiliary_head=last("FCNHead", loss="DiceLossV0"),
    ),
    "sep_aspp": dict(
        backbone=resnet("ResNetV1d"),
        decode_head=last(
            "DepthwiseSeparableASPPHead",
            dilations=[1, 2],
            c1_in_channels=8,
            c1_channels=4,
        ),
    ),
    "xception": dict(
        backbone=dict(
            BACKBONES["AlignedXception"].config, type="AlignedXception", norm_cfg=NORM
        ),
        decode_head=last(
            "DeepLabV3PlusHead", 8, c1_in_channels=4, dilations=[1, 2], c1_channels=4
        ),
    ),
    "drn": dict(
        backbone=dict(BACKBONES["DRN"].config, type="DRN", norm_cfg=NORM),
        decode_head=last("FCNHead", 8, num_convs=1),
    ),
    "resnext": dict(
        # Ordinary blocks, and deformable ones with a plugin.
        backbone=resnext("ResNeXt")
        | dict(
            dcn=dict(type="DCNv2"),
            stage_with_dcn=[False, True],
            plugins=[
                dict(
                    cfg=dict(type="ContextBlock", ratio=0.25),
                    stages=[False, True],
                    position="after_conv3",
                )
            ],
        ),
        decode_head=last("FCNHead", num_convs=1),
    ),
    "resnest": dict(
        backbone=resnext("ResNeSt"), decode_head=last("FCNHead", num_convs=1)
    ),
    "hrnet": dict(
        backbone=dict(BACKBONES["HRNet"].config, type="HRNet", norm_cfg=NORM),
        decode_head=head(
            "FCNHead",
            in_channels=[4, 6, 8, 10],
            in_index=[0, 1, 2, 3],
            input_transform="resize_concat",
            kernel_size=1,
            num_convs=1,
            concat_input=False,
            dropout_ratio=-1,
        ),
    ),
    "mobilenet_v2": dict(
        backbone=dict(
            BACKBONES["MobileNetV2"].config, type="MobileNetV2", norm_cfg=NORM
        ),
        decode_head=last("FCNHead", 32, num_convs=1),
    ),
    "mobilenet_v3": dict(
        backbone=dict(type="MobileNetV3", reduction_factor=4, norm_cfg=NORM),
        decode_head=last("FCNHead", 576, num_convs=1),
    ),
    "lraspp": dict(
        backbone=unet("InterpConv"),
        decode_head=head(
            "LRASPPHead",
            in_channels=[32, 16, 8],
            in_index=[0, 1, 2],
            input_transform="multiple_select",
        ),
    ),
    "fast_scnn": dict(
        backbone=dict(BACKBONES["FastSCNN"].config, type="FastSCNN", norm_cfg=NORM),
        decode_head=last("DepthwiseSeparableFCNHead", 10, concat_input=False),
        auxiliary_head=head("FCNHead", in_channels=8, in_index=0, num_convs=1),
    ),
    "erfnet": dict(
        backbone=dict(BACKBONES["ERFNet"].config, type="ERFNet"),
        decode_head=last("FCNHead", 5, num_convs=1, concat_input=False),
    ),
    "bisenetv2": dict(
        backbone=dict(BACKBONES["BiSeNetV2"].config, type="BiSeNetV2"),
        decode_head=head("FCNHead", in_channels=8, in_index=0, num_convs=1),
        auxiliary_head=[
            head("FCNHead", in_channels=channels, in_index=index)
            for index, channels in enumerate((4, 5, 6, 8), start=1)
        ],
    ),
    "bisenetv1": dict(
        backbone=dict(BACKBONES["BiSeNetV1"].config, type="BiSeNetV1"),
        decode_head=head("FCNHead", in_channels=10, in_index=0, num_convs=1),
        auxiliary_head=[
            head("FCNHead", in_channels=8, in_index=index) for index in (1, 2)
        ],
    ),
    "cgnet": dict(
        backbone=dict(BACKBONES["CGNet"].config, type="CGNet", norm_cfg=NORM),
        decode_head=head(
            "FCNHead",
            in_channels=16,
            in_index=2,
            num_convs=0,
            concat_input=False,
        ),
    ),
    "uper": dict(backbone=resnet(), decode_head=head("UPerHead", **PYRAMID)),
    "fpn": dict(
        backbone=resnet(),
        neck=FPN,
        decode_head=FPN_HEAD,
    ),
    "unet": dict(
        backbone=unet("InterpConv"), decode_head=last("FCNHead", 8, num_convs=1)
    ),
    "unet_deconv": dict(
        backbone=unet("DeconvModule"), decode_head=last("FCNHead", 8, num_convs=1)
    ),
    "vit": dict(
        backbone=vit(2, drop_path_rate=0.1),
        neck=dict(
            type="MultiLevelNeck", in_channels=[16, 16], out_channels=16, scales=[2, 1]
        ),
        decode_head=head("UPerHead", in_channels=[16, 16], in_index=[0, 1]),
    ),
    "vit_pyramid": dict(
        backbone=vit(4),
        neck=dict(type="Feature2Pyramid", embed_dim=16, norm_cfg=NORM),
        decode_head=dict(FPN_HEAD, feature_strides=[2, 4, 8, 16]),
    ),
    "vit_mla": dict(
        backbone=vit(2),
        neck=dict(type="MLANeck", in_channels=[16, 16], out_channels=8, norm_cfg=NORM),
        decode_head=head(
            "SETRMLAHead", in_channels=[8, 8], in_index=[0, 1], mla_channels=8
        ),
        auxiliary_head=head("SETRUPHead", in_channels=8, in_index=0, up_scale=2),
    ),
    "segmenter": dict(
        backbone=vit(2, final_norm=True),
        decode_head=dict(
            HEADS["SegmenterMaskTransformerHead"].config,
            type="SegmenterMaskTransformerHead",
            in_channels=16,
            num_classes=CLASSES,
            num_layers=1,
        ),
    ),
    "dpt": dict(
        backbone=vit(4, output_cls_token=True),
        decode_head=head(
            "DPTHead",
            in_channels=[16] * 4,
            in_index=[0, 1, 2, 3],
            embed_dims=16,
            post_process_channels=[4, 6, 8, 10],
            readout_type="project",
        ),
    ),
    "enc": dict(
        backbone=resnet(),
        decode_head=head(
            "EncHead",
            in_channels=[64],
            in_index=[3],
            num_codes=4,
            loss_se_decode=dict(CE, use_sigmoid=True),
        ),
    ),
    "ocr": dict(
        type="CascadeEncoderDecoder",
        num_stages=2,
        backbone=resnet(),
        decode_head=[
            last("FCNHead", num_convs=1),
            last("OCRHead", ocr_channels=8),
        ],
    ),
    "context": dict(
        backbone=resnet(),
        decode_head=last("NLHead"),
        auxiliary_head=[
            last("DNLHead"),
            last("GCHead"),
            last("APCHead"),
            last("CCHead"),
            last("DAHead", pam_channels=8),
            last("DMHead"),
            last("ISAHead", isa_channels=8),
            last("PSAHead", mask_size=[9, 9]),
            last("EMAHead", ema_channels=16, num_bases=8, num_stages=2),
            head("ANNHead", in_channels=[32, 64], in_index=[2, 3], project_channels=8),
        ],
    ),
    "jpu": dict(
        backbone=resnet(out_indices=(1, 2, 3)),
        neck=dict(type="JPU", in_channels=[16, 32, 64], mid_channels=16),
        decode_head=last("PSPHead"),
    ),
    "point_rend": dict(
        type="CascadeEncoderDecoder",
        num_stages=2,
        backbone=resnet(),
        neck=FPN,
        decode_head=[
            FPN_HEAD,
            dict(
                type="PointHead",
                in_channels=[16],
                in_index=[0],
                channels=16,
                num_classes=CLASSES,
                num_points=64,
            ),
        ],
    ),
    "stdc": dict(
        backbone=dict(
            BACKBONES["STDCContextPathNet"].config, type="STDCContextPathNet"
        ),
        decode_head=head(
            "FCNHead", in_channels=6, in_index=3, num_convs=1, sampler=OHEM
        ),
        auxiliary_head=[
            head("FCNHead", in_channels=4, in_index=2, num_convs=1),
            dict(
                type="STDCHead",
                in_channels=8,
                in_index=0,
                channels=8,
                num_classes=2,
                norm_cfg=NORM,
                loss_decode=[dict(CE, use_sigmoid=True), dict(type="DiceLoss")],
            ),
        ],
    ),
    "icnet": dict(
        backbone=dict(BACKBONES["ICNet"].config, type="ICNet", norm_cfg=NORM),
        neck=dict(type="ICNeck", in_channels=[4, 6, 8], out_channels=8, norm_cfg=NORM),
        decode_head=head("FCNHead", in_channels=8, in_index=2, num_convs=1),
        auxiliary_head=[
            head("FCNHead", in_channels=8, in_index=0, num_convs=1),
            head("FCNHead", in_channels=8, in_index=1, num_convs=1),
        ],
    ),
    "segnext": dict(
        backbone=dict(BACKBONES["MSCAN"].config, type="MSCAN", norm_cfg=NORM),
        decode_head=head(
            "LightHamHead",
            in_channels=[4, 6],
            in_index=[0, 1],
            ham_channels=8,
            ham_kwargs=dict(MD_R=4),
            norm_cfg=dict(type="GN", num_groups=4),
        ),
    ),
    "convnext": dict(
        backbone=dict(BACKBONES["ConvNeXt"].config, type="ConvNeXt"),
        decode_head=last("FCNHead", 6, num_convs=1),
    ),
    "poolformer": dict(
        backbone=dict(BACKBONES["PoolFormer"].config, type="PoolFormer"),
        decode_head=last("FCNHead", 6, num_convs=1),
    ),
    **{
        size: dict(
            backbone=dict(BACKBONES[size].config, type=size, norm_cfg=NORM),
            decode_head=last("FCNHead", 6, num_convs=1),
        )
        for size in ("VAN", "VANTiny", "VANSmall", "VANBase", "VANLarge")
    },
    "ddrnet": dict(
        backbone=dict(type="DDRNet", channels=8, ppm_channels=8, norm_cfg=NORM),
        decode_head=dict(
            type="DDRHead",
            in_channels=32,
            channels=8,
            num_classes=CLASSES,
            norm_cfg=NORM,
            loss_decode=[dict(type="OhemCrossEntropy", min_kept=100)] * 2,
        ),
    ),
    "pidnet": dict(
        backbone=dict(
            type="PIDNet",
            channels=8,
            ppm_channels=8,
            num_branch_blocks=2,
            norm_cfg=NORM,
        ),
        decode_head=dict(
            type="PIDHead",
            in_channels=32,
            channels=8,
            num_classes=CLASSES,
            norm_cfg=NORM,
            loss_decode=[
                CE,
                dict(type="OhemCrossEntropy", min_kept=100),
                dict(type="BoundaryLoss"),
                dict(type="OhemCrossEntropy", min_kept=100),
            ],
        ),
    ),
    "beit": dict(
        backbone=dict(BACKBONES["BEiT"].config, type="BEiT", img_size=SIDE),
        decode_head=last("FCNHead", 8, num_convs=1, concat_input=False),
    ),
    "mae": dict(
        backbone=dict(BACKBONES["MAE"].config, type="MAE", img_size=SIDE),
        decode_head=last("FCNHead", 8, num_convs=1, concat_input=False),
    ),
    "dinov2": dict(
        backbone=dict(BACKBONES["DINOv2"].config, type="DINOv2"),
        decode_head=head(
            "BNHead",
            in_channels=[8, 8],
            in_index=[0, 1],
            channels=16,
            input_transform="resize_concat",
        ),
    ),
    "dinov3": dict(
        backbone=dict(BACKBONES["DINOv3"].config, type="DINOv3"),
        decode_head=last("FCNHead", 8, num_convs=1, concat_input=False),
    ),
    "eomt": dict(
        type="EoMT",
        backbone=dict(
            BACKBONES["DINOv2"].config, type="DINOv2", num_queries=4, num_query_blocks=2
        ),
        decode_head=dict(HEADS["EoMTHead"].config, type="EoMTHead"),
        mask_annealing=dict(start=[0, 10], end=[10, 20]),
    ),
    "swin": dict(
        backbone=dict(BACKBONES["SwinTransformer"].config, type="SwinTransformer"),
        decode_head=last("FCNHead", 8, num_convs=1, concat_input=False),
    ),
    "timm": dict(
        backbone=dict(BACKBONES["TIMMBackbone"].config, type="TIMMBackbone"),
        decode_head=last("FCNHead", 64, num_convs=1, concat_input=False),
    ),
    "segformer": dict(
        backbone=dict(
            BACKBONES["MixVisionTransformer"].config, type="MixVisionTransformer"
        ),
        decode_head=head("SegformerHead", in_channels=[4, 8], in_index=[0, 1]),
    ),
    "knet": dict(
        backbone=resnet(),
        decode_head=dict(
            HEADS["IterativeDecodeHead"].config,
            type="IterativeDecodeHead",
            kernel_generate_head=head(
                "FCNHead", in_channels=64, channels=8, num_convs=1, concat_input=False
            ),
            kernel_update_head=[
                dict(stage, num_classes=CLASSES)
                for stage in HEADS["IterativeDecodeHead"].config["kernel_update_head"]
            ],
        ),
    ),
    "mask2former": dict(
        backbone=resnet(),
        decode_head=dict(
            HEADS["Mask2FormerHead"].config,
            type="Mask2FormerHead",
            in_channels=[8, 16, 32, 64],
            strides=[4, 8, 16, 32],
            num_classes=CLASSES,
            loss_cls=dict(
                type="mmdet.CrossEntropyLoss", class_weight=[1.0] * CLASSES + [0.1]
            ),
        ),
    ),
    "san": dict(
        type="MultimodalEncoderDecoder",
        encoder_resolution=0.5,
        image_encoder=dict(
            type="VisionTransformer",
            img_size=SIDE // 2,
            patch_size=16,
            patch_pad=0,
            embed_dims=8,
            num_layers=1,
            num_heads=2,
            out_origin=True,
            out_indices=[0],
            output_cls_token=True,
            pre_norm=True,
            act_cfg=dict(type="QuickGELU"),
            frozen_exclude=["pos_embed"],
        ),
        text_encoder=dict(
            type="CLIPTextEncoder",
            vocabulary=["road", "tree", "sky", "car", "traffic light"],
            templates=["a photo of a {}.", "the {}"],
            embed_dims=8,
            num_layers=1,
            num_heads=2,
            mlp_ratio=2,
            output_dims=6,
        ),
        decode_head=dict(
            HEADS["SideAdapterCLIPHead"].config
            | dict(
                num_classes=CLASSES,
                loss_decode=[
                    dict(loss, class_weight=[1.0] * CLASSES + [0.1])
                    if loss["loss_name"] == "loss_cls_ce"
                    else loss
                    for loss in HEADS["SideAdapterCLIPHead"].config["loss_decode"]
                ],
            ),
            type="SideAdapterCLIPHead",
        ),
    ),
    "depth": dict(
        type="DepthEstimator",
        backbone=dict(
            resnet(),
            base_channels=16,
            strides=(1, 2, 2, 2),
            dilations=(1, 1, 1, 1),
        ),
        decode_head=dict(
            type="VPDDepthHead",
            in_channels=[16, 32, 64, 128],
            embed_dim=4,
            feature_dim=32,
            num_deconv_layers=1,
            num_deconv_filters=[5],
        ),
    ),
    "twins": dict(
        backbone=dict(BACKBONES["SVT"].config, type="SVT"),
        decode_head=last("FCNHead", 8, num_convs=1),
    ),
    "pcpvt": dict(
        backbone=dict(BACKBONES["PCPVT"].config, type="PCPVT"),
        decode_head=last("FCNHead", 8, num_convs=1),
    ),
    "maskformer": dict(
        backbone=resnet(),
        decode_head=dict(
            HEADS["MaskFormerHead"].config | PYRAMID,
            type="MaskFormerHead",
            num_classes=CLASSES,
            loss_cls=dict(
                type="mmdet.CrossEntropyLoss", class_weight=[1.0] * CLASSES + [0.1]
            ),
        ),
    ),
}


def model_config(name):
    """`model` of a config."""
    common = dict(
        type="EncoderDecoder",
        data_preprocessor=dict(type="SegDataPreProcessor", mean=[60.0], std=[50.0]),
    )
    return common | SEGMENTORS[name]


def others_long(*names):
    """All models as parameters of a test; those that are not named are marked as long."""
    assert set(names) <= SEGMENTORS.keys()
    return [
        pytest.param(name, marks=[] if name in names else [pytest.mark.long])
        for name in SEGMENTORS
    ]
