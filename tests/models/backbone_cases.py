"""Cases of the backbones."""

from tests.models.case import BN, Case


def resnet(channels, **config):
    stages = dict(num_stages=2, strides=(1, 2), dilations=(1, 1), out_indices=(0, 1))
    return Case(
        dict(depth=18, base_channels=4, stem_channels=6, **stages, **config),
        ((37, 29, 3),),
        ((10, 8, channels), (5, 4, 2 * channels)),
    )


def resnext(**config):
    """Of two stages, the second of which has a stride."""
    stages = dict(num_stages=2, strides=(1, 2), dilations=(1, 1), out_indices=(0, 1))
    width = dict(base_channels=4, stem_channels=6, groups=2, base_width=2)
    return Case(
        dict(depth=50, **width, **stages, **config),
        ((37, 29, 3),),
        ((10, 8, 16), (5, 4, 32)),
    )


def hr_stage(branches, block="BASIC"):
    return dict(
        num_modules=1,
        num_branches=branches,
        block=block,
        num_blocks=[1] * branches,
        num_channels=[4, 6, 8, 10][:branches],
    )


def unet(upsample, **config):
    return Case(
        dict(
            type="UNet",
            base_channels=4,
            num_stages=3,
            strides=(1, 2, 1),
            enc_num_convs=(1, 2, 1),
            dec_num_convs=(1, 2),
            downsamples=(True, True),
            enc_dilations=(1, 1, 2),
            dec_dilations=(1, 2),
            upsample_cfg=dict(type=upsample),
            **config,
        ),
        ((12, 20, 3),),  # what 4 divides, else it is an error
        ((3, 5, 16), (6, 10, 8), (12, 20, 4)),
    )


def twins(depths=(1, 1), **config):
    return Case(
        dict(
            embed_dims=(4, 8),
            patch_sizes=(4, 2),
            strides=(4, 2),
            num_heads=(1, 2),
            mlp_ratios=(2, 1),
            out_indices=(0, 1),
            attn_drop_rate=0.1,
            drop_path_rate=0.1,
            depths=depths,
            **config,
        ),
        ((37, 29, 3),),
        ((10, 8, 4), (5, 4, 8)),
        rate="drop_rate",
    )


# Two stages of VAN.
VAN = Case(
    dict(
        embed_dims=[4, 6],
        mlp_ratios=[2, 2],
        depths=[1, 1],
        num_stages=2,
        drop_path_rate=0.1,
    ),
    ((37, 29, 3),),
    ((10, 8, 4), (5, 4, 6)),
    rate="drop_rate",
)

STDC = dict(
    stdc_type="STDCNet1",
    in_channels=3,
    channels=(4, 6, 8, 16, 32),
    bottleneck_type="cat",
    norm_cfg=BN,
    act_cfg=dict(type="ReLU"),
    num_convs=3,
)

BACKBONES = {
    "AlignedXception": Case(
        dict(middle_blocks=1, channels=(4, 4, 4, 6, 8, 8, 6, 6, 8)),
        ((37, 29, 3),),
        ((10, 8, 4), (3, 2, 8)),
    ),
    "BEiT": Case(
        dict(
            img_size=(31, 22),  # of 3x2 whole patches
            patch_size=8,
            embed_dims=8,
            num_layers=2,
            num_heads=2,
            out_indices=(0, 1),
            drop_path_rate=0.1,
        ),
        ((31, 22, 3),),
        ((3, 2, 8), (3, 2, 8)),
        rate="attn_drop_rate",
    ),
    "BiSeNetV1": Case(
        dict(
            backbone_cfg=dict(
                type="ResNet",
                depth=18,
                base_channels=4,
                stem_channels=6,
                norm_cfg=BN,
            ),
            spatial_channels=(4, 5, 6, 8),
            context_channels=(8, 16, 32),
            out_channels=10,
        ),
        ((69, 53, 3),),
        ((9, 7, 10), (9, 7, 8), (5, 4, 8)),
    ),
    "BiSeNetV2": Case(
        dict(
            detail_channels=(4, 6, 8),
            semantic_channels=(4, 5, 6, 8),
            semantic_expansion_ratio=2,
            bga_channels=8,
        ),
        ((69, 53, 3),),
        ((9, 7, 8), (18, 14, 4), (9, 7, 5), (5, 4, 6), (3, 2, 8)),
    ),
    "CGNet": Case(
        dict(num_channels=(4, 6, 8), num_blocks=(2, 3), reductions=(2, 4)),
        ((37, 29, 3),),
        ((19, 15, 7), (10, 8, 15), (5, 4, 16)),
    ),
    "ConvNeXt": Case(
        dict(
            type="mmpretrain.ConvNeXt",
            arch=dict(depths=[1, 1], channels=[4, 6]),
            use_grn=True,
            layer_scale_init_value=0.5,
            out_indices=[0, 1],
            gap_before_final_norm=False,
        ),
        ((37, 29, 3),),
        ((9, 7, 4), (4, 3, 6)),
        rate="drop_path_rate",
    ),
    "DINOv2": Case(
        dict(
            img_size=42,
            embed_dims=8,
            num_layers=2,
            num_heads=2,
            num_register_tokens=2,
            swiglu=True,
            interpolate_antialias=True,
            out_indices=[0, 1],
            drop_path_rate=0.1,
        ),
        ((37, 29, 3),),
        ((3, 3, 8), (3, 3, 8)),
        rate="drop_path_rate",
    ),
    "DINOv3": Case(
        dict(embed_dims=8, num_layers=2, num_heads=2, drop_path_rate=0.1),
        ((37, 29, 3),),
        ((3, 2, 8),),
        rate="drop_path_rate",
    ),
    "DDRNet": Case(
        dict(channels=4, ppm_channels=4),
        ((37, 23, 3),),
        ((5, 3, 8), (5, 3, 16)),
    ),
    "DRN": Case(
        dict(arch="C", depth=26, channels=(4, 4, 4, 6, 6, 6, 8, 8)),
        ((37, 29, 3),),
        ((10, 8, 4), (5, 4, 8)),
    ),
    "ERFNet": Case(
        dict(
            enc_downsample_channels=(4, 6, 8),
            enc_stage_non_bottlenecks=(1, 2),
            enc_non_bottleneck_dilations=(2, 4),
            enc_non_bottleneck_channels=(6, 8),
            dec_upsample_channels=(6, 5),
            dec_stages_non_bottleneck=(1, 1),
            dec_non_bottleneck_channels=(6, 5),
        ),
        ((37, 29, 3),),
        ((20, 16, 5),),
        rate="dropout_ratio",
    ),
    "FastSCNN": Case(
        dict(
            downsample_dw_channels=(4, 6),
            global_in_channels=8,
            global_block_channels=(4, 6, 8),
            global_out_channels=10,
            higher_in_channels=8,
            lower_in_channels=10,
            fusion_out_channels=10,
        ),
        ((69, 53, 3),),
        ((9, 7, 8), (3, 2, 10), (9, 7, 10)),
    ),
    "HRNet": Case(
        dict(
            extra=dict(
                stage1=hr_stage(1, "BOTTLENECK"),
                stage2=hr_stage(2),
                stage3=hr_stage(3),
                stage4=hr_stage(4),
            ),
        ),
        ((69, 53, 3),),
        ((18, 14, 4), (9, 7, 6), (5, 4, 8), (3, 2, 10)),
    ),
    "ICNet": Case(
        dict(
            backbone_cfg=dict(
                type="ResNetV1c",
                depth=18,
                base_channels=4,
                stem_channels=6,
                strides=(1, 2, 1, 1),
                dilations=(1, 1, 2, 4),
            ),
            layer_channels=(8, 32),
            light_branch_middle_channels=4,
            psp_out_channels=4,
            out_channels=(4, 6, 8),
        ),
        ((71, 67, 3),),
        ((9, 9, 4), (5, 5, 6), (2, 2, 8)),
    ),
    "MixVisionTransformer": Case(
        dict(
            embed_dims=4,
            num_stages=2,
            num_layers=(1, 1),
            num_heads=(1, 2),
            patch_sizes=(7, 3),
            strides=(4, 2),
            sr_ratios=(2, 1),
            out_indices=(0, 1),
            attn_drop_rate=0.1,
            drop_path_rate=0.1,
        ),
        ((37, 29, 3),),
        ((10, 8, 4), (5, 4, 8)),
        rate="drop_rate",
    ),
    "MAE": Case(
        dict(
            img_size=(31, 22),
            patch_size=8,
            embed_dims=8,
            num_layers=2,
            num_heads=2,
            out_indices=1,
            final_norm=True,
        ),
        ((31, 22, 3),),
        ((3, 2, 8),),
        rate="attn_drop_rate",
    ),
    "MobileNetV2": Case(
        dict(
            widen_factor=0.1,
            strides=(1, 2, 2, 1, 1, 1, 1),
            dilations=(1, 1, 1, 2, 2, 4, 4),
            out_indices=(1, 6),
        ),
        ((37, 29, 3),),
        ((10, 8, 8), (5, 4, 32)),
    ),
    "MobileNetV3": Case(
        dict(reduction_factor=4),
        ((37, 29, 3),),
        ((19, 15, 16), (10, 8, 16), (5, 4, 576)),
    ),
    "PCPVT": twins(sr_ratios=(2, 1)),
    "MSCAN": Case(
        dict(
            embed_dims=[4, 6],
            mlp_ratios=[2, 2],
            depths=[1, 1],
            num_stages=2,
            drop_path_rate=0.1,
            attention_kernel_sizes=[3, [1, 3], [1, 5], [1, 3]],
            attention_kernel_paddings=[1, [0, 1], [0, 2], [0, 1]],
        ),
        ((37, 29, 3),),
        ((10, 8, 4), (5, 4, 6)),
        rate="drop_rate",
    ),
    "PIDNet": Case(
        dict(channels=4, ppm_channels=4, num_branch_blocks=2),
        ((37, 23, 3),),
        ((5, 3, 8), (5, 3, 16), (5, 3, 8)),
    ),
    "PoolFormer": Case(
        dict(
            type="mmpretrain.PoolFormer",
            arch=dict(layers=[1, 1], embed_dims=[4, 6], mlp_ratios=[2, 2]),
            drop_path_rate=0.1,
            out_indices=[0, 2],
            frozen_stages=-1,
        ),
        ((37, 29, 3),),
        ((9, 7, 4), (5, 4, 6)),
        rate="drop_rate",
    ),
    "ResNeSt": resnext(),
    "ResNet": resnet(4, style="caffe"),
    "ResNetV1c": resnet(4, with_cp=True),
    "ResNetV1d": resnet(4, norm_eval=True),
    "ResNeXt": resnext(with_cp=True),
    "STDCContextPathNet": Case(
        dict(
            backbone_cfg=dict(type="STDCNet", **STDC),
            last_in_channels=(32, 16),
            out_channels=4,
            ffm_cfg=dict(in_channels=12, out_channels=6, scale_factor=2),
        ),
        ((69, 53, 3),),
        ((9, 7, 8), (5, 4, 4), (9, 7, 4), (9, 7, 6)),
    ),
    "STDCNet": Case(
        STDC | dict(bottleneck_type="add"),
        ((69, 53, 3),),
        ((9, 7, 8), (5, 4, 16), (3, 2, 32)),
    ),
    "SwinTransformer": Case(
        dict(
            embed_dims=4,
            depths=(2, 1),
            num_heads=(2, 2),
            strides=(4, 2),
            window_size=3,
            out_indices=(0, 1),
            attn_drop_rate=0.1,
            drop_path_rate=0.1,
        ),
        ((37, 29, 3),),
        ((10, 8, 4), (5, 4, 8)),
        rate="drop_rate",
    ),
    "TIMMBackbone": Case(
        dict(model_name="resnet18", pretrained=False, out_indices=(0, 1)),
        ((37, 29, 3),),
        ((19, 15, 64), (10, 8, 64)),
    ),
    "UNet": unet("InterpConv", with_cp=True),
    # Entries of its upsample_cfg.
    "InterpConv": unet("InterpConv", norm_eval=True),
    "DeconvModule": unet("DeconvModule"),
    "SVT": twins(depths=(2, 2), sr_ratios=(2, 1), windiow_sizes=(3, 3)),
    "VAN": VAN,
    "VANBase": VAN,
    "VANLarge": VAN,
    "VANSmall": VAN,
    "VANTiny": VAN,
    "VisionTransformer": Case(
        dict(
            img_size=(32, 24),
            patch_size=8,
            embed_dims=8,
            num_layers=2,
            num_heads=2,
            out_indices=(0, 1),
            attn_drop_rate=0.1,
            drop_path_rate=0.1,
        ),
        ((37, 29, 3),),
        ((5, 4, 8), (5, 4, 8)),
        rate="drop_rate",
    ),
}
