"""Cases of the decode heads."""

from tests.models.case import BN, PYRAMID, Case


def head(size, *more, previous=None, **config):
    config = dict(channels=6, num_classes=3, norm_cfg=BN) | config
    outputs = ((*size, 3), *more)
    return Case(config, PYRAMID, outputs, rate="dropout_ratio", previous=previous)


ATTENTION = dict(embed_dims=8, num_heads=2)
DECODER_LAYER = dict(
    self_attn_cfg=ATTENTION,
    cross_attn_cfg=ATTENTION,
    ffn_cfg=dict(embed_dims=8, feedforward_channels=6),
)


def maskformer():
    costs = [
        dict(type="mmdet.ClassificationCost", weight=1.0),
        dict(type="mmdet.FocalLossCost", weight=20.0, binary_input=True),
        dict(type="mmdet.DiceCost", weight=1.0, pred_act=True, eps=1.0),
    ]
    config = dict(
        in_channels=[4, 6, 8],
        in_index=[0, 1, 2],
        feat_channels=8,
        out_channels=8,
        num_classes=3,
        num_queries=4,
        enforce_decoder_input_project=True,
        pixel_decoder=dict(
            type="mmdet.PixelDecoder", norm_cfg=dict(type="GN", num_groups=2)
        ),
        positional_encoding=dict(num_feats=4, normalize=True),
        transformer_decoder=dict(num_layers=2, layer_cfg=DECODER_LAYER),
        loss_cls=dict(type="mmdet.CrossEntropyLoss", class_weight=[1.0] * 3 + [0.1]),
        loss_mask=dict(type="mmdet.FocalLoss", loss_weight=20.0),
        loss_dice=dict(type="mmdet.DiceLoss", naive_dice=True, eps=1.0),
        train_cfg=dict(
            assigner=dict(type="mmdet.HungarianAssigner", match_costs=costs),
            sampler=dict(type="mmdet.MaskPseudoSampler"),
        ),
    )
    return Case(config, PYRAMID, ((2, 4, 4), (2, 4, 8), (17, 13, 8)))


def mask2former():
    attention = dict(ATTENTION, num_levels=2, num_points=2, dropout=0.0)
    encoding = dict(num_feats=4, normalize=True)
    encoder_layer = dict(
        self_attn_cfg=attention, ffn_cfg=dict(embed_dims=8, feedforward_channels=6)
    )
    costs = [
        dict(type="mmdet.ClassificationCost", weight=2.0),
        dict(type="mmdet.CrossEntropyLossCost", weight=5.0, use_sigmoid=True),
        dict(type="mmdet.DiceCost", weight=5.0, pred_act=True, eps=1.0),
    ]
    config = dict(
        in_channels=[4, 6, 8],
        strides=[4, 8, 16],
        feat_channels=8,
        out_channels=6,
        num_classes=3,
        num_queries=4,
        num_transformer_feat_level=2,
        enforce_decoder_input_project=True,
        pixel_decoder=dict(
            type="mmdet.MSDeformAttnPixelDecoder",
            num_outs=2,
            norm_cfg=dict(type="GN", num_groups=2),
            encoder=dict(num_layers=1, layer_cfg=encoder_layer),
            positional_encoding=encoding,
        ),
        positional_encoding=encoding,
        transformer_decoder=dict(num_layers=2, layer_cfg=DECODER_LAYER),
        loss_cls=dict(type="mmdet.CrossEntropyLoss", class_weight=[1.0] * 3 + [0.1]),
        loss_mask=dict(type="mmdet.CrossEntropyLoss", use_sigmoid=True),
        loss_dice=dict(type="mmdet.DiceLoss", naive_dice=True, eps=1.0),
        train_cfg=dict(
            num_points=20,
            assigner=dict(type="mmdet.HungarianAssigner", match_costs=costs),
            sampler=dict(type="mmdet.MaskPseudoSampler"),
        ),
    )
    return Case(config, PYRAMID, ((3, 4, 4), (3, 4, 6), (17, 13, 6)))


def eomt():
    of_masks = ("loss_cls", "loss_mask", "loss_dice", "train_cfg")
    config = {key: mask2former().config[key] for key in of_masks}
    config |= dict(in_channels=8, num_classes=3, num_queries=4, num_upscale_blocks=1)
    inputs = (((5, 3, 8), (4, 8)),) * 2
    return Case(config, inputs, ((2, 4, 4), (2, 4, 8), (10, 6, 8)))


def san():
    costs = [
        dict(type="ClassificationCost", weight=2.0),
        dict(type="CrossEntropyLossCost", weight=5.0, use_sigmoid=True),
        dict(type="DiceCost", weight=5.0, pred_act=True, eps=1.0),
    ]
    config = dict(
        num_classes=3,
        deep_supervision_idxs=[1],
        san_cfg=dict(
            in_channels=3,
            clip_channels=8,
            embed_dims=8,
            num_queries=4,
            fusion_index=[0, 1],
            cfg_encoder=dict(num_encode_layer=2, num_heads=2, mlp_ratio=2),
            cfg_decoder=dict(
                num_heads=2,
                num_layers=1,
                embed_channels=6,
                mlp_channels=5,
                num_mlp=2,
                rescale=True,
            ),
        ),
        maskgen_cfg=dict(
            sos_token_num=4,
            num_layers=1,
            embed_dims=8,
            num_heads=2,
            out_dims=6,
            act_cfg=dict(type="QuickGELU"),
        ),
        loss_decode=[
            dict(
                type="CrossEntropyLoss",
                loss_name="loss_cls_ce",
                class_weight=[1.0] * 3 + [0.1],
            ),
            dict(type="CrossEntropyLoss", loss_name="loss_mask_ce", use_sigmoid=True),
            dict(
                type="DiceLoss",
                loss_name="loss_mask_dice",
                ignore_index=None,
                naive_dice=True,
                eps=1,
            ),
        ],
        train_cfg=dict(
            num_points=20,
            oversample_ratio=3.0,
            importance_sample_ratio=0.75,
            assigner=dict(type="HungarianAssigner", match_costs=costs),
        ),
    )
    feature = ((2, 3, 8), (8,))
    inputs = ((32, 49, 3), feature, feature, (4, 6))
    return Case(config, inputs, ((1, 4, 4), (1, 4, 6), (1, 2, 3, 6)))


def knet():
    stage = dict(
        type="KernelUpdateHead",
        num_classes=3,
        in_channels=8,
        out_channels=8,
        num_heads=2,
        num_mask_fcs=1,
        feedforward_channels=6,
        feat_transform_cfg=dict(conv_cfg=dict(type="Conv2d"), act_cfg=None),
        kernel_updator_cfg=dict(
            type="KernelUpdator", in_channels=4, feat_channels=4, out_channels=4
        ),
    )
    generate = dict(
        type="FCNHead",
        in_channels=8,
        channels=8,
        num_classes=3,
        num_convs=1,
        norm_cfg=BN,
        dropout_ratio=0.0,
    )
    config = dict(
        num_stages=2, kernel_generate_head=generate, kernel_update_head=[stage] * 2
    )
    return Case(config, PYRAMID, ((5, 4, 3),) * 3)


SEVERAL = dict(in_channels=[4, 6, 8], in_index=[0, 1, 2])
HEADS = {
    "ANNHead": head(
        (5, 4),
        in_channels=[6, 8],
        in_index=[1, 2],
        project_channels=4,
        query_scales=[1, 1],
        key_pool_scales=[1, 3],
    ),
    "APCHead": head((5, 4), in_channels=8, pool_scales=[1, 3]),
    "ASPPHead": head((5, 4), in_channels=8, dilations=[1, 2]),
    "DepthwiseSeparableASPPHead": head(
        (17, 13), in_channels=8, dilations=[1, 2], c1_in_channels=4, c1_channels=3
    ),
    "BNHead": head(
        (17, 13),
        channels=18,
        in_channels=[4, 6, 8],
        in_index=[0, 1, 2],
        input_transform="resize_concat",
    ),
    "CCHead": head((5, 4), in_channels=8, channels=8),
    "DAHead": head((5, 4), (5, 4, 3), (5, 4, 3), in_channels=8, pam_channels=4),
    "DDRHead": Case(
        dict(
            in_channels=8,
            channels=6,
            num_classes=3,
            norm_cfg=BN,
            loss_decode=[dict(type="OhemCrossEntropy", min_kept=5)] * 2,
        ),
        ((5, 4, 4), (5, 4, 8)),
        ((5, 4, 3), (5, 4, 3)),
        rate="dropout_ratio",
    ),
    "DeepLabV3PlusHead": head(
        (17, 13),
        in_channels=8,
        dilations=[1, 2],
        c1_in_channels=4,
        c1_channels=3,
        inner_dropout_ratio=0.0,
    ),
    "DMHead": head((5, 4), in_channels=8, filter_sizes=[1, 2, 3], fusion=True),
    "DNLHead": head((5, 4), in_channels=8, temperature=0.5),
    "DPTHead": Case(
        dict(
            in_channels=[8] * 4,
            in_index=[0, 1, 2, 3],
            input_transform="multiple_select",
            channels=6,
            num_classes=3,
            embed_dims=8,
            post_process_channels=[3, 4, 5, 6],
            readout_type="project",
            norm_cfg=BN,
        ),
        (((9, 7, 8), (8,)),) * 4,
        ((80, 64, 3),),
        rate="dropout_ratio",
    ),
    "EMAHead": head((5, 4), in_channels=8, ema_channels=6, num_bases=4, num_stages=2),
    "DepthwiseSeparableFCNHead": head((5, 4), in_channels=8),
    "EncHead": head((5, 4), (3,), num_codes=4, add_lateral=True, **SEVERAL),
    "EoMTHead": eomt(),
    "FCNHead": head((17, 13), input_transform="resize_concat", **SEVERAL),
    "FPNHead": head((17, 13), feature_strides=[4, 8, 16], **SEVERAL),
    "GCHead": head(
        (5, 4), in_channels=8, ratio=0.5, fusion_types=["channel_mul", "channel_add"]
    ),
    "IterativeDecodeHead": knet(),
    "LRASPPHead": Case(
        dict(channels=6, num_classes=3, norm_cfg=BN)
        | dict(SEVERAL, input_transform="multiple_select"),
        ((71, 73, 4), (59, 61, 6), (50, 70, 8)),
        ((71, 73, 3),),
        rate="dropout_ratio",
    ),
    "LightHamHead": head(
        (17, 13), ham_channels=8, ham_kwargs=dict(MD_S=2, MD_R=3), **SEVERAL
    ),
    "ISAHead": head((5, 4), in_channels=8, isa_channels=4, down_factor=[2, 3]),
    "Mask2FormerHead": mask2former(),
    "MaskFormerHead": maskformer(),
    "NLHead": head((5, 4), in_channels=8, mode="dot_product", concat_input=False),
    "OCRHead": head((5, 4), previous=(5, 4, 3), in_channels=8, ocr_channels=5),
    "PIDHead": Case(
        dict(
            in_channels=8,
            channels=6,
            num_classes=3,
            norm_cfg=BN,
            loss_decode=[
                dict(type="CrossEntropyLoss"),
                dict(type="OhemCrossEntropy", min_kept=5),
                dict(type="BoundaryLoss"),
                dict(type="OhemCrossEntropy", min_kept=5),
            ],
        ),
        ((5, 4, 4), (5, 4, 8), (5, 4, 4)),
        ((5, 4, 3), (5, 4, 3), (5, 4, 1)),
        rate="dropout_ratio",
    ),
    "PointHead": Case(
        dict(channels=6, num_classes=3, in_channels=[4], in_index=[0])
        | dict(num_points=20, subdivision_num_points=50),
        PYRAMID,
        ((20, 16, 3),),
        rate="dropout_ratio",
        previous=(5, 4, 3),
    ),
    "PSAHead": head((5, 4), in_channels=8, mask_size=[5, 3]),
    "PSPHead": head((5, 4), in_channels=8, align_corners=True),
    "SETRMLAHead": head(
        (18, 14),
        in_channels=[6, 6],
        in_index=[1, 1],
        mla_channels=3,
        up_scale=2,
    ),
    "SETRUPHead": head((10, 8), in_channels=8, num_convs=1, up_scale=2),
    "SegmenterMaskTransformerHead": Case(
        dict(
            in_channels=8,
            channels=8,
            num_classes=3,
            num_layers=2,
            num_heads=2,
            embed_dims=8,
            attn_drop_rate=0.1,
            drop_path_rate=0.1,
        ),
        PYRAMID,
        ((5, 4, 3),),
        rate="drop_rate",
    ),
    "STDCHead": head((5, 4), in_channels=8, num_convs=1, concat_input=False),
    "SideAdapterCLIPHead": san(),
    "SegformerHead": head((17, 13), **SEVERAL),
    "UPerHead": head((17, 13), **SEVERAL),
    "VPDDepthHead": Case(
        dict(
            in_channels=[16, 8, 6, 2],
            embed_dim=4,
            feature_dim=32,
            num_deconv_layers=1,
            num_deconv_filters=[5],
            fmap_border=[0, 1],
        ),
        ((16, 24, 16), (8, 12, 8), (4, 6, 6), (2, 3, 2)),
        ((32, 40, 1),),
    ),
}
